import type { Clock, Timer } from '../../core/clock.ts'
import type { CommitFailure } from '../commit-store.ts'
import type { StreamGates } from './stream-gates.ts'

/**
 * Closes the streams of a node when its fetches find no brokers: one whose clients are few would else learn it from the
 * first of them, who waits for nothing.
 */

/** A leader of control that moves is back by then. */
const awayMs = 2_000

export class BrokersGate implements Disposable {
  readonly #clock: Clock
  readonly #gates: StreamGates
  #timer: Timer | null = null

  constructor(clock: Clock, gates: StreamGates) {
    this.#clock = clock
    this.#gates = gates
  }

  /** Null: they answer. */
  note(trouble: CommitFailure | null): void {
    if (trouble !== null) {
      this.#timer ??= this.#clock.after(awayMs, () => this.#set(trouble))
      return
    }
    if (this.#timer === null) return
    this[Symbol.dispose]()
    this.#set(null)
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]()
    this.#timer = null
  }

  #set(reason: CommitFailure | null): void {
    for (const stream of ['connections', 'operations'] as const) this.#gates.set(stream, 'brokers', reason)
  }
}
