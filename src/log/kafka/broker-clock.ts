import type { Clock } from '../../core/clock.ts'
import { ClockSteps } from '../../core/clock-steps.ts'
import type { BrokerClock } from '../cluster-log.ts'

/**
 * Measures this node's clock by the times at which the broker stored what was sent: storing lies between send and
 * acknowledgement, so half of a round trip is the most that the middle of it is wrong by (RFC 5905 does the same).
 */

export interface AcknowledgedSend {
  /** By `Clock.monotonicMs`, so that a step of the wall clock in between does not matter. */
  readonly sentMonotonicMs: number
  readonly ackedMonotonicMs: number
  /** LogAppendTime of the batch, milliseconds since the epoch. */
  readonly storedMs: number
}

/** Older samples say too little about now. */
const windowMs = 60_000
/** Of each such time only the best sample is kept, so there are never more than 61. */
const slotMs = 1_000
/** The broker's times and our wall clock are cut to whole milliseconds, and so is the answer. */
const resolutionMs = 2
/** How fast two clocks may part: 500 ppm is the most that a kernel's time discipline corrects. */
const driftMsPerMs = 0.0005
/** After a sleep of the machine, which looks the same as a step, samples from before it are wrong. */
const stepMinMs = 50

interface Sample {
  readonly atMs: number
  /** Monotonic time minus the broker's time. */
  readonly aheadMs: number
  readonly uncertaintyMs: number
}

export class SampledBrokerClock implements BrokerClock {
  readonly #clock: Clock
  readonly #steps: ClockSteps
  readonly #listeners = new Set<() => void>()
  /** Oldest first, one for each slot. */
  #samples: Sample[] = []
  #trustedFromMs = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
    this.#steps = new ClockSteps(clock, stepMinMs)
  }

  get skewMs(): number | null {
    const best = this.#best()
    return best === null ? null : Math.round(this.#steps.aheadMs + best.aheadMs)
  }

  get uncertaintyMs(): number | null {
    const best = this.#best()
    return best === null ? null : Math.ceil(uncertaintyAt(best, this.#clock.monotonicMs()))
  }

  onEstimate(listener: () => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  /** Call it as soon as the acknowledgement is there. A topic without LogAppendTime answers -1, which says nothing. */
  sample({ ackedMonotonicMs, sentMonotonicMs, storedMs }: AcknowledgedSend): void {
    this.#forgetIfStepped()
    if (!(storedMs >= 0) || sentMonotonicMs < this.#trustedFromMs) return
    const tookMs = ackedMonotonicMs - sentMonotonicMs
    const sample: Sample = {
      aheadMs: (sentMonotonicMs + ackedMonotonicMs) / 2 - storedMs,
      atMs: ackedMonotonicMs,
      uncertaintyMs: tookMs / 2 + tookMs * driftMsPerMs + resolutionMs,
    }
    this.#keep(sample)
    for (const listener of this.#listeners) listener()
  }

  #keep(sample: Sample): void {
    const newest = this.#samples.at(-1)
    if (newest === undefined || slotOf(newest) !== slotOf(sample)) this.#samples.push(sample)
    else if (sample.uncertaintyMs <= uncertaintyAt(newest, sample.atMs)) this.#samples[this.#samples.length - 1] = sample
    this.#forgetOld()
  }

  #best(): Sample | null {
    this.#forgetIfStepped()
    this.#forgetOld()
    const nowMs = this.#clock.monotonicMs()
    let best: Sample | null = null
    for (const sample of this.#samples) {
      if (best === null || uncertaintyAt(sample, nowMs) <= uncertaintyAt(best, nowMs)) best = sample
    }
    return best
  }

  #forgetOld(): void {
    const sinceMs = this.#clock.monotonicMs() - windowMs
    const kept = this.#samples.findIndex(({ atMs }) => atMs >= sinceMs)
    if (kept !== 0) this.#samples.splice(0, kept < 0 ? this.#samples.length : kept)
  }

  #forgetIfStepped(): void {
    if (this.#steps.look() === 0) return
    this.#samples = []
    this.#trustedFromMs = this.#clock.monotonicMs()
  }
}

function slotOf({ atMs }: Sample): number {
  return Math.floor(atMs / slotMs)
}

function uncertaintyAt({ atMs, uncertaintyMs }: Sample, nowMs: number): number {
  return uncertaintyMs + (nowMs - atMs) * driftMsPerMs
}
