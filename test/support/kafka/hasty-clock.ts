import type { Clock } from '../../../src/core/clock.ts'
import { systemClock } from '../../../src/core/system/clock.ts'

/** Waits that are seconds take a part of that; what time it is stays true. `aheadMs`: the wall clock is wrong by that. */
export function hastyClock(times: number, aheadMs = 0): Clock {
  return {
    now: () => systemClock.now() + aheadMs,
    monotonicMs: () => systemClock.monotonicMs() * times,
    after: (ms, run) => systemClock.after(ms / times, run),
    every: (ms, run) => systemClock.every(ms / times, run),
  }
}
