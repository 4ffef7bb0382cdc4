import { epochOf, nodeOf } from '../events/envelope.ts'
import type { NodeReportedData } from '../events/node.ts'
import type { EventOfType, Projection, Recorded } from './projection.ts'

/**
 * Every node of a cluster as it was last heard of: which life it lives or how that ended, and what its totals are.
 * An owned accumulator: steps change the maps in place, because each node reports every few seconds. What they hold is
 * replaced, never changed, so that a copy of the maps is a snapshot.
 */
export type Nodes = Map<string, NodeState>

export interface NodeState {
  readonly node: string
  readonly epoch: string
  readonly run: string
  /** `lost`: without a word, and closed on record since. `retired`: somebody said that it never returns. */
  readonly state: 'lost' | 'retired' | 'running' | 'stopped'
  readonly startedAt: string
  readonly version: string
  /** The last one of this life; null: none yet. */
  readonly report: NodeReport | null
  /** Totals of the epoch, least recently reported first. */
  readonly pools: Map<string, PoolTotals>
  /** The backends that this life sees down, by pool and id. */
  readonly down: Map<string, DownBackend>
  /** Lives before this one that ended without a word and are not closed on record yet, the oldest first; one an epoch. */
  readonly leftOpen: readonly LeftOpenLife[]
}

/** A life that may have left connections open on record. */
export interface LeftOpenLife {
  readonly epoch: string
  readonly run: string
  /** None is older, by the clock of the node. */
  readonly since: string
  /** As it last said; null: unknown. */
  readonly clockSkewMs: number | null
}

export interface NodeReport {
  readonly at: string
  readonly clockSkewMs: number | null
  readonly connectionsOpen: number
  readonly oldestOpen: string | null
  readonly refused: number
  readonly revision: number
  readonly since: string | null
}

export interface PoolTotals {
  readonly backendsDown: number
  readonly bytesToBackend: number
  readonly bytesToClient: number
  readonly closed: number
  readonly connectionsOpen: number
  readonly dialFailures: number
  readonly opened: number
}

export interface DownBackend {
  readonly pool: string
  readonly backend: string
  readonly since: string
  readonly code: string | null
}

/** Names may be new at every start of a container: past this, one that does not run is forgotten. */
export const nodesMax = 1_000
/** Pools come and go: past this the one that was not heard of for the longest time is forgotten. */
const poolsPerNodeMax = 4_096
/** A network that fails takes everything down; how many is in the reports, which ones only so far. */
const downPerNodeMax = 1_000
/** Each is a start with an empty folder that ended without a word before it had closed those before. */
const leftOpenMax = 8

export const nodes: Projection<
  Nodes,
  | 'dev.waybill.health.changed.v1'
  | 'dev.waybill.node.lost.v1'
  | 'dev.waybill.node.reported.v1'
  | 'dev.waybill.node.retired.v1'
  | 'dev.waybill.node.started.v1'
  | 'dev.waybill.node.stopped.v1'
> = {
  name: 'nodes',
  version: 1,
  initial: () => new Map(),
  on: {
    'dev.waybill.health.changed.v1': healthChanged,
    'dev.waybill.node.lost.v1': (state, { event: { data } }) => {
      const known = state.get(data.node)
      if (known === undefined) return state
      // All of an epoch is closed before it is said of any of its lives that it is lost.
      const leftOpen = known.leftOpen.filter(({ epoch }) => epoch !== data.epoch)
      return state.set(data.node, { ...known, state: known.run === data.run ? 'lost' : known.state, leftOpen })
    },
    'dev.waybill.node.reported.v1': reported,
    'dev.waybill.node.retired.v1': (state, { event: { data } }) => {
      const known = state.get(data.node)
      return known === undefined ? state : state.set(data.node, { ...known, state: 'retired', leftOpen: [] })
    },
    'dev.waybill.node.started.v1': (state, { event }) =>
      begin(state, { node: nodeOf(event.source), epoch: epochOf(event.source), run: event.run, startedAt: event.time, version: event.data.versions.waybill }),
    'dev.waybill.node.stopped.v1': (state, { event }) => {
      const known = state.get(nodeOf(event.source))
      if (known === undefined) return state
      if (known.run === event.run) return state.set(known.node, { ...known, state: 'stopped' })
      // Its name was taken over, and it ended in order all the same.
      return state.set(known.node, { ...known, leftOpen: known.leftOpen.filter(({ run }) => run !== event.run) })
    },
  },
}

