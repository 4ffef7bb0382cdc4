import { sleep, type Clock } from '../../core/clock.ts'
import type { KafkaClient } from './client.ts'
import { readPartitions, type PartitionBatch } from './partition-reader.ts'

/** Reads what a topic has now, for command lines: brokers that stay silent end the read instead of being waited for. */

export interface WholeTopic {
  readonly client: KafkaClient
  readonly clock: Clock
  readonly topic: string
}

/** Where the messages of each partition begin, and where they end now. */
export interface TopicEnds {
  readonly earliest: ReadonlyMap<number, number>
  readonly latest: ReadonlyMap<number, number>
}

/** A broker that restarts, or a leader that moves, takes less. */
const patienceMs = 30_000
const triesMax = 10
const retryMs = 500

/** Throws a `Fault`: why the brokers can't be asked, or `TopicReplaced`. */
export async function* readPatiently({ client, clock, topic }: WholeTopic, from: ReadonlyMap<number, number>): AsyncGenerator<PartitionBatch> {
  const gaveUp = new AbortController()
  let problem: unknown = null
  let sinceMs = 0
  const onReachable = (now: unknown): void => {
    if (problem === null) sinceMs = clock.monotonicMs()
    problem = now
    if (problem !== null && clock.monotonicMs() >= sinceMs + patienceMs) gaveUp.abort()
  }
  yield* readPartitions({ client, clock, follow: false, from, onReachable, signal: gaveUp.signal, topic })
  if (gaveUp.signal.aborted) throw client.faultOf(problem)
}

export async function endsOfTopic({ client, clock, topic }: WholeTopic): Promise<TopicEnds> {
  for (let tries = 1; ; tries += 1) {
    const fetcher = client.fetcher(topic)
    try {
      await fetcher.connect()
      const partitions = fetcher.partitions()
      return { earliest: await fetcher.offsets(partitions, 'earliest'), latest: await fetcher.offsets(partitions, 'latest') }
    } catch (error) {
      if (tries >= triesMax) throw client.faultOf(error)
    } finally {
      void fetcher.disconnect()
    }
    // A topic that was made a moment ago is not known to every broker.
    await sleep(clock, retryMs)
  }
}

/** How many messages there are between the ends, at most: brokers number more than messages. */
export function messagesBetween({ earliest, latest }: TopicEnds): number {
  return [...latest].reduce((sum, [partition, end]) => sum + Math.max(0, end - (earliest.get(partition) ?? 0)), 0)
}
