import type { Stream } from '../../../events/define.ts'
import type { Clock } from '../../core/clock.ts'
import { DeadlineSweep } from '../deadline-sweep.ts'
import { Unsettled, type Appended } from '../event-log.ts'

/** Appends of a node that are settled only when the cluster has them, each for as long as its caller waits. */

/** Resolves when the cluster has what is on this disk. Null: nothing waits for that. */
export type Confirm = ((appended: readonly Appended[]) => Promise<readonly Appended[]>) | null

interface Waiting {
  readonly stream: Stream
  readonly deadlineMs: number
  readonly settled: PromiseWithResolvers<readonly Appended[]>
  /** Until then only the node's own log may refuse it, which knows whether it was written. */
  onDisk: boolean
}

export class Confirmations {
  readonly #deadlines: DeadlineSweep
  readonly #waiting = new Set<Waiting>()
  #ended = false

  constructor(clock: Clock) {
    this.#deadlines = new DeadlineSweep(clock, (nowMs) => this.#sweep(nowMs))
  }

  /**
   * Settles as `confirm` does, or as `local`, the append to the node's own log, when that rejects. Rejects with
   * `Unsettled` at the deadline (on the monotonic clock), or at `end`: what is on this disk will be in Kafka.
   */
  confirmed(stream: Stream, local: Promise<readonly Appended[]>, deadlineMs: number, confirm: Confirm): Promise<readonly Appended[]> {
    const waiting = { deadlineMs, onDisk: false, settled: Promise.withResolvers<readonly Appended[]>(), stream }
    this.#waiting.add(waiting)
    void this.#carry(waiting, local, confirm)
    return waiting.settled.promise
  }

  /** Resolves when all that wait now are settled. */
  async idle(): Promise<void> {
    await Promise.allSettled(Array.from(this.#waiting, ({ settled }) => settled.promise))
  }

  /** Nothing is confirmed from here on. */
  end(): void {
    this.#ended = true
    this.#deadlines[Symbol.dispose]()
    for (const waiting of this.#waiting) if (waiting.onDisk) this.#refuse(waiting, 'the log was closed')
  }

  async #carry(waiting: Waiting, local: Promise<readonly Appended[]>, confirm: Confirm): Promise<void> {
    try {
      const appended = await local
      if (confirm === null) return waiting.settled.resolve(appended)
      waiting.onDisk = true
      if (this.#ended) this.#refuse(waiting, 'the log was closed')
      else this.#deadlines.by(waiting.deadlineMs)
      waiting.settled.resolve(await confirm(appended))
    } catch (error) {
      waiting.settled.reject(error)
    } finally {
      this.#waiting.delete(waiting)
    }
  }

  /** Answers the earliest deadline that is left. */
  #sweep(nowMs: number): number {
    let earliestMs = Infinity
    for (const waiting of this.#waiting) {
      if (!waiting.onDisk) continue
      if (waiting.deadlineMs > nowMs) earliestMs = Math.min(earliestMs, waiting.deadlineMs)
      else this.#refuse(waiting, 'it takes too long')
    }
    return earliestMs
  }

  #refuse(waiting: Waiting, because: string): void {
    this.#waiting.delete(waiting)
    waiting.settled.reject(new Unsettled(`on this node's disk for the ${waiting.stream} stream, and not confirmed by Kafka: ${because}`))
  }
}
