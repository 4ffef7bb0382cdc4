import type { Clock, Timer } from '../clock.ts'

class SystemTimer implements Timer {
  readonly #handle: NodeJS.Timeout
  constructor(handle: NodeJS.Timeout) {
    this.#handle = handle
  }
  [Symbol.dispose](): void {
    clearTimeout(this.#handle)
  }
}

/** The machine's own clock and timers. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (ms, run) => new SystemTimer(setTimeout(run, ms)),
  every: (ms, run) => new SystemTimer(setInterval(run, ms).unref()),
}
