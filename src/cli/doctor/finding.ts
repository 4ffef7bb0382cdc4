/** What one check of `waybill doctor` found: how it stands, in a sentence, and what to do about it. */

export type Level = 'ok' | 'problem' | 'unknown' | 'warning'

export interface Finding {
  readonly check: string
  readonly level: Level
  readonly sentence: string
  /** What to do; null when nothing needs to be done. */
  readonly action: string | null
}

export function ok(check: string, sentence: string): Finding {
  return { check, level: 'ok', sentence, action: null }
}

export function warning(check: string, sentence: string, action: string): Finding {
  return { check, level: 'warning', sentence, action }
}

export function problem(check: string, sentence: string, action: string): Finding {
  return { check, level: 'problem', sentence, action }
}

/** It can't be told from here, which is neither good nor bad. */
export function unknown(check: string, sentence: string, action: string): Finding {
  return { check, level: 'unknown', sentence, action }
}
