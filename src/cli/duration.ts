import { InvalidArgumentError } from 'commander'

/** Durations as people write them on a command line: `500ms`, `30s`, `5m`, `2h`, `1d`; a bare number is milliseconds. */

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const form = /^([0-9]{1,12}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)?$/

/** In whole milliseconds; null when the text is none. */
export function durationMs(text: string): number | null {
  const match = form.exec(text)
  if (match === null) return null
  const ms = Math.round(Number(match[1]) * unitsMs[match[2] ?? 'ms']!)
  return Number.isSafeInteger(ms) ? ms : null
}

/** For an option of a verb. */
export function parseDuration(text: string): number {
  const ms = durationMs(text)
  if (ms === null) throw new InvalidArgumentError('Write 500ms, 30s, 5m, 2h or 1d; a bare number is milliseconds.')
  return ms
}

/** 90000 as `90s`: the largest unit that needs no fraction. */
export function durationText(ms: number): string {
  if (ms === 0) return '0s'
  const [unit, size] = Object.entries(unitsMs).findLast(([, size]) => ms % size === 0)!
  return `${ms / size}${unit}`
}
