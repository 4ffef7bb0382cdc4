import type { Stream } from '../../../events/define.ts'
import { NotWritten, Unsettled } from '../../../src/log/event-log.ts'
import type { KafkaLog } from '../../../src/log/kafka/kafka-log.ts'
import { draft } from '../drafts.ts'

/** Appends to a log without a pause, as clients come, and keeps what became of each. */

const gapMs = 5
const timeoutMs = 20_000

export class Appender {
  readonly acknowledged: string[] = []
  readonly unsettled: string[] = []
  readonly refused: string[] = []
  readonly #log: KafkaLog
  readonly #stream: Stream
  readonly #going = new Set<Promise<void>>()
  readonly #running: Promise<void>
  #count = 0
  #stopped = false

  constructor(log: KafkaLog, stream: Stream) {
    this.#log = log
    this.#stream = stream
    this.#running = this.#run()
  }

  /** Resolves when everything is answered. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
    await Promise.all(this.#going)
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const work: Promise<void> = this.#append(`${this.#stream} ${(this.#count += 1)}`).finally(() => this.#going.delete(work))
      this.#going.add(work)
      await new Promise((resolve) => setTimeout(resolve, gapMs))
    }
  }

  async #append(label: string): Promise<void> {
    try {
      await this.#log.append(this.#stream, [draft(label)], { purpose: 'admission', timeoutMs })
      this.acknowledged.push(label)
    } catch (error) {
      if (error instanceof NotWritten) this.refused.push(label)
      else if (error instanceof Unsettled) this.unsettled.push(label)
      else throw error
    }
  }
}
