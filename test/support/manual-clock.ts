import { setImmediate as turn } from 'node:timers/promises'
import type { Clock, Timer } from '../../src/core/clock.ts'

interface ManualTimer {
  dueMs: number
  readonly everyMs: number | null
  readonly run: () => void
}

/** A clock that moves only when told to, so that a test of timeouts waits for nothing. */
export class ManualClock implements Clock {
  #elapsedMs = 0
  #wallMs: number
  #timers: ManualTimer[] = []

  constructor(wallMs: number = Date.UTC(2026, 10, 24, 8)) {
    this.#wallMs = wallMs
  }

  now(): number {
    return this.#wallMs + Math.floor(this.#elapsedMs)
  }
  monotonicMs(): number {
    return this.#elapsedMs
  }
  after(ms: number, run: () => void): Timer {
    return this.#add(ms, null, run)
  }
  every(ms: number, run: () => void): Timer {
    return this.#add(ms, ms, run)
  }

  /** Timers that would still run. */
  get pending(): number {
    return this.#timers.length
  }

  /** Moves the wall clock alone, as an administrator does. */
  step(ms: number): void {
    this.#wallMs += ms
  }

  /** Runs everything that becomes due, in order, each at its own time. */
  advance(ms: number): void {
    const untilMs = this.#elapsedMs + ms
    while (this.#runNext(untilMs)) continue
    this.#elapsedMs = untilMs
  }

  /** As `advance`, and lets what each timer started get as far as it can before the next one runs. */
  async run(ms: number): Promise<void> {
    const untilMs = this.#elapsedMs + ms
    await this.settled()
    while (this.#runNext(untilMs)) await this.settled()
    this.#elapsedMs = untilMs
    await this.settled()
  }

  /** What a turn of time waits for: a test with real parts outside of this process waits for them as well. */
  settled(): Promise<void> {
    return settled()
  }

  #runNext(untilMs: number): boolean {
    const next = this.#timers.reduce<ManualTimer | null>(
      (earliest, timer) => (earliest === null || timer.dueMs < earliest.dueMs ? timer : earliest),
      null,
    )
    if (next === null || next.dueMs > untilMs) return false
    this.#elapsedMs = Math.max(this.#elapsedMs, next.dueMs)
    if (next.everyMs === null) this.#timers = this.#timers.filter((timer) => timer !== next)
    else next.dueMs += next.everyMs
    next.run()
    return true
  }

  #add(ms: number, everyMs: number | null, run: () => void): Timer {
    const timer = { dueMs: this.#elapsedMs + ms, everyMs, run }
    this.#timers.push(timer)
    return { [Symbol.dispose]: () => void (this.#timers = this.#timers.filter((each) => each !== timer)) }
  }
}

/** Lets promises that wait for nothing outside of this process run to their end. */
export async function settled(): Promise<void> {
  for (let turns = 0; turns < 3; turns += 1) await turn()
}
