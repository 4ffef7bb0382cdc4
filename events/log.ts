import { z } from 'zod'
import { defineEvent, nodeAudit, type EventOf } from './define.ts'
import { Actor, Count, FailureCode, LeafHash, Milliseconds, Origin, Time, exampleActor, exampleOrigin, text } from './values.ts'

/** What befell the log itself: begun, failed, restored, cut, read (PCI DSS 10.2.1.3 and 10.2.1.6). */

const StreamName = z.enum(['connections', 'control', 'operations'])
/** Logs named in one record: with more, there are reports that name all nodes. */
export const lostSourcesMax = 64

export const LogInitialized = defineEvent({
  type: 'dev.waybill.log.initialized.v1',
  stream: 'operations',
  summary: 'A new log folder begins; the epoch in `source` is its own.',
  subject: 'log',
  audit: nodeAudit({ always: 'success' }),
  data: z.strictObject({
    adapter: z.enum(['file', 'kafka', 'memory']),
    earlier: z
      .strictObject({ because: text(300), epoch: text(64) })
      .nullable()
      .meta({ description: 'The log that this node had before and that could not be continued; null: there was none.' }),
    hash: z.literal('sha256-rfc6962-leaf'),
  }),
  examples: [{ adapter: 'file', earlier: null, hash: 'sha256-rfc6962-leaf' }],
})

export const LogRecovered = defineEvent({
  type: 'dev.waybill.log.recovered.v1',
  stream: 'operations',
  summary: 'At start, what a crash had left unfinished at the end of a stream was cut off; it was never acknowledged.',
  subject: 'log/<stream>',
  audit: nodeAudit({ always: 'success' }),
  data: z.strictObject({
    bytes_cut: Count,
    refusal_counts_lost: z
      .boolean()
      .meta({ description: 'Refusals that were only counted in the last second before the crash may be missing.' }),
    segment: text(100),
    stream: StreamName,
  }),
  examples: [
    { bytes_cut: 611, refusal_counts_lost: true, segment: '00000000000000000000.jsonl', stream: 'connections' },
  ],
})

export const LogTakenBack = defineEvent({
  type: 'dev.waybill.log.taken_back.v1',
  stream: 'operations',
  summary: 'At start, records of this node that its disk had lost were taken back from Kafka, byte-equal.',
  subject: 'log',
  audit: nodeAudit({ always: 'success' }),
  data: z.strictObject({ records: Count.min(1) }),
  examples: [{ records: 12 }],
})

export const LogContradicted = defineEvent({
  type: 'dev.waybill.log.contradicted.v1',
  stream: 'operations',
  summary: 'A record came with a number that other bytes have, or does not continue what is before it: somebody rewrote or forked a source.',
  subject: 'log/<stream>',
  audit: nodeAudit({ always: 'failure' }),
  data: z.strictObject({
    contradiction: text(400).meta({ description: 'Source and sequence of the record that was not taken.' }),
    stream: StreamName,
  }),
  examples: [
    {
      contradiction: '/clusters/default/nodes/n1/0198c0de-0000-7000-8000-000000000001/control sequence 7',
      stream: 'control',
    },
  ],
})

export const LogTopicLost = defineEvent({
  type: 'dev.waybill.log.topic_lost.v1',
  stream: 'operations',
  summary: 'A topic was deleted, made anew or cut. This node sends again everything that it has of it.',
  subject: 'log/<stream>',
  audit: nodeAudit({ always: 'failure' }),
  data: z.strictObject({
    lost: z
      .strictObject({ first: Count, last: Count })
      .nullable()
      .meta({
        description:
          'Sequences of records of this node that are lost for good, the last one included: they were removed here when the topic had them, and it has them ' +
          'no longer (`log.pruned` has the hash of the last one). Null: none.',
      }),
    lost_sources: z.array(text(300)).max(lostSourcesMax).meta({
      description:
        'Other logs, by the `source` of their records, that nobody sends again now: their nodes are silent, stopped, lost or retired, as far as this node knows. ' +
        'What they had in the topic is lost, unless the node is started again on its folder. Always empty for control, of which every node has all.',
    }),
    lost_sources_truncated: z.boolean().meta({ description: 'There are more of them.' }),
    records: Count.meta({ description: 'Records of it that this node has and sends again.' }),
    stream: StreamName,
    topic: text(249),
  }),
  examples: [
    {
      lost: { first: 0, last: 81_999 },
      lost_sources: ['/clusters/default/nodes/n3/0198c0de-0000-7000-8000-000000000003/connections'],
      lost_sources_truncated: false,
      records: 120,
      stream: 'connections',
      topic: 'waybill.connections',
    },
  ],
})

