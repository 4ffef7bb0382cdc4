import type { Stream } from '../events/define.ts'
import { nodeOf } from '../events/envelope.ts'
import { apply, type EventOfType, type EventType, type Projection, type Recorded } from './projection.ts'
import { routing, type ConfigurationEvent, type Routing } from './routing.ts'
import { isAbout, isDialOf, type TrailSubject } from './trail-subject.ts'
import { actorOf, wordsOf, type ToldEvent } from './trail-words.ts'

/**
 * Everything that happened to one pool, backend, listener or connection, or that one actor did: a bounded list of
 * entries, and exact counts of connections. An owned accumulator: steps change it in place, because every connection
 * passes.
 */
export interface Trail {
  readonly about: TrailSubject
  /** After the changes so far: it tells effective ones from void ones, and what the next one ends. */
  routing: Routing
  /** By stream, so that a flood in one leaves the others whole. */
  readonly ends: Readonly<Record<Stream, Ends>>
  readonly counts: ConnectionCounts
}

export interface TrailEntry {
  readonly time: string
  readonly type: EventType
  readonly subject: string
  /** Who did it; null: the node itself, or a client. */
  readonly actor: string | null
  readonly node: string
  /** In words. */
  readonly outcome: string
  /** Of a change: the revision that it asked for, and whether it got it. */
  readonly revision: number | null
  readonly effect: 'effective' | 'void' | null
  readonly recordId: string
}

/** The first ones and the last ones: how it began and what happened lately; of a flood between them, the number. */
export interface Ends {
  readonly first: TrailEntry[]
  readonly last: TrailEntry[]
  leftOut: number
}

export interface ConnectionCounts {
  opened: number
  closed: number
  readonly closedBecause: Map<string, number>
  /** Clients, by reason. */
  readonly refused: Map<string, number>
  /** By errno name or timeout, whatever became of the client. */
  readonly dialFailures: Map<string, number>
  bytesToBackend: number
  bytesToClient: number
}

/** Entries of one stream that are kept at most. */
export const entriesFirstMax = 100
export const entriesLastMax = 400

export function trailOf(about: TrailSubject): Projection<Trail, ToldEvent['type']> {
  return { name: `trail-${about.kind}`, version: 2, initial: () => emptyTrail(about), on: steps }
}

const steps: Projection<Trail, ToldEvent['type']>['on'] = {
  'dev.waybill.access.denied.v1': operation,
  'dev.waybill.access.granted.v1': operation,
  'dev.waybill.backend.added.v1': change,
  'dev.waybill.backend.changed.v1': change,
  'dev.waybill.backend.drained.v1': change,
  'dev.waybill.backend.removed.v1': change,
  'dev.waybill.backend.resumed.v1': change,
  'dev.waybill.config.applied.v1': change,
  'dev.waybill.connection.closed.v1': closed,
  'dev.waybill.connection.opened.v1': opened,
  'dev.waybill.connection.progress.v1': progress,
  'dev.waybill.connection.refused.v1': refused,
  'dev.waybill.health.addresses_changed.v1': operation,
  'dev.waybill.health.changed.v1': operation,
  'dev.waybill.health.drain_completed.v1': operation,
  'dev.waybill.listener.bound.v1': operation,
  'dev.waybill.listener.changed.v1': change,
  'dev.waybill.listener.closed.v1': operation,
  'dev.waybill.listener.failed.v1': operation,
  'dev.waybill.log.read.v1': operation,
  'dev.waybill.node.retired.v1': operation,
  'dev.waybill.pool.changed.v1': change,
  'dev.waybill.pool.created.v1': change,
  'dev.waybill.pool.removed.v1': change,
}

function change(trail: Trail, recorded: Recorded<EventOfType<ConfigurationEvent['type']>>): Trail {
  const { event } = recorded
  const before = trail.routing
  trail.routing = apply(routing, before, recorded)
  if (!isAbout(trail.about, event, before)) return trail
  return enter(trail, 'control', event, trail.routing.revision > before.revision ? 'effective' : 'void')
}

function operation(trail: Trail, { event }: Recorded<ToldEvent>): Trail {
  if (isAbout(trail.about, event, trail.routing)) enter(trail, 'operations', event)
  return trail
}

function opened(trail: Trail, { event }: Recorded<EventOfType<'dev.waybill.connection.opened.v1'>>): Trail {
  countDialFailures(trail, event.data)
  if (!isAbout(trail.about, event, trail.routing)) return trail
  trail.counts.opened += 1
  return enter(trail, 'connections', event)
}

/** Of a pool's connections the beginning and the end are told; of one connection everything. */
function progress(trail: Trail, { event }: Recorded<EventOfType<'dev.waybill.connection.progress.v1'>>): Trail {
  return trail.about.kind === 'connection' && isAbout(trail.about, event, trail.routing) ? enter(trail, 'connections', event) : trail
}

function closed(trail: Trail, { event }: Recorded<EventOfType<'dev.waybill.connection.closed.v1'>>): Trail {
  if (!isAbout(trail.about, event, trail.routing)) return trail
  const { bytes_to_backend, bytes_to_client, close } = event.data
  trail.counts.closed += 1
  trail.counts.bytesToBackend += bytes_to_backend
  trail.counts.bytesToClient += bytes_to_client
  add(trail.counts.closedBecause, close.because, 1)
  return enter(trail, 'connections', event)
}

function refused(trail: Trail, { event }: Recorded<EventOfType<'dev.waybill.connection.refused.v1'>>): Trail {
  countDialFailures(trail, event.data)
  if (!isAbout(trail.about, event, trail.routing)) return trail
  add(trail.counts.refused, event.data.because, event.data.count)
  return enter(trail, 'connections', event)
}

function countDialFailures({ about, counts }: Trail, { attempts, ...dialled }: Dialled): void {
  for (const { backend, code } of attempts) if (isDialOf(about, dialled, backend)) add(counts.dialFailures, code, 1)
}

interface Dialled {
  readonly listener: string
  readonly pool: string | null
  readonly attempts: readonly { readonly backend: string; readonly code: string }[]
}

function enter(trail: Trail, stream: Stream, event: ToldEvent, effect: TrailEntry['effect'] = null): Trail {
  const ends = trail.ends[stream]
  const kept = ends.first.length < entriesFirstMax ? ends.first : ends.last
  kept.push({
    time: event.time,
    type: event.type,
    subject: event.subject,
    actor: actorOf(event),
    node: nodeOf(event.source),
    outcome: wordsOf(event),
    revision: event.revision ?? null,
    effect,
    recordId: event.id,
  })
  if (ends.last.length > entriesLastMax) {
    ends.last.shift()
    ends.leftOut += 1
  }
  return trail
}

function add(counts: Map<string, number>, key: string, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count)
}

function emptyTrail(about: TrailSubject): Trail {
  const ends = (): Ends => ({ first: [], last: [], leftOut: 0 })
  return {
    about,
    routing: routing.initial(),
    ends: { control: ends(), connections: ends(), operations: ends() },
    counts: {
      opened: 0, closed: 0, closedBecause: new Map(), refused: new Map(), dialFailures: new Map(), bytesToBackend: 0, bytesToClient: 0,
    },
  }
}
