import { Command } from 'commander'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { socketName } from '../api/socket.ts'
import { readDataFolder } from '../config/settings.ts'
import type { Clock } from '../core/clock.ts'
import { Fault } from '../core/errors.ts'
import { systemClock } from '../core/system/clock.ts'
import { call, serverAt, type Server, type ServerAnswer } from './api-client.ts'
import { openFolderLog, type FolderLog } from './folder-log.ts'

/** What every verb has in common: what it is given, where it asks, and how its help looks. */

export interface VerbPorts {
  readonly clock: Clock
  readonly stdout: Writable
  readonly stderr: Writable
  /** Takes the folder's lock for as long as it reads; `verb` says to others what holds it. Throws a `Fault` that says why it can't. */
  openFolder(data: string, verb: string): Promise<FolderLog>
}

export const systemPorts: VerbPorts = {
  clock: systemClock, openFolder: openFolderLog, stderr: process.stderr, stdout: process.stdout,
}

/** How a verb that finds trouble ends: with that code, once all is said. */
export interface ExitPort {
  exit(code: number): void
}

export const systemExit: ExitPort = {
  exit: (code) => {
    process.exitCode = code
  },
}

/** Where a verb asks. */
export interface TargetOptions {
  readonly api?: string
  readonly data?: string
}

export interface VerbOptions extends TargetOptions {
  readonly json: boolean
}

/** A verb with what all of them take. `examples` are whole command lines, for its help. */
export function verb(nameAndArguments: string, description: string, examples: readonly string[]): Command {
  return withTarget(plainVerb(nameAndArguments, description, examples)).option('--json', 'one JSON object a line, for programs', false)
}

export function plainVerb(nameAndArguments: string, description: string, examples: readonly string[]): Command {
  const [name, ...expected] = nameAndArguments.split(' ')
  const command = new Command(name).description(description)
  for (const argument of expected) command.argument(argument)
  return command.addHelpText('after', `\nExample${examples.length > 1 ? 's' : ''}:\n${examples.map((line) => `  ${line}`).join('\n')}`)
}

export function withTarget(command: Command): Command {
  return command
    .option('--data <DIR>', 'the data folder (default: ./data, WAYBILL_DATA)')
    .option('--api <URL>', 'ask the server at this address instead, such as http://127.0.0.1:4000')
}

/** The data folder that is meant, from the flag, the environment, or the default. */
export function dataFolder({ data }: TargetOptions): string {
  return readDataFolder(data === undefined ? {} : { data })
}

export function serverOf(options: TargetOptions): Server {
  return options.api === undefined ? { socketPath: join(dataFolder(options), socketName) } : serverAt(options.api)
}

/** One call of a verb that needs a server. `purpose` completes "needs a server to ...". */
export async function callServer(
  options: TargetOptions,
  purpose: string,
  ...[method, path, body, headers]: [method: string, path: string, body?: object, headers?: Readonly<Record<string, string>>]
): Promise<ServerAnswer> {
  const answer = await call(serverOf(options), method, path, body, headers)
  if (answer === null) throw noServer(options, purpose)
  return answer
}

/** One read. Null when nobody serves the folder, so that its files can be read instead; with `--api` that is a `Fault`. */
export async function readServer(options: TargetOptions, path: string): Promise<ServerAnswer | null> {
  const answer = await call(serverOf(options), 'GET', path)
  if (answer === null && options.api !== undefined) throw noServer(options, 'answer')
  return answer
}

/** The entries of a list of the API, up to `limit`, over as many pages as it takes. Null when nobody serves the folder. */
export async function readPages<Entry>(
  options: TargetOptions,
  path: string,
  query: Readonly<Record<string, string>>,
  field: string,
  limit = Number.POSITIVE_INFINITY,
): Promise<Entry[] | null> {
  const entries: Entry[] = []
  let cursor: string | null = null
  do {
    const size = String(Math.min(pageEntries, limit - entries.length))
    const asked = new URLSearchParams({ ...query, limit: size, ...(cursor === null ? {} : { cursor }) })
    const answer = await readServer(options, `${path}?${asked.toString()}`)
    if (answer === null) return null
    const page = answer.body as Record<string, unknown> & { readonly next_cursor: string | null }
    entries.push(...(page[field] as Entry[]))
    cursor = page.next_cursor
  } while (cursor !== null && entries.length < limit)
  return entries
}

/** The most that the API gives at once. */
const pageEntries = 1_000

export function noServer(options: TargetOptions, purpose: string): Fault {
  if (options.api !== undefined) {
    return new Fault('no_server', 'network', `nobody listens at ${options.api}; start the server, or name its folder with --data DIR`)
  }
  const data = dataFolder(options)
  const message = `no server holds ${data}, and it takes one to ${purpose}; start it with waybill serve --data ${data}, or say where it is with --api URL`
  return new Fault('no_server', 'network', message)
}

/** For what a verb says besides its output. */
export function say({ stderr }: Pick<VerbPorts, 'stderr'>, sentence: string): void {
  stderr.write(`${sentence}\n`)
}

/** `--server-name a --server-name b` */
export function collected(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value]
}

export function encoded(part: string): string {
  return encodeURIComponent(part)
}
