import type { Kafka } from 'kafkajs'
import { clusterOf } from './fetch-client.ts'

/**
 * Reads what one topic is. kafkajs's admin client would ask for every topic of the cluster each time, and fail when
 * somebody else's has no leader.
 */

export interface SeenTopic {
  readonly partitions: number
  /** Of the partition that has the fewest. */
  readonly replicas: number
  readonly values: ReadonlyMap<string, string>
}

interface Partition {
  readonly partitionId: number
  readonly leader: number
  readonly replicas: readonly number[]
}

/** What of kafkajs's `Cluster` and `Broker` is used. */
interface Cluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  addTargetTopic(topic: string): Promise<void>
  findTopicPartitionMetadata(topic: string): readonly Partition[]
  findBroker(options: { nodeId: number }): Promise<Broker>
}

interface Broker {
  describeConfigs(request: object): Promise<{
    readonly resources: readonly { readonly configEntries: readonly { readonly configName: string; readonly configValue: string | null }[] }[]
  }>
}

/** The protocol's number of a topic among what has settings. */
const topicResource = 2

export class TopicClient {
  readonly #cluster: Cluster
  readonly #topic: string

  constructor(kafka: Kafka, topic: string) {
    this.#cluster = clusterOf(kafka) as unknown as Cluster
    this.#topic = topic
  }

  /** Throws what kafkajs throws, also when the topic is not there. */
  async connect(): Promise<void> {
    await this.#cluster.connect()
    await this.#cluster.addTargetTopic(this.#topic)
  }

  async look(names: readonly string[]): Promise<SeenTopic> {
    const partitions = this.#cluster.findTopicPartitionMetadata(this.#topic)
    const broker = await this.#cluster.findBroker({ nodeId: partitions[0]!.leader })
    const { resources } = await broker.describeConfigs({
      includeSynonyms: false,
      resources: [{ configNames: [...names], name: this.#topic, type: topicResource }],
    })
    const entries = resources.flatMap(({ configEntries }) => configEntries)
    return {
      partitions: partitions.length,
      replicas: Math.min(...partitions.map(({ replicas }) => replicas.length)),
      values: new Map(entries.flatMap(({ configName, configValue }) => (configValue === null ? [] : [[configName, configValue] as const]))),
    }
  }

  /** Never rejects: what is not closed in order is closed by the broker. */
  async disconnect(): Promise<void> {
    await this.#cluster.disconnect().catch(() => {})
  }
}
