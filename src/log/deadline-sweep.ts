import type { Clock, Timer } from '../core/clock.ts'

/** One timer for the deadlines of many appends: a timer for each would cost more than the append. */

/** Deadlines that lie closer together share a sweep. */
const sweepMinMs = 10

export class DeadlineSweep implements Disposable {
  readonly #clock: Clock
  readonly #sweep: (nowMs: number) => number
  #timer: Timer | null = null
  #atMs = Infinity
  #ended = false

  /** `sweep` ends whatever is late and answers the earliest deadline of what is left, Infinity when nothing is. */
  constructor(clock: Clock, sweep: (nowMs: number) => number) {
    this.#clock = clock
    this.#sweep = sweep
  }

  /** There is something with this deadline, on the monotonic clock. */
  by(deadlineMs: number): void {
    if (deadlineMs >= this.#atMs || this.#ended) return
    this.#timer?.[Symbol.dispose]()
    this.#atMs = deadlineMs
    this.#timer = this.#clock.after(Math.max(0, Math.ceil(deadlineMs - this.#clock.monotonicMs())), () => this.#run())
  }

  [Symbol.dispose](): void {
    this.#ended = true
    this.#timer?.[Symbol.dispose]()
  }

  #run(): void {
    this.#atMs = Infinity
    const nowMs = this.#clock.monotonicMs()
    const earliestMs = this.#sweep(nowMs)
    if (earliestMs !== Infinity) this.by(Math.max(earliestMs, nowMs + sweepMinMs))
  }
}
