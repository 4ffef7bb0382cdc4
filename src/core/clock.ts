/** The only source of time and timers. Handed in through constructors, so that a simulation can own it. */
export interface Clock {
  /** Wall time, milliseconds since the epoch, an integer. Goes into records; may step. */
  now(): number
  /** Milliseconds since some fixed moment; never goes back. For durations and deadlines. */
  monotonicMs(): number
  /** Runs once after `ms`. Disposing it before that cancels it; disposing it later does nothing. */
  after(ms: number, run: () => void): Timer
  /** Runs every `ms` until disposed. Does not keep the process alive by itself. */
  every(ms: number, run: () => void): Timer
}

export type Timer = Disposable

/** Resolves after `ms`, or at once when `signal` aborts. Never rejects: the caller looks at the signal. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = clock.after(ms, finish)
    function finish(): void {
      signal?.removeEventListener('abort', cancel)
      resolve()
    }
    function cancel(): void {
      timer[Symbol.dispose]()
      resolve()
    }
    signal?.addEventListener('abort', cancel, { once: true })
  })
}

let lastMs = Number.NaN
let lastText = ''

/** RFC 3339 in UTC with exactly three fraction digits, the form of every `time` in a record. */
export function rfc3339(epochMs: number): string {
  // In busy times many records carry the same millisecond.
  if (epochMs !== lastMs) {
    lastText = new Date(epochMs).toISOString()
    lastMs = epochMs
  }
  return lastText
}
