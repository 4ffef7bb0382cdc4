import { z } from 'zod'
import { defineEvent, nodeAudit, type EventOf } from './define.ts'
import { Actor, Count, FailureCode, Milliseconds, Origin, Time, exampleActor, exampleOrigin, text } from './values.ts'

/** What befell the log itself: begun, failed, restored, cut, read (PCI DSS 10.2.1.3 and 10.2.1.6). */

const StreamName = z.enum(['connections', 'control', 'operations'])

export const LogInitialized = defineEvent({
  type: 'dev.waybill.log.initialized.v1',
  stream: 'operations',
  summary: 'A new log folder begins; the epoch in `source` is its own.',
  subject: 'log',
  audit: nodeAudit({ always: 'success' }),
  data: z.strictObject({ adapter: z.enum(['file', 'memory']), hash: z.literal('sha256-rfc6962-leaf') }),
  examples: [{ adapter: 'file', hash: 'sha256-rfc6962-leaf' }],
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

export const logEvents = [LogInitialized, LogRecovered, LogFailed, LogRestored, LogSpaceLow, LogRead] as const
export type LogEvent = EventOf<(typeof logEvents)[number]>
