import type { Command } from 'commander'
import type { ServerAnswer } from './api-client.ts'
import { differenceLines, type DryRun } from './differences.ts'
import { printing } from './output.ts'
import { printable } from '../core/printable.ts'
import { callServer, say, type VerbOptions, type VerbPorts } from './verb.ts'

/** What every change has in common: why it is made, on which condition, and that it can be tried out first. */

/** Why it is made. */
export interface ReasonOptions {
  readonly approvedBy?: string
  readonly reason?: string
  readonly requestedBy?: string
  readonly ticket?: string
}

export interface WriteOptions extends ReasonOptions, VerbOptions {
  readonly dryRun: boolean
  readonly idempotencyKey?: string
  readonly ifMatch?: string
}

export interface Write {
  readonly method: 'DELETE' | 'PATCH' | 'POST'
  readonly path: string
  /** Left out for DELETE, which has no body. */
  readonly body?: Readonly<Record<string, unknown>>
  readonly query?: Readonly<Record<string, string>>
  /** What it does, as in "needs a server to ...". */
  readonly purpose: string
  /** One sentence for people, of the body of the answer. */
  readonly done: (body: Readonly<Record<string, unknown>>) => string
  /** For programs, where the answer has no body. */
  readonly result?: object
}

export function withReasons(command: Command): Command {
  return command
    .option('--ticket <TICKET>', 'goes into the record of the change')
    .option('--reason <TEXT>', 'why; goes into the record')
    .option('--requested-by <NAME>', 'who wants it; goes into the record as given')
    .option('--approved-by <NAME>', 'who agreed; goes into the record as given')
}

export function withChange(command: Command): Command {
  return withReasons(command)
    .option('--if-match <REVISION>', 'only if this is still the revision of the pool, or of the listener')
    .option('--idempotency-key <KEY>', 'a repeat with the same key changes nothing and gets the first answer')
    .option('--dry-run', 'show what would be different and how many open connections it touches; change nothing', false)
}

/** Makes the change, or tries it out, and prints what came of it. False after a trial. */
export async function write(ports: VerbPorts, options: WriteOptions, change: Write): Promise<boolean> {
  const query = new URLSearchParams({
    ...change.query,
    ...(change.method === 'DELETE' ? changeFields(options) : {}),
    ...(options.dryRun ? { dry_run: 'true' } : {}),
  })
  const path = query.size === 0 ? change.path : `${change.path}?${query.toString()}`
  const answer = await callServer(options, change.purpose, change.method, path, bodyOf(change, options), headersOf(options))
  const body = (answer.body ?? {}) as Readonly<Record<string, unknown>>
  tellWarnings(ports, body)
  await printing(ports.stdout, options.json, async (output) => {
    if (options.json) await output.object(answer.body === null ? (change.result ?? {}) : body)
    else if (options.dryRun) await output.text(differenceLines(body as unknown as DryRun))
    else await output.text(`${change.done(body)}${repeated(answer)}`)
  })
  return !options.dryRun
}

function bodyOf({ body, method }: Write, options: WriteOptions): object | undefined {
  if (method === 'DELETE') return undefined
  const change = changeFields(options)
  return Object.keys(change).length === 0 ? (body ?? {}) : { ...body, change }
}

/** In the words of the API; only what was given. */
export function changeFields({ approvedBy, reason, requestedBy, ticket }: ReasonOptions): Record<string, string> {
  return {
    ...(approvedBy === undefined ? {} : { approved_by: approvedBy }),
    ...(reason === undefined ? {} : { reason }),
    ...(requestedBy === undefined ? {} : { requested_by: requestedBy }),
    ...(ticket === undefined ? {} : { ticket }),
  }
}

function headersOf({ idempotencyKey, ifMatch }: WriteOptions): Record<string, string> {
  return {
    ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
    // As `show` prints it, or as curl shows it.
    ...(ifMatch === undefined ? {} : { 'if-match': /^[0-9]+$/.test(ifMatch) ? `"${ifMatch}"` : ifMatch }),
  }
}

function tellWarnings(ports: VerbPorts, { warnings }: Readonly<Record<string, unknown>>): void {
  if (Array.isArray(warnings)) for (const warning of warnings) say(ports, `note: ${printable(String(warning))}`)
}

function repeated({ headers }: ServerAnswer): string {
  return headers['idempotent-replayed'] === 'true' ? ' (by an earlier call with the same --idempotency-key)' : ''
}
