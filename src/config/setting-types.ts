import { z } from 'zod'
import { parseEndpoint } from '../core/endpoint.ts'

/** How the text of a flag or environment variable becomes a value: one zod schema for each kind of setting. */

export type Unit = 'bytes' | 'ms' | 'connections' | null

export interface Setting<Schema extends z.ZodType = z.ZodType> {
  readonly schema: Schema
  /** As a person would write it; null: decided elsewhere, the description says where. */
  readonly default: string | null
  readonly unit: Unit
  readonly description: string
  /** What a person may write, for help and documents. */
  readonly form: string
}

export function endpoint() {
  return z.string().transform((text, context) => {
    const parsed = parseEndpoint(text)
    if ('value' in parsed) return parsed.value
    context.addIssue({ code: 'custom', message: parsed.problem })
    return z.NEVER
  })
}

/** Decimal digits, underscores allowed between them as in 600_000. */
export function integer(least: number, most: number) {
  return z.string().transform((text, context) => {
    const value = /^[0-9]+(?:_[0-9]+)*$/.test(text) ? Number(text.replaceAll('_', '')) : Number.NaN
    if (value >= least && value <= most) return value
    context.addIssue({ code: 'custom', message: `"${text}" is not a whole number from ${least} to ${most}` })
    return z.NEVER
  })
}

export function yesOrNo() {
  return z.string().transform((text, context) => {
    if (text === 'true' || text === 'false') return text === 'true'
    context.addIssue({ code: 'custom', message: `"${text}" is neither true nor false` })
    return z.NEVER
  })
}

/** A name that stands in every record's source, between slashes. */
export function name(most: number) {
  return z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'may hold letters, digits, ".", "_" and "-", and starts with a letter or digit')
    .max(most, `may have at most ${most} characters`)
}

export function path() {
  return z.string().min(1, 'must not be empty').max(4_096, 'is longer than any path').refine((text) => !text.includes('\0'), 'must not hold a zero byte')
}

export function choice<const Words extends readonly [string, ...string[]]>(words: Words) {
  return z.enum(words, { error: (issue) => `"${String(issue.input)}" is none of ${words.join(', ')}` })
}
