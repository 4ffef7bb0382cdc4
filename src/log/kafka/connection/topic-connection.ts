import type { Kafka } from 'kafkajs'
import { invariant } from '../../../core/errors.ts'

/**
 * One connection to the brokers, about one topic, below what kafkajs offers: the cluster object that its own consumers are
 * built on. Its version is pinned, and a test holds that what is used here is there.
 */

/** What of kafkajs's `Cluster` and `Broker` is used; `error.type` of what they throw is the protocol's error name. */
export interface Cluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  addTargetTopic(topic: string): Promise<void>
  findTopicPartitionMetadata(topic: string): readonly TopicPartition[]
  findBroker(options: { nodeId: number }): Promise<Broker>
}

export interface TopicPartition {
  readonly partitionId: number
  readonly leader: number
  readonly replicas: readonly number[]
}

export interface Broker {
  describeConfigs(request: object): Promise<{
    readonly resources: readonly { readonly configEntries: readonly { readonly configName: string; readonly configValue: string | null }[] }[]
  }>
  fetch(request: object): Promise<{ readonly responses: readonly { readonly partitions: readonly FetchAnswer[] }[] }>
  listOffsets(request: object): Promise<{
    readonly responses: readonly { readonly partitions: readonly { readonly partition: number; readonly offset: string }[] }[]
  }>
}

export interface FetchAnswer {
  readonly partition: number
  readonly highWatermark: string
  readonly messages: readonly {
    readonly offset: string
    readonly timestamp: string
    /** Written by brokers for transactions. */
    readonly isControlRecord?: boolean
    readonly key: Buffer | null
    readonly value: Buffer | null
  }[]
}

export class TopicConnection {
  protected readonly cluster: Cluster
  protected readonly topic: string

  constructor(kafka: Kafka, topic: string) {
    this.cluster = clusterOf(kafka)
    this.topic = topic
  }

  /** Throws what kafkajs throws, also when the topic is not there; then this has to be thrown away. */
  async connect(): Promise<void> {
    await this.cluster.connect()
    await this.cluster.addTargetTopic(this.topic)
  }

  /** Never rejects: what is not closed in order is closed by the broker. */
  async disconnect(): Promise<void> {
    await this.cluster.disconnect().catch(() => {})
  }
}

function clusterOf(kafka: Kafka): Cluster {
  const name = 'private:Kafka:createCluster'
  const symbol = Object.getOwnPropertySymbols(kafka).find(({ description }) => description === name)
  invariant(symbol !== undefined, `this version of kafkajs has no ${name}`)
  const create = (kafka as unknown as Record<symbol, (options: object) => Cluster>)[symbol]
  invariant(create !== undefined, `${name} makes clusters`)
  return create({ allowAutoTopicCreation: false, metadataMaxAge: 300_000 })
}
