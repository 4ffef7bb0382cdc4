import type { Kafka } from 'kafkajs'
import { invariant } from '../../core/errors.ts'

/**
 * Reads partitions from given offsets, which kafkajs offers to consumer groups only: no group, no coordinator, no
 * rebalance. Built on the connections that its own consumers are built on; its version is pinned, and a test holds that
 * what is used here is there.
 */

export interface FetchedMessage {
  readonly offset: number
  /** When the broker stored it (the topics are LogAppendTime), milliseconds since the epoch. */
  readonly storedMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
}

export interface FetchedPartition {
  readonly partition: number
  /** From the asked offset on, oldest first. */
  readonly messages: readonly FetchedMessage[]
  /** Behind everything that came, also what is no message: where to fetch on. Null: nothing came. */
  readonly next: number | null
  /** Behind the last message that every replica in sync has. */
  readonly end: number
}

export interface FetchOptions {
  /** The broker answers with nothing after so long without a message. */
  readonly maxWaitMs: number
  readonly bytesMax: number
}

/** What of kafkajs's `Cluster` and `Broker` is used; `error.type` of what they throw is the protocol's error name. */
interface Cluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  addTargetTopic(topic: string): Promise<void>
  findTopicPartitionMetadata(topic: string): readonly { readonly partitionId: number; readonly leader: number }[]
  findBroker(options: { nodeId: number }): Promise<Broker>
}

interface Broker {
  fetch(request: object): Promise<{ readonly responses: readonly { readonly partitions: readonly FetchAnswer[] }[] }>
  listOffsets(request: object): Promise<{
    readonly responses: readonly { readonly partitions: readonly { readonly partition: number; readonly offset: string }[] }[]
  }>
}

interface FetchAnswer {
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

/** Up to what every replica in sync has; nobody else's open transaction holds it up. */
const readUncommitted = 0
const notAReplica = -1

export class FetchClient {
  readonly #cluster: Cluster
  readonly #topic: string

  constructor(kafka: Kafka, topic: string) {
    this.#cluster = clusterOf(kafka)
    this.#topic = topic
  }

  /** Throws what kafkajs throws; then this client has to be thrown away. */
  async connect(): Promise<void> {
    await this.#cluster.connect()
    await this.#cluster.addTargetTopic(this.#topic)
  }

  /** As fresh as the connection. */
  partitions(): readonly number[] {
    return this.#cluster.findTopicPartitionMetadata(this.#topic).map(({ partitionId }) => partitionId).sort((a, b) => a - b)
  }

  /** From one offset of each partition on; those without news may be missing. */
  async fetch(from: ReadonlyMap<number, number>, { bytesMax, maxWaitMs }: FetchOptions): Promise<FetchedPartition[]> {
    const answers = await this.#askLeaders([...from.keys()], async (broker, partitions) => {
      const asked = partitions.map((partition) => ({ partition, fetchOffset: from.get(partition), maxBytes: bytesMax }))
      const { responses } = await broker.fetch({
        isolationLevel: readUncommitted,
        maxBytes: bytesMax,
        maxWaitTime: maxWaitMs,
        minBytes: 1,
        replicaId: notAReplica,
        topics: [{ topic: this.#topic, partitions: asked }],
      })
      return responses.flatMap((response) => response.partitions)
    })
    return answers.map((answer) => ({
      end: Number(answer.highWatermark),
      messages: messagesOf(answer, from.get(answer.partition) ?? 0),
      next: answer.messages.length === 0 ? null : Number(answer.messages.at(-1)!.offset) + 1,
      partition: answer.partition,
    }))
  }

  /** Of each partition: the offset of the first message, the one behind the last, or of the first that was stored at or after a time. */
  async offsets(partitions: readonly number[], at: 'earliest' | 'latest' | { readonly storedSinceMs: number }): Promise<Map<number, number>> {
    const timestamp = at === 'earliest' ? '-2' : at === 'latest' ? '-1' : String(at.storedSinceMs)
    const answers = await this.#askLeaders(partitions, async (broker, its) => {
      const { responses } = await broker.listOffsets({
        isolationLevel: readUncommitted,
        replicaId: notAReplica,
        topics: [{ topic: this.#topic, partitions: its.map((partition) => ({ partition, timestamp })) }],
      })
      return responses.flatMap((response) => response.partitions)
    })
    return new Map(answers.map(({ offset, partition }) => [partition, Number(offset)]))
  }

  /** Never rejects: what is not closed in order is closed by the broker. */
  async disconnect(): Promise<void> {
    await this.#cluster.disconnect().catch(() => {})
  }

  async #askLeaders<Answer>(
    partitions: readonly number[],
    ask: (broker: Broker, partitions: readonly number[]) => Promise<readonly Answer[]>,
  ): Promise<Answer[]> {
    const byLeader = new Map<number, number[]>()
    for (const { leader, partitionId } of this.#cluster.findTopicPartitionMetadata(this.#topic)) {
      if (partitions.includes(partitionId)) byLeader.set(leader, [...(byLeader.get(leader) ?? []), partitionId])
    }
    const known = [...byLeader.values()].flat()
    if (known.length < partitions.length) throw missing(this.#topic, partitions.filter((partition) => !known.includes(partition)))
    const answers = await Promise.all(
      [...byLeader].map(async ([nodeId, its]) => ask(await this.#cluster.findBroker({ nodeId }), its)),
    )
    return answers.flat()
  }
}

/** As a broker would say it: kafkajs leaves such partitions out without a word. */
function missing(topic: string, partitions: readonly number[]): Error {
  const error = new Error(`the brokers know no partition ${partitions.join(', ')} of ${topic}`)
  return Object.assign(error, { name: 'KafkaJSProtocolError', type: 'UNKNOWN_TOPIC_OR_PARTITION' })
}

function messagesOf({ messages }: FetchAnswer, from: number): FetchedMessage[] {
  const found: FetchedMessage[] = []
  for (const { isControlRecord, key, offset, timestamp, value } of messages) {
    // A batch comes whole, also where only its end was asked for.
    if (Number(offset) >= from && isControlRecord !== true) found.push({ key, offset: Number(offset), storedMs: Number(timestamp), value })
  }
  return found
}

export function clusterOf(kafka: Kafka): Cluster {
  const name = 'private:Kafka:createCluster'
  const symbol = Object.getOwnPropertySymbols(kafka).find(({ description }) => description === name)
  invariant(symbol !== undefined, `this version of kafkajs has no ${name}`)
  const create = (kafka as unknown as Record<symbol, (options: object) => Cluster>)[symbol]
  invariant(create !== undefined, `${name} makes clusters`)
  return create({ allowAutoTopicCreation: false, metadataMaxAge: 300_000 })
}
