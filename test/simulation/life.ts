import type { Clock, Timer } from '../../src/core/clock.ts'
import type { Schedule } from './schedule.ts'
import type { SeededRandom } from './seeded-random.ts'

/**
 * One process life of the simulated node: its clock, and the moment of its death. Every call to the outside passes
 * `touch`, so that a crash can come at any of them; afterwards nothing that its code still does has any effect.
 */
export class Life {
  readonly number: number
  readonly bornMs: number
  dead = false
  /** Timers that would still run. */
  timers = 0
  /** Calls to the outside so far. */
  calls = 0
  /** The call at which it dies. */
  crashAtCall = Infinity
  readonly #onCrash: () => void

  constructor(number: number, bornMs: number, onCrash: () => void) {
    this.number = number
    this.bornMs = bornMs
    this.#onCrash = onCrash
  }

  /** False: the process is dead, and the call has no effect. */
  touch(): boolean {
    if (this.dead) return false
    this.calls += 1
    if (this.calls >= this.crashAtCall) this.#onCrash()
    return !this.dead
  }
}

/** Wall time of the world, which an administrator may step. */
export class WallClock {
  readonly #schedule: Schedule
  #offsetMs = Date.UTC(2026, 10, 24, 8)

  constructor(schedule: Schedule) {
    this.#schedule = schedule
  }
  now(): number {
    return this.#offsetMs + Math.floor(this.#schedule.nowMs)
  }
  step(ms: number): void {
    this.#offsetMs += ms
  }
}

/** Timers are late by up to this much, as on a machine. */
const lateMsMax = 1

export class LifeClock implements Clock {
  readonly #life: Life
  readonly #schedule: Schedule
  readonly #wall: WallClock
  readonly #random: SeededRandom

  constructor(life: Life, schedule: Schedule, wall: WallClock, random: SeededRandom) {
    this.#life = life
    this.#schedule = schedule
    this.#wall = wall
    this.#random = random
  }

  now(): number {
    return this.#wall.now()
  }
  monotonicMs(): number {
    return this.#schedule.nowMs - this.#life.bornMs
  }
  after(ms: number, run: () => void): Timer {
    return this.#start(ms, false, run)
  }
  every(ms: number, run: () => void): Timer {
    return this.#start(ms, true, run)
  }

  #start(ms: number, again: boolean, run: () => void): Timer {
    const life = this.#life
    if (life.dead) return { [Symbol.dispose]: () => {} }
    let pending: Disposable | null = null
    life.timers += 1
    const stop = (): void => {
      if (pending === null) return
      pending[Symbol.dispose]()
      pending = null
      if (!life.dead) life.timers -= 1
    }
    const wait = (): void => {
      pending = this.#schedule.after(ms + this.#random.float() * lateMsMax, () => {
        if (!life.touch()) return
        if (again) wait()
        else stop()
        run()
      })
    }
    wait()
    return { [Symbol.dispose]: stop }
  }
}