export const LogPruned = defineEvent({
  type: 'dev.waybill.log.pruned.v1',
  stream: 'operations',
  summary:
    'The oldest records of a stream are about to be removed from this node\'s disk: Kafka has them, and they are older than the local ' +
    'retention. When the next such record of the stream has the same `first`, they were not.',
  subject: 'log/<stream>',
  audit: nodeAudit({ always: 'success' }),
  data: z.strictObject({
    because: z.literal('in_kafka').meta({ description: 'The last of them was seen in the topic a moment before.' }),
    first: Count.meta({ description: 'Sequence of the first of them.' }),
    last: Count.meta({ description: 'Sequence of the last of them.' }),
    leaf_hash: LeafHash.meta({ description: 'Of the last of them: `prevhash` of the first record that stays.' }),
    offset: Count.meta({ description: 'Where the topic has the last of them.' }),
    partition: Count,
    stream: StreamName,
    topic: text(249),
  }),
  examples: [
    {
      because: 'in_kafka', first: 0, last: 81_999, leaf_hash: 'uQzXz3rJ3C0d0n0gZ1uYJXn0n1rS8hV2mE2b7d1yq4M=',
      offset: 240_113, partition: 7, stream: 'connections', topic: 'waybill.connections',
    },
  ],
})

export const LogTopicObserved = defineEvent({
  type: 'dev.waybill.log.topic_observed.v1',
  stream: 'operations',
  summary: 'What a Kafka topic of the log is like, as its brokers say: at each start, and when a daily look finds it changed.',
  subject: 'topics/<topic>',
  audit: nodeAudit({ always: 'success' }),
  data: z.strictObject({
    partitions: Count.meta({ description: '0: the topic is not there.' }),
    problems: z.array(text(1_000)).max(16).meta({ description: 'What would lose records, or keep them from being written or read.' }),
    replicas: Count.meta({ description: 'Of the partition that has the fewest.' }),
    settings: z
      .array(z.strictObject({ name: text(100), value: text(200) }))
      .max(16)
      .meta({ description: 'Settings that matter for what is kept, with their values in force.' }),
    topic: text(249),
  }),
  examples: [
    {
      partitions: 1,
      problems: [],
      replicas: 3,
      settings: [{ name: 'cleanup.policy', value: 'delete' }, { name: 'retention.ms', value: '-1' }],
      topic: 'waybill.control',
    },
  ],
})

export const LogFailed = defineEvent({
  type: 'dev.waybill.log.failed.v1',
  stream: 'operations',
  summary: 'The log could not be written; written down once it could be again. New clients were refused meanwhile.',
  subject: 'log/<stream>',
  audit: nodeAudit({ at: 'data.code' }),
  data: z.strictObject({
    code: FailureCode,
    since: Time,
    stream: StreamName,
    syscall: text(40),
  }),
  examples: [{ code: 'ENOSPC', since: '2026-11-24T08:00:00.000Z', stream: 'connections', syscall: 'write' }],
})

export const LogRestored = defineEvent({
  type: 'dev.waybill.log.restored.v1',
  stream: 'operations',
  summary: 'The log can be written again.',
  subject: 'log/<stream>',
  audit: nodeAudit({ always: 'success' }),
  data: z.strictObject({
    notes_dropped: Count.meta({ description: 'Health, access and progress records that no longer fit while waiting.' }),
    since: Time,
    stream: StreamName,
    unavailable_ms: Milliseconds,
  }),
  examples: [{ notes_dropped: 0, since: '2026-11-24T08:00:00.000Z', stream: 'connections', unavailable_ms: 31_250 }],
})

export const LogSpaceLow = defineEvent({
  type: 'dev.waybill.log.space_low.v1',
  stream: 'operations',
  summary: 'The file system that holds the log is nearly full.',
  subject: 'log',
  audit: nodeAudit({ always: 'warning' }),
  data: z.strictObject({ free_bytes: Count, threshold_bytes: Count, total_bytes: Count }),
  examples: [{ free_bytes: 104_857_600, threshold_bytes: 268_435_456, total_bytes: 10_737_418_240 }],
})

export const LogRead = defineEvent({
  type: 'dev.waybill.log.read.v1',
  stream: 'operations',
  summary: 'Somebody read audit data.',
  subject: 'log/<stream>',
  audit: {
    who: { at: 'data.actor.id' },
    outcome: { at: 'data.outcome' },
    origin: { at: 'data.origin.ip', orElse: 'the local socket or command line (data.origin.via)' },
  },
  data: z.strictObject({
    actor: Actor,
    follow: z.boolean(),
    origin: Origin,
    outcome: z.enum(['ended', 'started']),
    records: Count.meta({ description: 'Records handed out so far.' }),
    stream: StreamName,
  }),
  examples: [
    { actor: exampleActor, follow: false, origin: exampleOrigin, outcome: 'ended', records: 120, stream: 'connections' },
  ],
})

export const logEvents = [LogInitialized, LogRecovered, LogTakenBack, LogContradicted, LogTopicLost, LogPruned, LogTopicObserved, LogFailed, LogRestored, LogSpaceLow, LogRead] as const
export type LogEvent = EventOf<(typeof logEvents)[number]>
