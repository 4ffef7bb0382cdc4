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

/** Waits for the work, but no longer than that. True when it was done in time; rejects as the work does. */
export async function within(clock: Clock, ms: number, work: Promise<unknown>): Promise<boolean> {
  const patience = new AbortController()
  try {
    return await Promise.race([work.then(() => true), sleep(clock, ms, patience.signal).then(() => false)])
  } finally {
    patience.abort()
  }
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

const rfc3339Form = /^(\d{4}-\d{2}-\d{2})[Tt ](?:[01]\d|2[0-3]):\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})$/

/** Milliseconds since the epoch of an RFC 3339 time in any offset, finer fractions cut; null when the text is none. */
export function instantMs(text: string): number | null {
  const day = rfc3339Form.exec(text)?.[1]
  if (day === undefined) return null
  // Date.parse moves the 30th of February into March.
  const midnightMs = Date.parse(`${day}T00:00:00Z`)
  if (Number.isNaN(midnightMs) || !rfc3339(midnightMs).startsWith(day)) return null
  const ms = Date.parse(text.toUpperCase().replace(' ', 'T'))
  return Number.isNaN(ms) ? null : ms
}
