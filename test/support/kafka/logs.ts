import { randomUUID } from 'node:crypto'
import type { Stream } from '../../../events/define.ts'
import type { Clock } from '../../../src/core/clock.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { systemClock } from '../../../src/core/system/clock.ts'
import { SampledBrokerClock } from '../../../src/log/kafka/broker-clock.ts'
import { KafkaClient } from '../../../src/log/kafka/connection/client.ts'
import { patiently } from '../../../src/log/kafka/connection/patience.ts'
import { KafkaLog, type KafkaLogOptions } from '../../../src/log/kafka/kafka-log.ts'
import { topicNames } from '../../../src/log/kafka/topics/topic-rules.ts'
import { partitionCounts, prepareTopics } from '../../../src/log/kafka/topics/topics.ts'
import { fileLogOptions } from '../file-logs.ts'
import type { MemoryDisk } from '../memory-disk.ts'

/** Logs of nodes on a real broker, each with its own disk in memory. */

export interface NodeOnKafka {
  readonly brokers: readonly string[]
  readonly prefix: string
  readonly disk: MemoryDisk
  readonly clock?: Clock
  readonly node?: string
  readonly options?: Partial<KafkaLogOptions>
}

export function kafkaClient(brokers: readonly string[]): KafkaClient {
  return new KafkaClient({ brokers, clientId: 'test', logger: silentLogger })
}

export function openKafkaLog({ brokers, clock = systemClock, disk, node = 'n1', options, prefix }: NodeOnKafka): Promise<KafkaLog> {
  const client = kafkaClient(brokers)
  const wanted = { brokers, partitions: 3, prefix, replicas: null, retentionMs: null }
  return KafkaLog.open({
    ...fileLogOptions(disk, { clock, makeId: randomUUID, node }),
    backlogMax: { ms: 600_000, records: 1_000_000 },
    brokerClock: new SampledBrokerClock(clock),
    client,
    compression: 0,
    durableWhen: 'kafka',
    logger: silentLogger,
    prepareTopics: async () => partitionCounts((await prepareTopics({ client, clock: systemClock }, wanted)).facts),
    takeOver: false,
    topics: topicNames(prefix),
    ...options,
  })
}

export interface TopicRecord {
  readonly sequence: number
  readonly source: string
  readonly label: string
  readonly text: string
}

/** Everything that a topic holds now, in its order, repeats included. */
export function topicRecords(brokers: readonly string[], prefix: string, stream: Stream): Promise<TopicRecord[]> {
  const client = kafkaClient(brokers)
  // A topic that was made anew a moment ago is not there for every broker yet.
  return patiently({ client, clock: systemClock }, () => readTopic(client.fetcher(topicNames(prefix)[stream])))
}

async function readTopic(fetcher: ReturnType<KafkaClient['fetcher']>): Promise<TopicRecord[]> {
  try {
    await fetcher.connect()
    const partitions = fetcher.partitions()
    const at = await fetcher.offsets(partitions, 'earliest')
    const ends = await fetcher.offsets(partitions, 'latest')
    const found: TopicRecord[] = []
    while (partitions.some((partition) => at.get(partition)! < ends.get(partition)!)) {
      for (const { messages, partition } of await fetcher.fetch(at, { bytesMax: 1_048_576, maxWaitMs: 100 })) {
        for (const { offset, value } of messages) {
          at.set(partition, offset + 1)
          const text = value!.toString()
          const record = JSON.parse(text) as { data: { label?: string }; sequence: string; source: string }
          found.push({ label: record.data.label ?? '', sequence: Number(record.sequence), source: record.source, text })
        }
      }
    }
    return found
  } finally {
    void fetcher.disconnect()
  }
}

/** As a reader has them: the first of each number of each source. */
export function withoutRepeats(records: readonly TopicRecord[]): TopicRecord[] {
  const seen = new Set<string>()
  return records.filter(({ sequence, source }) => {
    const key = `${source} ${sequence}`
    return !seen.has(key) && seen.add(key)
  })
}
