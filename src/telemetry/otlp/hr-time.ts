import type { HrTime } from '@opentelemetry/api'

/** Times and durations as the OpenTelemetry SDK has them. */

const nanosecondsOfSecond = 1_000_000_000

/** Of milliseconds. What a double holds of a time since the epoch is a quarter of a microsecond. */
export function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1_000)
  const nanoseconds = Math.round((ms - seconds * 1_000) * 1_000_000)
  return nanoseconds < nanosecondsOfSecond ? [seconds, nanoseconds] : [seconds + 1, 0]
}
