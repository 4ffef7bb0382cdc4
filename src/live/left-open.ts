import { epochOf, nodeOf, type Draft } from '../../events/envelope.ts'
import { NodeLost } from '../../events/node.ts'
import { openLives, type LeftOpenLife, type NodeState } from '../../projections/nodes.ts'
import { openConnections, type OpenConnection, type OpenConnections } from '../../projections/open-connections.ts'
import { apply, type EventOfType } from '../../projections/projection.ts'
import { instantMs } from '../core/clock.ts'
import type { ClusterLog, ClusterReadOptions } from '../log/cluster-log.ts'
import type { Drafts } from '../log/drafts.ts'
import type { AppendOptions } from '../log/event-log.ts'
import { ClusterIntake } from './cluster-intake.ts'
import { closeLost } from './lost-records.ts'

/**
 * What a node that can't say it itself left open: read from the cluster, since its own folder is gone or out of reach,
 * and closed on record by another node, or by a newcomer of the same name. By connection id, so doing it twice says it
 * twice and changes nothing.
 */

/** Records of what a node did right before its last report may be stored this much earlier than they say. */
const marginMs = 60_000
/** The same when nobody knows how wrong the clock of that node was. */
const marginUnknownClockMs = 3_600_000
const handledTypes = Object.keys(openConnections.on) as (keyof typeof openConnections.on)[]
type HandledEvent = EventOfType<(typeof handledTypes)[number]>

/** An open connection with the log folder that it is on record in. */
export interface LeftOpen extends OpenConnection {
  readonly epoch: string
}

export interface LeftOpenParts {
  readonly log: Pick<ClusterLog, 'append' | 'readAll' | 'writer'>
  /** Ends the read before its end: then what it gives is not all. */
  readonly signal?: AbortSignal
}

/**
 * What is open on record of a node, in epochs other than `exceptEpoch`. As many as that node can have open at once are
 * held in memory, nothing else. Nothing is read when all of it is known to be closed.
 */
export async function leftOpenOf({ log, signal }: LeftOpenParts, lost: NodeState, exceptEpoch: string | null): Promise<readonly LeftOpen[]> {
  const lives = livesOf(lost, exceptEpoch)
  if (lives.length === 0) return []
  const from = { storedSinceMs: Math.max(0, Math.min(...lives.map(startOf))) }
  const intake = new ClusterIntake(log.writer.cluster, 'connections', handledTypes)
  const epochs = new Map<string, OpenConnections>()
  const options: ClusterReadOptions = { from, node: lost.node, follow: false, ...(signal === undefined ? {} : { signal }) }
  for await (const { records } of log.readAll('connections', options)) {
    for (const record of records) {
      const recorded = intake.take<HandledEvent>(record)
      if (recorded === null || nodeOf(recorded.event.source) !== lost.node) continue
      const epoch = epochOf(recorded.event.source)
      if (epoch === exceptEpoch) continue
      epochs.set(epoch, apply(openConnections, epochs.get(epoch) ?? openConnections.initial(), recorded))
    }
  }
  return [...epochs].flatMap(([epoch, open]) => [...open.values()].map((each) => ({ ...each, epoch })))
}

export interface CloseLeftOpen extends LeftOpenParts {
  readonly drafts: Drafts
  /** As the view has the node. */
  readonly lost: NodeState
  readonly options: AppendOptions
}

/**
 * For a newcomer that lives under the name of a node whose folder it has not got: closes what that one left open and
 * says that it was lost. Resolves with how many connections were closed, once their records are durable; rejects as the
 * log's `append`.
 */
export async function closeLeftOpenOf({ drafts, log, lost, options, signal }: CloseLeftOpen): Promise<number> {
  const left = await leftOpenOf({ log, ...(signal === undefined ? {} : { signal }) }, lost, log.writer.epoch)
  if (signal?.aborted) return 0
  await closeLost({ drafts, log }, left, null, options)
  const [first, ...others] = lostDrafts(drafts, lost, left, log.writer.epoch)
  if (first !== undefined) await log.append('operations', [first, ...others], options)
  return left.length
}

/** One for each process life that left something open, and for each that ended without a word. */
export function lostDrafts(drafts: Drafts, lost: NodeState, left: readonly LeftOpen[], exceptEpoch: string | null): Draft[] {
  const lives = new Map<string, { readonly epoch: string; readonly connections: number }>()
  for (const { epoch, run } of livesOf(lost, exceptEpoch)) lives.set(run, { epoch, connections: 0 })
  for (const { epoch, run } of left) lives.set(run, { epoch, connections: (lives.get(run)?.connections ?? 0) + 1 })
  return [...lives].map(([run, { connections, epoch }]) =>
    drafts.make(NodeLost, `nodes/${lost.node}`, { connections_closed: connections, epoch, node: lost.node, run }),
  )
}

function livesOf(lost: NodeState, exceptEpoch: string | null): readonly LeftOpenLife[] {
  return openLives(lost).filter(({ epoch }) => epoch !== exceptEpoch)
}

/** By the broker's clock, milliseconds since the epoch. */
function startOf({ clockSkewMs, since }: LeftOpenLife): number {
  const sinceMs = instantMs(since) ?? 0
  return clockSkewMs === null ? sinceMs - marginUnknownClockMs : sinceMs - clockSkewMs - marginMs
}
