import type { Producer } from 'kafkajs'
import { silentLogger } from '../../../src/core/logger.ts'
import { KafkaClient } from '../../../src/log/kafka/connection/client.ts'

/** A client of real brokers whose producers meet what a test says: for moments that no network hits twice. */

/** Of a connection or a send: it goes through, fails, is done and reported as failed, or never ends. */
export type Fate = 'fail' | 'hang' | 'lose' | 'pass'

export class BreakingClient extends KafkaClient {
  /** Asked before each connection of a producer. */
  connecting: () => Fate = () => 'pass'
  /** Asked before each send, by its topic. */
  sending: (topic: string) => Fate = () => 'pass'
  readonly #acknowledged = new Map<string, number>()

  constructor(brokers: readonly string[]) {
    super({ brokers, clientId: 'breaking', logger: silentLogger })
  }

  /** Sends to the topic that the brokers have acknowledged. */
  acknowledged(topic: string): number {
    return this.#acknowledged.get(topic) ?? 0
  }

  override producer(): Producer {
    const producer = super.producer()
    return {
      ...producer,
      connect: () => meet(this.connecting(), () => producer.connect()),
      send: (record) => meet(this.sending(record.topic), async () => {
        const answer = await producer.send(record)
        this.#acknowledged.set(record.topic, this.acknowledged(record.topic) + 1)
        return answer
      }),
    }
  }
}

async function meet<Result>(fate: Fate, work: () => Promise<Result>): Promise<Result> {
  if (fate === 'hang') return new Promise<never>(() => {})
  if (fate === 'pass') return work()
  if (fate === 'lose') await work()
  throw Object.assign(new Error('broken by the test'), { code: 'ECONNRESET', name: 'KafkaJSConnectionError' })
}
