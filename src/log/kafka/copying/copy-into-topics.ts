import type { Producer } from 'kafkajs'
import { streams, type Stream } from '../../../../events/define.ts'
import type { Clock } from '../../../core/clock.ts'
import { Fault } from '../../../core/errors.ts'
import type { KafkaClient } from '../connection/client.ts'
import type { FolderStream } from './folder-streams.ts'
import { allInSync, keyOf, messagesOf, sendsOf } from '../shipping/messages.ts'
import type { Partitions } from '../topics/partitions.ts'
import { compareTopic, type Beginning } from './topic-comparison.ts'

/**
 * Copies the log of a node that is stopped into empty topics, byte for byte, and reads it back. What an earlier copy left
 * there when it broke off is recognised by looking, and the copy goes on behind it.
 */

export interface CopyIntoTopics {
  readonly client: KafkaClient
  readonly clock: Clock
  /** Kafka's number of the codec. */
  readonly compression: number
  readonly node: string
  readonly partitions: Partitions
  readonly topics: Readonly<Record<Stream, string>>
  readonly streams: Readonly<Record<Stream, FolderStream>>
  readonly progress: CopyProgress
}

/** Shown to a person while a long part of the work goes on. `total` null: nobody knows. */
export type CopyProgress = (unit: string, total: number | null) => Disposable & { add(count: number): void }

export interface CopiedStream {
  readonly stream: Stream
  readonly topic: string
  readonly records: number
  /** How many of them this copy sent. */
  readonly sent: number
  /** Of the last record; null: there is none. */
  readonly lastHash: string | null
}

/** Control last: then no connection names a revision that the topics do not have. */
const order = ['connections', 'operations', 'control'] as const satisfies readonly Stream[]
/** Longer than a producer tries; what takes so long does not end by itself. */
const answerMs = 60_000
const brokerTimeoutMs = 10_000

/** Nothing is sent before all topics were looked at. Throws a `Fault`: `topic_not_empty`, `log_copy_incomplete`, or why the brokers can't be asked. */
export async function copyIntoTopics(copy: CopyIntoTopics): Promise<CopiedStream[]> {
  const present = {} as Record<Stream, Beginning>
  for (const stream of order) present[stream] = await compare(copy, stream, 'messages compared')
  for (const stream of order) await send(copy, stream, present[stream].records)
  const copied: CopiedStream[] = []
  for (const stream of streams) {
    const { lastHash, records } = await compare(copy, stream, 'messages read back')
    const { count } = copy.streams[stream]
    if (records !== count) throw incomplete(`${copy.topics[stream]} has ${records} of ${count} records, although the brokers acknowledged all of them`)
    copied.push({ lastHash, records, sent: count - present[stream].records, stream, topic: copy.topics[stream] })
  }
  return copied
}

async function compare({ client, clock, node, partitions, progress, streams: folder, topics }: CopyIntoTopics, stream: Stream, unit: string): Promise<Beginning> {
  using shown = progress(unit, null)
  const at = { client, clock, onCompared: shown.add.bind(shown), partition: partitions.of(stream, node), topic: topics[stream] }
  return await compareTopic(at, folder[stream].read(0))
}

/** One batch in flight; a producer that rejected anything is not used again. */
async function send(copy: CopyIntoTopics, stream: Stream, from: number): Promise<void> {
  const { client, clock, compression, node, partitions, progress, streams: folder, topics } = copy
  const ours = folder[stream]
  if (from === ours.count) return
  const [key, partition, topic] = [keyOf(stream, node), partitions.of(stream, node), topics[stream]]
  using shown = progress(`records of ${stream}`, ours.count - from)
  const producer = client.producer()
  const acknowledged = async (work: Promise<unknown>): Promise<void> => {
    const silent = Promise.withResolvers<never>()
    using _timer = clock.after(answerMs, () => silent.reject(incomplete(`the brokers of ${topic} have not answered for ${answerMs / 1_000} s`)))
    await Promise.race([work, silent.promise]).catch((error: unknown) => {
      throw error instanceof Fault ? error : incomplete(client.faultOf(error).message, error)
    })
  }
  try {
    await acknowledged(producer.connect())
    for await (const batch of ours.read(from)) {
      for (const records of sendsOf(batch)) {
        const messages = messagesOf(records, key, partition)
        await acknowledged(producer.send({ acks: allInSync, compression, messages, timeout: brokerTimeoutMs, topic }))
        shown.add(records.length)
      }
    }
  } finally {
    await disconnect(producer)
  }
}

/** What was acknowledged is there; how the connection ends changes nothing. */
async function disconnect(producer: Producer): Promise<void> {
  await producer.disconnect().catch(() => {})
}

function incomplete(because: string, cause?: unknown): Fault {
  const message = `the copy is not complete: ${because}. What was sent stays: the same command again looks at the topics and goes on behind it.`
  return new Fault('log_copy_incomplete', 'log', message, { canRetry: true, cause })
}
