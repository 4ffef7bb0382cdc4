import type { Environment } from './settings.ts'

/** How the text of an OTEL_* variable becomes a value: what is wrong with it is noted, and reading goes on. */

export interface OtelReading {
  readonly environment: Environment
  readonly problems: string[]
  readonly notices: string[]
}

/** Null: not set. Blanks around it don't count, as for the exporters. */
export function textOf({ environment }: Pick<OtelReading, 'environment'>, variable: string): string | null {
  const text = environment[variable]?.trim()
  return text === undefined || text === '' ? null : text
}

export function wordOf<const Word extends string>(reading: OtelReading, variable: string, words: readonly Word[], otherwise: NoInfer<Word>): Word {
  const text = textOf(reading, variable)
  if (text === null) return otherwise
  const found = words.find((word) => word === text.toLowerCase())
  if (found !== undefined) return found
  reading.problems.push(`${variable}: ${shown(text)} is not supported; write ${words.join(' or ')}, or leave it out.`)
  return otherwise
}

export interface Bounds {
  readonly least: number
  readonly most: number
  readonly otherwise: number
}

export function wholeNumberOf(reading: OtelReading, variable: string, bounds: Bounds): number {
  return read(reading, variable, bounds, /^[0-9]{1,15}$/, 'a whole number')
}

export function numberOf(reading: OtelReading, variable: string, bounds: Bounds): number {
  return read(reading, variable, bounds, /^(?:[0-9]{1,15}(?:\.[0-9]*)?|\.[0-9]+)(?:e-?[0-9]{1,3})?$/i, 'a number')
}

function read(reading: OtelReading, variable: string, { least, most, otherwise }: Bounds, form: RegExp, what: string): number {
  const text = textOf(reading, variable)
  if (text === null) return otherwise
  const value = form.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  reading.problems.push(`${variable}: ${shown(text)} is not ${what} from ${least} to ${most}.`)
  return otherwise
}

/** Long enough to recognise one's own mistake. */
const shownMax = 80

/** Only of variables that hold no secret. */
export function shown(text: string): string {
  return JSON.stringify(text.length > shownMax ? `${text.slice(0, shownMax)}…` : text)
}