/** Lives of the node that may have connections open on record, the oldest first; the last one is that of now, if it runs. */
export function openLives({ epoch, leftOpen, report, run, startedAt, state }: NodeState): readonly LeftOpenLife[] {
  if (state !== 'running') return leftOpen
  const earlier = leftOpen.find((life) => life.epoch === epoch)
  const since = report === null ? startedAt : (report.oldestOpen ?? report.at)
  const life = {
    epoch,
    run,
    since: earlier !== undefined && earlier.since < since ? earlier.since : since,
    clockSkewMs: earlier === undefined ? (report?.clockSkewMs ?? null) : null,
  }
  return [...leftOpen.filter((each) => each !== earlier), life]
}

/** Later records change nothing in it. */
export function heldNodes(state: Nodes): Nodes {
  const held = [...state].map(([name, each]) => [name, { ...each, pools: new Map(each.pools), down: new Map(each.down) }] as const)
  return new Map(held)
}

export function downKey(pool: string, backend: string): string {
  return `${pool} ${backend}`
}

type Life = Pick<NodeState, 'epoch' | 'node' | 'run' | 'startedAt' | 'version'>

function begin(state: Nodes, life: Life): Nodes {
  const before = state.get(life.node)
  if (before === undefined && state.size >= nodesMax) forgetOne(state)
  const sameFolder = before?.epoch === life.epoch
  return state.set(life.node, {
    ...life,
    state: 'running',
    report: null,
    pools: sameFolder ? before.pools : new Map<string, PoolTotals>(),
    down: new Map<string, DownBackend>(),
    leftOpen: before === undefined ? [] : bounded(openLives(before)),
  })
}

/** The oldest stays: whoever closes what is open begins to read with it, and finds the others on the way. */
function bounded(lives: readonly LeftOpenLife[]): readonly LeftOpenLife[] {
  return lives.length <= leftOpenMax ? lives : lives.toSpliced(1, lives.length - leftOpenMax)
}

function forgetOne(state: Nodes): void {
  const [oldest] = state.keys()
  const idle = [...state.values()].find((each) => each.state !== 'running')
  state.delete(idle?.node ?? oldest ?? '')
}

function reported(state: Nodes, { event }: Recorded<EventOfType<'dev.waybill.node.reported.v1'>>): Nodes {
  const node = nodeOf(event.source)
  const { run } = event
  const { started_at: startedAt, version } = event.data
  const before = state.get(node)
  if (before?.run !== run) {
    // Somebody who was followed by another life of the same name, and has not noticed yet.
    if (before !== undefined && startedAt <= before.startedAt) return state
    begin(state, { node, epoch: epochOf(event.source), run, startedAt, version })
  }
  const known = state.get(node)!
  for (const pool of event.data.pools) keepNewest(known.pools, pool.pool, totalsOf(pool), poolsPerNodeMax)
  // Whoever reports lives, whatever the others took it for.
  return state.set(node, { ...known, state: 'running', report: reportOf(event.time, event.data) })
}

function healthChanged(state: Nodes, { event }: Recorded<EventOfType<'dev.waybill.health.changed.v1'>>): Nodes {
  const known = state.get(nodeOf(event.source))
  if (known?.run !== event.run) return state
  const { backend, code, pool, to } = event.data
  const key = downKey(pool, backend)
  if (to === 'up') known.down.delete(key)
  else keepNewest(known.down, key, { pool, backend, since: event.time, code }, downPerNodeMax)
  return state
}

function keepNewest<Value>(map: Map<string, Value>, key: string, value: Value, most: number): void {
  map.delete(key)
  map.set(key, value)
  const [oldest] = map.keys()
  if (map.size > most && oldest !== undefined) map.delete(oldest)
}

function reportOf(at: string, data: NodeReportedData): NodeReport {
  return {
    at,
    clockSkewMs: data.clock_skew_ms,
    connectionsOpen: data.connections_open,
    oldestOpen: data.oldest_open,
    refused: data.refused,
    revision: data.revision,
    since: data.since,
  }
}

function totalsOf(pool: NodeReportedData['pools'][number]): PoolTotals {
  return {
    backendsDown: pool.backends_down,
    bytesToBackend: pool.bytes_to_backend,
    bytesToClient: pool.bytes_to_client,
    closed: pool.closed,
    connectionsOpen: pool.connections_open,
    dialFailures: pool.dial_failures,
    opened: pool.opened,
  }
}
