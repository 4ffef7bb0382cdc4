import type { Clock } from './clock.ts'

/**
 * Notices that the wall clock jumped: it was set, or the machine slept. The monotonic clock, which does neither, shows it;
 * both keep the same pace while a time service slews, so that is no jump.
 */

/** Readings further apart say that this thread was stopped between them, which would look like a jump. */
const readingMsMax = 1
const readingsMax = 4

export class ClockSteps {
  readonly #clock: Clock
  readonly #stepMinMs: number
  #aheadMs: number

  /** What is not more than `stepMinMs` from one look to the next is no jump. */
  constructor(clock: Clock, stepMinMs: number) {
    this.#clock = clock
    this.#stepMinMs = stepMinMs
    this.#aheadMs = wallAheadMs(clock)
  }

  /** Wall time minus monotonic time when it was last looked at. */
  get aheadMs(): number {
    return this.#aheadMs
  }

  /** By how many milliseconds the wall clock jumped since the last look (negative: back); 0 when it did not. */
  look(): number {
    const before = this.#aheadMs
    this.#aheadMs = wallAheadMs(this.#clock)
    const byMs = Math.round(this.#aheadMs - before)
    return Math.abs(byMs) > this.#stepMinMs ? byMs : 0
  }
}

function wallAheadMs(clock: Clock): number {
  let aheadMs = 0
  let closestMs = Number.POSITIVE_INFINITY
  for (let readings = 0; readings < readingsMax && closestMs > readingMsMax; readings += 1) {
    const before = clock.monotonicMs()
    const wall = clock.now()
    const tookMs = clock.monotonicMs() - before
    if (tookMs >= closestMs) continue
    closestMs = tookMs
    aheadMs = wall - before - tookMs / 2
  }
  return aheadMs
}
