import type { Command } from 'commander'
import { trailDocument, type TrailDocument } from '../../projections/trail-document.ts'
import type { TrailSubject } from '../../projections/trail-subject.ts'
import { streams } from '../../events/define.ts'
import { sharedListener } from '../../projections/listeners.ts'
import { Fault } from '../core/errors.ts'
import { readTrail } from '../live/read-trail.ts'
import { printing, type Output } from './output.ts'
import { printable } from '../core/printable.ts'
import { progressOf } from './progress.ts'
import { bytesText, table, type Cell } from './table.ts'
import { dataFolder, readServer, systemPorts, verb, type VerbOptions, type VerbPorts } from './verb.ts'

/** `waybill trail`: everything that happened to one pool, backend, listener or connection, or that one actor did. */

/** As the API answers it. */
interface TrailAnswer extends TrailDocument {
  readonly changes_end: string | null
}

export function trailCommand(ports: VerbPorts = systemPorts): Command {
  return verb('trail <SUBJECT>', 'Show everything that happened to a pool, backend, listener or connection, or that an actor did', [
    'waybill trail pools/payments',
    'waybill trail backends/payments/10.0.4.11:8443',
    'waybill trail listeners/shared',
    'waybill trail connections/0199e3c1-7a52-7000-8000-000000000001',
    'waybill trail actors/loopback --json | jq .entries[].outcome',
  ]).action(async (subject: string, options: VerbOptions) => {
    const trail = await trailOfSubject(ports, options, subjectOf(subject))
    await printing(ports.stdout, options.json, async (output) => {
      if (output.json) await output.object(trail)
      else await show(output, subject, trail)
    })
  })
}

/** As records spell their subjects. */
function subjectOf(text: string): TrailSubject {
  const [kind, first, ...rest] = text.split('/')
  const remainder = rest.join('/')
  if (first !== undefined && first !== '') {
    if (kind === 'pools' && rest.length === 0) return { kind: 'pool', name: first }
    if (kind === 'backends' && remainder !== '') return { kind: 'backend', pool: first, id: remainder }
    if (kind === 'listeners' && (first === sharedListener ? rest.length === 0 : first === 'pools' && isName(rest))) {
      return { kind: 'listener', name: [first, ...rest].join('/') }
    }
    if (kind === 'connections' && rest.length === 0) return { kind: 'connection', id: first }
    if (kind === 'actors') return { kind: 'actor', id: [first, ...rest].join('/') }
  }
  const message = `"${text}" is no subject; write pools/NAME, backends/POOL/HOST:PORT, listeners/shared, listeners/pools/NAME, connections/ID or actors/ID`
  throw new Fault('subject_invalid', 'settings', message)
}

function isName(rest: readonly string[]): boolean {
  return rest.length === 1 && rest[0] !== ''
}

async function trailOfSubject(ports: VerbPorts, options: VerbOptions, about: TrailSubject): Promise<TrailAnswer> {
  const answer = await readServer(options, `/api/trail?${queryOf(about).toString()}`)
  if (answer !== null) return answer.body as TrailAnswer
  await using log = await ports.openFolder(dataFolder(options), 'trail')
  using progress = progressOf(ports, 'records read', streams.reduce((sum, stream) => sum + log.count(stream), 0))
  const { changesEnd, trail } = await readTrail(log, about, { onRead: (_stream, records) => progress.add(records) })
  return { ...trailDocument(trail), changes_end: changesEnd }
}

function queryOf(about: TrailSubject): URLSearchParams {
  switch (about.kind) {
    case 'actor': return new URLSearchParams({ actor: about.id })
    case 'backend': return new URLSearchParams({ backend: `${about.pool}/${about.id}` })
    case 'connection': return new URLSearchParams({ connection: about.id })
    case 'listener': return new URLSearchParams({ listener: about.name })
    case 'pool': return new URLSearchParams({ pool: about.name })
  }
}

async function show(output: Output, subject: string, { changes_end: end, connections, entries, left_out: leftOut }: TrailAnswer): Promise<void> {
  if (entries.length === 0) {
    await output.text(`Nothing is on record of ${printable(subject)}.`)
    return
  }
  await output.text(table(output.stream, ['TIME', 'SUBJECT', 'WHAT', 'BY', 'REVISION'], entries.map(entryRow)))
  const more = streams.filter((stream) => leftOut[stream] > 0).map((stream) => `${leftOut[stream]} of ${stream}`)
  if (more.length > 0) await output.text(`Left out between the first and the last ones: ${more.join(', ')}. waybill events shows all.`)
  if (end !== null) await output.text(`Changes are told only up to a point: ${printable(end)}.`)
  if (connections.opened + connections.closed + Object.keys(connections.refused).length > 0) await output.text(countsText(connections))
}

function entryRow({ actor, effect, outcome, revision, subject, time }: TrailDocument['entries'][number]): Cell[] {
  const change = revision === null ? null : effect === 'void' ? { text: `${revision} (void)`, tone: 'warn' as const } : String(revision)
  return [time, subject, outcome, actor, change]
}

function countsText(counts: TrailDocument['connections']): string {
  const of = (reasons: Readonly<Record<string, number>>): string => {
    const each = Object.entries(reasons).map(([reason, count]) => `${printable(reason)} ${count}`)
    return each.length === 0 ? 'none' : each.join(', ')
  }
  return [
    `Connections: ${counts.opened} opened; closed: ${of(counts.closed_because)}; refused: ${of(counts.refused)}; failed dials: ${of(counts.dial_failures)}.`,
    `Bytes: ${bytesText(counts.bytes_to_backend)} to backends, ${bytesText(counts.bytes_to_client)} to clients.`,
  ].join('\n')
}
