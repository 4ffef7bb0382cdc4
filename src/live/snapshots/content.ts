import { streams, type Stream } from '../../../events/define.ts'
import { Fault } from '../../core/errors.ts'
import type { Disk } from '../../core/disk.ts'
import type { EventLog } from '../../log/event-log.ts'
import type { Routing } from '../../../projections/routing.ts'
import { foldNames, folds, type States } from '../folds.ts'
import { belongsTo, type IntakeState } from '../intake.ts'
import { jsonPieces, parseMapJson } from './map-json.ts'
import { readSnapshotFile, type SnapshotText } from './snapshot-file.ts'

/** What stands in a snapshot's lines, and whether it may be used: made by the same folds, whole, and of this log. */

/** Every state, and how far each stream was taken in for it. */
export interface LiveSnapshot {
  readonly intakes: Readonly<Record<Stream, IntakeState>>
  readonly states: States
}

/** The configuration right after one effective change. */
export interface RoutingSnapshot {
  readonly intake: IntakeState
  readonly routing: Routing
}

/** The first line. Compared as text: any other one is of another version. */
const liveHeader = JSON.stringify({ kind: 'live', folds: foldNames.map((name) => folds[name].version) })
const routingHeader = JSON.stringify({ kind: 'routing', folds: [folds.routing.version] })

export function* liveText({ intakes, states }: LiveSnapshot): SnapshotText & Generator<string> {
  yield `${liveHeader}\n`
  for (const stream of streams) yield* line(intakes[stream])
  for (const name of foldNames) yield* line(states[name])
}

export function* routingText({ intake, routing }: RoutingSnapshot): SnapshotText & Generator<string> {
  yield `${routingHeader}\n`
  yield* line(intake)
  yield* line(routing)
}

export type Usable<Content> = Content | { readonly problem: string }

export function readLive(disk: Disk, path: string, log: Pick<EventLog, 'read'>): Promise<Usable<LiveSnapshot>> {
  return usable(async () => {
    const values = await valuesOf(disk, path, liveHeader, streams.length + foldNames.length)
    if ('problem' in values) return values
    const intakes = Object.fromEntries(streams.map((stream, index) => [stream, values[index]])) as Record<Stream, IntakeState>
    for (const stream of streams) {
      if (!(await belongsTo(log, stream, intakes[stream]))) return { problem: `${stream}: ${strange}` }
    }
    const states = Object.fromEntries(foldNames.map((name, index) => [name, values[streams.length + index]])) as unknown as States
    return { intakes, states }
  })
}

export function readRouting(disk: Disk, path: string, log: Pick<EventLog, 'read'>): Promise<Usable<RoutingSnapshot>> {
  return usable(async () => {
    const values = await valuesOf(disk, path, routingHeader, 2)
    if ('problem' in values) return values
    const [intake, routing] = values as [IntakeState, Routing]
    return (await belongsTo(log, 'control', intake)) ? { intake, routing } : { problem: strange }
  })
}

const strange = 'the log does not hold the record that it ends with'

function* line(value: unknown): Generator<string> {
  yield* jsonPieces(value)
  yield '\n'
}

async function valuesOf(disk: Disk, path: string, header: string, count: number): Promise<Usable<unknown[]>> {
  const lines = await readSnapshotFile(disk, path)
  if ('problem' in lines) return lines
  if (lines[0] !== header) return { problem: `it was made by another version (${lines[0]?.slice(0, 400)})` }
  if (lines.length !== count + 1) return { problem: `it has ${lines.length} lines instead of ${count + 1}` }
  return lines.slice(1).map(parseMapJson)
}

/** What the disk or the log says no to is a reason as well: the log itself is read next, and says what there is to say. */
async function usable<Content>(read: () => Promise<Usable<Content>>): Promise<Usable<Content>> {
  try {
    return await read()
  } catch (error) {
    const ofTheWorld = error instanceof Fault || (error instanceof Error && 'code' in error)
    if (!ofTheWorld) throw error
    return { problem: error.message }
  }
}
