import { Command, Option } from 'commander'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { streams, type Stream } from '../../events/define.ts'
import { readSettings } from '../config/settings.ts'
import { socketName } from '../api/socket.ts'
import { errnoOf, Fault, messageOf } from '../core/errors.ts'
import { get, serverAt, type Server } from './api-client.ts'
import { openFolderLog, type FolderLog } from './folder-log.ts'
import { recordLine } from './record-line.ts'

/** `waybill events`: prints records, from the server that holds the data folder or from its files when nobody does. */

export interface EventsPorts {
  readonly stdout: Writable
  /** Takes the folder's lock for as long as it reads. Throws a `Fault` that says why it can't. */
  openFolder(data: string): Promise<FolderLog>
}

interface EventsOptions {
  readonly after?: string
  readonly api?: string
  readonly data?: string
  readonly follow: boolean
  readonly json: boolean
  readonly stream: Stream | 'all'
}

const systemPorts: EventsPorts = { stdout: process.stdout, openFolder: openFolderLog }

export function eventsCommand(ports: EventsPorts = systemPorts): Command {
  return new Command('events')
    .description('Print the records of the log, oldest first')
    .option('--json', 'one record a line, byte for byte as stored, instead of a summary', false)
    .option('--follow', 'go on as records are written, until interrupted', false)
    .addOption(
      new Option('--stream <STREAM>', 'which records').choices([...streams, 'all']).default('all'),
    )
    .option('--after <POSITION>', 'only records after this position of the stream (needs a running server)')
    .option('--data <DIR>', 'the data folder (default: ./data, WAYBILL_DATA)')
    .option('--api <URL>', 'ask the server at this address instead, such as http://127.0.0.1:4000')
    .addHelpText(
      'after',
      '\nExamples:\n  waybill events --stream control\n  waybill events --json --follow --stream connections | jq .data.server_name\n',
    )
    .action(async (options: EventsOptions) => {
      try {
        await printEvents(options, ports)
      } catch (error) {
        // Whoever read the output has seen enough (`| head`).
        if (errnoOf(error) !== 'EPIPE') throw error
      }
    })
}

async function printEvents(options: EventsOptions, ports: EventsPorts): Promise<void> {
  const print = printer(ports.stdout, options.json)
  if (options.api !== undefined) {
    if (await fromServer(serverAt(options.api), options, print)) return
    throw new Fault('no_server', 'network', `nobody listens at ${options.api}; start the server, or read its folder with --data DIR`)
  }
  const { data } = readSettings(options.data === undefined ? {} : { data: options.data })
  if (await fromServer({ socketPath: join(data, socketName) }, options, print)) return
  if (options.follow) {
    throw new Fault('no_server', 'network', `no server holds ${data}, so nothing will be written there; start one, or leave out --follow`)
  }
  if (options.after !== undefined) {
    throw new Fault('no_server', 'settings', `--after needs a running server, and none holds ${data}`)
  }
  await fromFolder(data, options, print, ports)
}

type Print = (bytes: Uint8Array) => Promise<void>

/** False when no server listens there. */
async function fromServer(server: Server, { after, follow, stream }: EventsOptions, print: Print): Promise<boolean> {
  const query = new URLSearchParams({ stream, follow: String(follow), ...(after === undefined ? {} : { after }) })
  const response = await get(server, `/api/events?${query.toString()}`)
  if (response === null) return false
  const lines = new LineSplitter()
  const chunks = (response as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  for (;;) {
    const next = await chunks.next().catch((error: unknown) => {
      throw new Fault('broken_off', 'network', `the server broke off, so this is not all: ${messageOf(error)}`, { cause: error })
    })
    if (next.done) return true
    for (const line of lines.take(next.value)) await print(line)
  }
}

async function fromFolder(data: string, { stream }: EventsOptions, print: Print, ports: EventsPorts): Promise<void> {
  await using log = await ports.openFolder(data)
  for (const one of stream === 'all' ? streams : [stream]) {
    for await (const batch of log.read(one, { after: null, follow: false })) {
      for (const { bytes } of batch) await print(bytes)
    }
  }
}

/** Prints a record and waits while the reader is slower. Rejects with EPIPE when it is gone. */
function printer(stdout: Writable, json: boolean): Print {
  let broken: Error | null = null
  stdout.on('error', (error: Error) => (broken ??= error))
  return async (bytes) => {
    if (broken !== null) throw broken
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    if (!stdout.write(Buffer.concat([json ? text : Buffer.from(recordLine(text.toString())), newline]))) {
      await once(stdout, 'drain')
    }
  }
}

const newline = Buffer.from('\n')

/** Cuts chunks into lines; a record is at most 60,000 bytes, so the rest that waits stays small. */
class LineSplitter {
  #rest: Buffer = Buffer.alloc(0)

  take(chunk: Buffer): Buffer[] {
    const lines: Buffer[] = []
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a)) {
      lines.push(bytes.subarray(0, end))
      bytes = bytes.subarray(end + 1)
    }
    this.#rest = bytes
    return lines
  }
}
