import { instantMs, rfc3339, type Clock } from '../core/clock.ts'
import { Fault } from '../core/errors.ts'
import { durationMs } from './duration.ts'

/** Moments as people write them: RFC 3339, `-15m` for a quarter of an hour ago, `now`, and where it fits a revision. */

export const momentForm = 'RFC 3339, such as 2026-11-24T08:00:00Z, or -15m for a quarter of an hour ago'

/** In RFC 3339. `option` is named when the text is no moment. */
export function momentText(clock: Clock, option: string, text: string): string {
  const ms = momentMs(clock, text)
  if (ms === null) throw new Fault('moment_invalid', 'settings', `${option}: "${text}" is no moment; write ${momentForm}`)
  return rfc3339(ms)
}

/** A revision as it is, a moment in RFC 3339. */
export function revisionOrMoment(clock: Clock, option: string, text: string): string {
  if (isRevision(text)) return text
  const ms = momentMs(clock, text)
  if (ms === null) throw new Fault('moment_invalid', 'settings', `${option}: "${text}" is neither a revision nor a moment; write a number, or ${momentForm}`)
  return rfc3339(ms)
}

export function isRevision(text: string): boolean {
  return /^[0-9]{1,15}$/.test(text)
}

function momentMs(clock: Clock, text: string): number | null {
  if (text === 'now') return clock.now()
  if (!text.startsWith('-')) return instantMs(text)
  const ago = durationMs(text.slice(1))
  return ago === null ? null : Math.max(0, clock.now() - ago)
}
