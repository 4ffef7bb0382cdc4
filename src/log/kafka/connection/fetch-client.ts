import { TopicConnection, type Broker, type FetchAnswer } from './topic-connection.ts'

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

/** Up to what every replica in sync has; nobody else's open transaction holds it up. */
const readUncommitted = 0
const notAReplica = -1

export class FetchClient extends TopicConnection {
  /** As fresh as the connection. */
  partitions(): readonly number[] {
    return this.cluster.findTopicPartitionMetadata(this.topic).map(({ partitionId }) => partitionId).sort((a, b) => a - b)
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
        topics: [{ topic: this.topic, partitions: asked }],
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
        topics: [{ topic: this.topic, partitions: its.map((partition) => ({ partition, timestamp })) }],
      })
      return responses.flatMap((response) => response.partitions)
    })
    return new Map(answers.map(({ offset, partition }) => [partition, Number(offset)]))
  }

  async #askLeaders<Answer>(
    partitions: readonly number[],
    ask: (broker: Broker, partitions: readonly number[]) => Promise<readonly Answer[]>,
  ): Promise<Answer[]> {
    const byLeader = new Map<number, number[]>()
    for (const { leader, partitionId } of this.cluster.findTopicPartitionMetadata(this.topic)) {
      if (partitions.includes(partitionId)) byLeader.set(leader, [...(byLeader.get(leader) ?? []), partitionId])
    }
    const known = [...byLeader.values()].flat()
    if (known.length < partitions.length) throw missing(this.topic, partitions.filter((partition) => !known.includes(partition)))
    const answers = await Promise.all(
      [...byLeader].map(async ([nodeId, its]) => ask(await this.cluster.findBroker({ nodeId }), its)),
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
