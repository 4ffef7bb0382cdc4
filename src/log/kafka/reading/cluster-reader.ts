import { leafHash } from '../../../../events/chain.ts'
import { sleep, type Clock } from '../../../core/clock.ts'
import { Fault, messageOf } from '../../../core/errors.ts'
import type { ClusterBatch, ClusterPosition, ClusterReadOptions } from '../../cluster-log.ts'
import type { KafkaClient } from '../connection/client.ts'
import { orAborted, readPartitions, TopicReplaced } from './partition-reader.ts'

/** Reads a topic that is ordered by node, for those who look at all nodes or at another one. */

export interface ClusterTopic {
  readonly client: KafkaClient
  readonly clock: Clock
  readonly topic: string
  readonly partitionOf: (node: string) => number
  /** Ends every read. */
  readonly closed: AbortSignal
}

const retryMs = 1_000

export async function* readCluster(at: ClusterTopic, { follow, from, node, signal }: ClusterReadOptions): AsyncGenerator<ClusterBatch> {
  const { client, clock, closed, topic } = at
  const until = signal === undefined ? closed : AbortSignal.any([closed, signal])
  let start: ClusterReadOptions['from'] = from
  while (!until.aborted) {
    const offsets = await startOf(at, start, node, until)
    if (offsets === null) return
    try {
      for await (const { messages, next, partition } of readPartitions({ client, clock, follow, from: offsets, signal: until, topic })) {
        offsets.set(partition, next)
        const records = messages.flatMap(({ storedMs, value }) => (value === null ? [] : [{ bytes: value, leafHash: leafHash(value), storedMs }]))
        if (records.length > 0) yield { position: positionFrom(offsets), records }
      }
      return
    } catch (error) {
      if (!(error instanceof TopicReplaced)) throw error
      if (!follow) throw error
      // From its beginning: what was read before is repeated, and known by its sequence.
      start = 'beginning'
      await sleep(clock, retryMs, until)
    }
  }
}

/** Null once it was ended. */
async function startOf(
  { client, clock, partitionOf, topic }: ClusterTopic,
  from: ClusterReadOptions['from'],
  node: string | undefined,
  signal: AbortSignal,
): Promise<Map<number, number> | null> {
  const known = typeof from === 'object' && 'after' in from ? offsetsOf(from.after) : new Map<number, number>()
  while (!signal.aborted) {
    const fetcher = client.fetcher(topic)
    try {
      await orAborted(fetcher.connect(), signal)
      if (signal.aborted) return null
      const partitions = node === undefined ? fetcher.partitions() : [partitionOf(node)]
      const begin = await orAborted(fetcher.offsets(partitions, typeof from === 'object' && 'storedSinceMs' in from ? from : 'earliest'), signal)
      const ends = await orAborted(fetcher.offsets(partitions, 'latest'), signal)
      if (begin === null || ends === null) return null
      return new Map(partitions.map((partition) => {
        const first = begin.get(partition) ?? 0
        const end = ends.get(partition) ?? 0
        // Below zero: nothing was stored since then. A place beyond the end is one of another topic.
        const at = known.get(partition) ?? (first < 0 ? end : first)
        return [partition, at > end ? Math.max(0, begin.get(partition) ?? 0) : at]
      }))
    } catch (error) {
      if (error instanceof Fault) throw error
      await sleep(clock, retryMs, signal)
    } finally {
      void fetcher.disconnect()
    }
  }
  return null
}

/** Right before a message. */
export function positionAt(partition: number, offset: number): ClusterPosition {
  return positionFrom(new Map([[partition, offset]]))
}

function positionFrom(offsets: ReadonlyMap<number, number>): ClusterPosition {
  return JSON.stringify(Object.fromEntries(offsets)) as ClusterPosition
}

function offsetsOf(position: ClusterPosition): Map<number, number> {
  try {
    const entries = Object.entries(JSON.parse(position) as Record<string, unknown>)
    if (entries.every(([partition, offset]) => /^\d+$/.test(partition) && Number.isSafeInteger(offset))) {
      return new Map(entries.map(([partition, offset]) => [Number(partition), Number(offset)]))
    }
  } catch (error) {
    throw new Fault('position_invalid', 'settings', `${JSON.stringify(position)} is no position in a topic: ${messageOf(error)}`)
  }
  throw new Fault('position_invalid', 'settings', `${JSON.stringify(position)} is no position in a topic`)
}
