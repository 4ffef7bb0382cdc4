import type { Clock } from '../../../core/clock.ts'
import type { KafkaClient } from '../connection/client.ts'
import { Patience, patiently } from '../connection/patience.ts'
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

/** Throws a `Fault`: why the brokers can't be asked, or `TopicReplaced`. */
export async function* readPatiently({ client, clock, topic }: WholeTopic, from: ReadonlyMap<number, number>): AsyncGenerator<PartitionBatch> {
  const patience = new Patience({ client, clock })
  yield* readPartitions({ client, clock, follow: false, from, onReachable: (problem) => patience.look(problem), topic })
}

/** Throws a `Fault` that says why the brokers can't be asked. */
export function endsOfTopic({ client, clock, topic }: WholeTopic): Promise<TopicEnds> {
  return patiently({ client, clock }, async () => {
    const fetcher = client.fetcher(topic)
    try {
      await fetcher.connect()
      const partitions = fetcher.partitions()
      return { earliest: await fetcher.offsets(partitions, 'earliest'), latest: await fetcher.offsets(partitions, 'latest') }
    } finally {
      void fetcher.disconnect()
    }
  })
}

/** How many messages there are between the ends, at most: brokers number more than messages. */
export function messagesBetween({ earliest, latest }: TopicEnds): number {
  return [...latest].reduce((sum, [partition, end]) => sum + Math.max(0, end - (earliest.get(partition) ?? 0)), 0)
}
