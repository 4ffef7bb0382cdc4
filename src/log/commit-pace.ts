import type { Clock } from '../core/clock.ts'

/**
 * When the next commit starts. A commit costs the disk and the processor about the same for one record as for a
 * hundred, so records that come close together share one: admissions never wait longer than the gap between two
 * commits, and what is only owed waits for an admission to come along, for a while.
 */

export interface Pace {
  /** Shortest time from the start of a commit to the start of the next one; the first after a pause starts at once. */
  readonly commitGapMs: number
  /** How long records that nobody waits for may wait for company. */
  readonly owedWaitMs: number
}

/** Every commit at once. */
export const noPace: Pace = { commitGapMs: 0, owedWaitMs: 0 }

export class CommitPace {
  readonly #clock: Clock
  readonly #pace: Pace
  #lastStartMs = -Infinity
  #urgent = false
  #hurried = false
  #wake: (() => void) | null = null

  constructor(clock: Clock, pace: Pace) {
    this.#clock = clock
    this.#pace = pace
  }

  /** Somebody waits for a record that has just been queued. */
  admission(): void {
    this.#urgent = true
    this.#wake?.()
  }

  /** From now on nothing waits: the log is closing. */
  hurry(): void {
    this.#hurried = true
    this.#wake?.()
  }

  /** Resolves when the commit of what is queued may start. */
  async turn(): Promise<void> {
    const { commitGapMs, owedWaitMs } = this.#pace
    if (!this.#urgent) await this.#wait(owedWaitMs, () => this.#urgent)
    await this.#wait(this.#lastStartMs + commitGapMs - this.#clock.monotonicMs(), () => false)
    this.#lastStartMs = this.#clock.monotonicMs()
    this.#urgent = false
  }

  async #wait(ms: number, enough: () => boolean): Promise<void> {
    if (ms <= 0 || this.#hurried) return
    const waited = Promise.withResolvers<void>()
    using _timer = this.#clock.after(Math.ceil(ms), waited.resolve)
    this.#wake = () => {
      if (this.#hurried || enough()) waited.resolve()
    }
    await waited.promise
    this.#wake = null
  }
}
