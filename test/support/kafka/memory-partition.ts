import type { Message, Producer } from 'kafkajs'
import { sourceOf } from '../../../events/envelope.ts'
import type { Clock } from '../../../src/core/clock.ts'
import { Fault } from '../../../src/core/errors.ts'
import type { FileLog } from '../../../src/log/file/file-log.ts'
import type { KafkaClient } from '../../../src/log/kafka/connection/client.ts'
import type { FetchClient, FetchedPartition } from '../../../src/log/kafka/connection/fetch-client.ts'
import type { SourcePlace } from '../../../src/log/kafka/reading/own-records.ts'

/** One partition in memory, for what no broker does when a test wants it. What a client of it does not need, it has not. */

export class MemoryPartition {
  /** Offset of the first message. */
  earliest = 0
  /** Where what was stored since any time begins; null: at the first message. */
  since: number | null = null
  values: Buffer[] = []
  /** Why the next send is refused; null: it is stored. */
  refuses: () => Error | null = () => null
  /** Waited for by whoever asks where the partition ends. */
  asking: () => Promise<void> = async () => {}
  /** A producer is connected when it resolves. */
  connecting: () => Promise<void> = async () => {}
  refused = 0

  /** Deleted, and made anew with these. */
  replace(values: readonly Uint8Array[], earliest = 0): void {
    this.values = values.map((value) => Buffer.from(value))
    this.earliest = earliest
  }

  place(clock: Clock, { writer: { cluster, epoch, node } }: FileLog): SourcePlace {
    return { client: this.#client(), clock, partition: 0, source: sourceOf(cluster, node, epoch, 'connections'), topic: 'topic' }
  }

  get #latest(): number {
    return this.earliest + this.values.length
  }

  #client(): KafkaClient {
    const fetcher: Pick<FetchClient, 'connect' | 'disconnect' | 'fetch' | 'offsets' | 'partitions'> = {
      connect: async () => {},
      disconnect: async () => {},
      fetch: async (from) => this.#fetch(from.get(0)!),
      offsets: (_partitions, at) => this.#offsets(at),
      partitions: () => [0],
    }
    const send = async ({ messages }: { messages: Message[] }): Promise<unknown> => this.#send(messages)
    const producer = { connect: () => this.connecting(), disconnect: async () => {}, send }
    return {
      faultOf: (cause: unknown) => new Fault('kafka_unreachable', 'network', String(cause), { cause }),
      fetcher: () => fetcher as FetchClient,
      producer: () => producer as unknown as Producer,
    } as unknown as KafkaClient
  }

  #fetch(from: number): FetchedPartition[] {
    if (from < this.earliest || from > this.#latest) throw protocolError('OFFSET_OUT_OF_RANGE')
    const messages = this.values.slice(from - this.earliest).map((value, index) => ({ key: null, offset: from + index, storedMs: 0, value }))
    return [{ end: this.#latest, messages, next: messages.length === 0 ? null : this.#latest, partition: 0 }]
  }

  async #offsets(at: Parameters<FetchClient['offsets']>[1]): Promise<Map<number, number>> {
    await this.asking()
    return new Map([[0, at === 'latest' ? this.#latest : at === 'earliest' ? this.earliest : (this.since ?? this.earliest)]])
  }

  #send(messages: readonly Message[]): { readonly baseOffset: string }[] {
    const problem = this.refuses()
    if (problem !== null) {
      this.refused += 1
      throw problem
    }
    const baseOffset = String(this.#latest)
    this.values.push(...messages.map(({ value }) => Buffer.from(value as Buffer)))
    return [{ baseOffset }]
  }
}

export function protocolError(type: string): Error {
  return Object.assign(new Error(type), { name: 'KafkaJSProtocolError', type })
}
