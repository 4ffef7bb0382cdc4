import { z } from 'zod'
import { parseEndpoint, parsePort } from '../core/endpoint.ts'

/** How the text of a flag or environment variable becomes a value: one zod schema for each kind of setting. */

export type Unit = 'bytes' | 'ms' | 'connections' | 'days' | 'partitions' | 'records' | 'replicas' | null

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

export function path(most = 4_096) {
  return z.string().min(1, 'must not be empty').max(most, most === 4_096 ? 'is longer than any path' : `may have at most ${most} characters`).refine((text) => !text.includes('\0'), 'must not hold a zero byte')
}

/** `kafka-1:9092,kafka-2:9092`: hosts by name or IP address, each with its port, none twice. */
export function hostsWithPorts(most: number) {
  return z.string().max(hostsTextMax, `may have at most ${hostsTextMax} characters`).transform((text, context) => {
    const hosts = text.split(',').map((host) => host.trim())
    const problem = hosts.length > most ? `names more than ${most} hosts` : (hosts.map(hostProblem).find((found) => found !== null) ?? twice(hosts))
    if (problem === null) return hosts
    context.addIssue({ code: 'custom', message: problem })
    return z.NEVER
  })
}

/** As long as a declaration file may spell a setting. */
const hostsTextMax = 1_000

function hostProblem(text: string): string | null {
  const match = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?):([^:]*)$/.exec(text)
  if (match === null) return `"${text}" is not host:port; write it such as kafka-1:9092 or [2001:db8::1]:9092, more than one with commas between them`
  const port = parsePort(match[2]!)
  return 'problem' in port ? `in "${text}", ${port.problem}` : null
}

function twice(hosts: readonly string[]): string | null {
  const again = hosts.find((host, index) => hosts.indexOf(host) !== index)
  return again === undefined ? null : `names ${again} twice`
}

/** A name that others choose, such as a user's: printable, without line breaks. */
export function printableText(most: number) {
  return z
    .string()
    .regex(/^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+$/u, 'must not be empty, and holds printable characters only')
    .max(most, `may have at most ${most} characters`)
}

export function choice<const Words extends readonly [string, ...string[]]>(words: Words) {
  return z.enum(words, { error: (issue) => `"${String(issue.input)}" is none of ${words.join(', ')}` })
}
