import type { Stream } from '../../events/define.ts'
import type { Clock } from '../core/clock.ts'

/** How long each stream of the log took no records, the outage of now included. */
export class UnavailableTime {
  readonly #clock: Clock
  /** Of outages that are over. */
  readonly #ms = new Map<Stream, number>()
  readonly #sinceMs = new Map<Stream, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  note(stream: Stream, isAvailable: boolean): void {
    const sinceMs = this.#sinceMs.get(stream)
    if (!isAvailable) {
      if (sinceMs === undefined) this.#sinceMs.set(stream, this.#clock.monotonicMs())
      return
    }
    if (sinceMs === undefined) return
    this.#ms.set(stream, (this.#ms.get(stream) ?? 0) + this.#clock.monotonicMs() - sinceMs)
    this.#sinceMs.delete(stream)
  }

  seconds(stream: Stream): number {
    const sinceMs = this.#sinceMs.get(stream)
    const nowMs = sinceMs === undefined ? 0 : this.#clock.monotonicMs() - sinceMs
    return ((this.#ms.get(stream) ?? 0) + nowMs) / 1_000
  }
}
