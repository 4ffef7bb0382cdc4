import { InvalidArgumentError, Option, type Command } from 'commander'
import { streams, type Stream } from '../../events/define.ts'
import { Fault } from '../core/errors.ts'
import { recordFilter, type RecordFilter } from '../live/record-filter.ts'
import { readFolder } from './folder-records.ts'
import { momentForm, momentText } from './moment.ts'
import { printing, type Output } from './output.ts'
import { isTerminal, progressOf } from './progress.ts'
import { recordLine } from './record-line.ts'
import { openPages, openRecords } from './server-records.ts'
import { dataFolder, noServer, say, systemPorts, verb, type VerbOptions, type VerbPorts } from './verb.ts'

/** `waybill events`: prints records, from the server that holds the data folder or from its files when nobody does. */

interface EventsOptions extends VerbOptions, RecordFilter {
  readonly after?: string
  readonly follow: boolean
  readonly limit?: number
  readonly stream: Stream | 'all'
}

export function eventsCommand(ports: VerbPorts = systemPorts): Command {
  return verb('events', 'Print the records of the log, oldest first', [
    'waybill events --stream control --from -1h',
    'waybill events --type connection.closed --pool payments --from 2026-11-24T08:00:00Z --to 2026-11-24T09:00:00Z',
    'waybill events --json --follow --after now --stream connections | jq .data.server_name',
  ])
    .addOption(new Option('--stream <STREAM>', 'which records').choices([...streams, 'all']).default('all'))
    .option('--type <TYPE>', 'a type or the front of one: connection, pool.changed')
    .option('--subject <SUBJECT>', 'what they are about; with * at the end the front of it: backends/payments/*')
    .option('--pool <POOL>', 'only those that name this pool; waybill trail also tells when a listener stops sending clients there')
    .option('--backend <BACKEND>', 'only those that name this backend, host:port')
    .option('--connection <ID>', 'only those of this connection')
    .option('--actor <ID>', 'only what this actor did')
    .option('--from <TIME>', `this moment and later: ${momentForm}`)
    .option('--to <TIME>', 'before this moment')
    .option('--limit <NUMBER>', 'the first so many', parseLimit)
    .option('--after <POSITION>', 'only records after this position; with a server also now, to follow what is new')
    .option('--follow', 'go on as records are written, until interrupted', false)
    .action(async (options: EventsOptions) => {
      await printing(ports.stdout, options.json, async (output) => printEvents(options, ports, output))
    })
}

async function printEvents(options: EventsOptions, ports: VerbPorts, output: Output): Promise<void> {
  let printed = 0
  for await (const record of await recordsOf(options, ports)) {
    await output.bytes(Buffer.concat([options.json ? record : Buffer.from(recordLine(record.toString())), newline]))
    printed += 1
  }
  if (options.follow && printed !== options.limit) say(ports, 'The server has stopped, so this is all for now.')
}

async function recordsOf(options: EventsOptions, ports: VerbPorts): Promise<AsyncIterable<Buffer>> {
  const { after, follow, stream } = options
  const filter = filterOf(options, ports)
  const position = after === undefined ? {} : { after }
  const query = { stream, ...position, ...(filter as Record<string, string>) }
  const served = await openServed(options, ports, query)
  if (served !== null) return counted(served, ports)
  if (options.api !== undefined || follow) throw noServer(options, 'follow what is written')
  if (after !== undefined && stream === 'all') {
    throw new Fault('stream_missing', 'settings', '--after: in files a position belongs to one stream; say which with --stream')
  }
  const read = stream === 'all' ? streams : [stream]
  const found = readFolder(ports, { data: dataFolder(options), matches: recordFilter(filter), streams: read, verb: 'events', ...position })
  return first(found, options.limit)
}

/** With a limit page by page, which says where to go on; a follower is left when it has enough. */
async function openServed(options: EventsOptions, ports: VerbPorts, query: Record<string, string>): Promise<AsyncIterable<Buffer> | null> {
  const { follow, limit } = options
  if (limit === undefined || follow) {
    const records = await openRecords(options, { ...query, follow: String(follow) })
    return records && first(records, limit)
  }
  return openPages(options, query, limit, (position) => say(ports, `Go on with --after '${position}'`))
}

async function* first(records: AsyncIterable<Buffer>, limit = Number.POSITIVE_INFINITY): AsyncGenerator<Buffer> {
  let left = limit
  for await (const record of records) {
    yield record
    left -= 1
    if (left === 0) return
  }
}

/** Where what is printed shows how far it is, a line about that would only be in the way. */
async function* counted(records: AsyncIterable<Buffer>, ports: VerbPorts): AsyncGenerator<Buffer> {
  using progress = progressOf(ports, 'records', null, isTerminal(ports.stdout))
  for await (const record of records) {
    progress.add(1)
    yield record
  }
}

/** Only what was asked for, times in full. */
function filterOf({ actor, backend, connection, from, pool, subject, to, type }: EventsOptions, { clock }: VerbPorts): RecordFilter {
  return {
    ...(actor === undefined ? {} : { actor }),
    ...(backend === undefined ? {} : { backend }),
    ...(connection === undefined ? {} : { connection }),
    ...(from === undefined ? {} : { from: momentText(clock, '--from', from) }),
    ...(pool === undefined ? {} : { pool }),
    ...(subject === undefined ? {} : { subject }),
    ...(to === undefined ? {} : { to: momentText(clock, '--to', to) }),
    ...(type === undefined ? {} : { type }),
  }
}

const newline = Buffer.from('\n')

function parseLimit(text: string): number {
  if (/^[1-9][0-9]{0,11}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Write a whole number from 1 up.')
}
