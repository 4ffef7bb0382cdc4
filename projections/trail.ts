import type { WaybillEvent } from '../events/catalog.ts'
import { zeroHash } from '../events/chain.ts'
import { closingActor } from '../events/connection.ts'
import type { Stream } from '../events/define.ts'
import { nodeOf } from '../events/envelope.ts'
import type { EventOfType, EventType, Projection, Recorded } from './projection.ts'
import { takesEffect, type ConfigurationEvent } from './routing.ts'
import { actorOf, wordsOf, type ToldEvent } from './trail-words.ts'

/**
 * Everything that happened to one pool, backend or connection, or that one actor did: a bounded list of entries, and
 * exact counts of connections. An owned accumulator: steps change it in place, because every connection passes.
 */
export interface Trail {
  readonly about: TrailSubject
  /** Of the last effective change of anything: what tells effective changes from void ones. */
  revision: number
  basis: string
  /** Whether the backend is in its pool at that revision: then the pool's removal is its own. */
  present: boolean
  /** By stream, so that a flood in one leaves the others whole. */
  readonly ends: Readonly<Record<Stream, Ends>>
  readonly counts: ConnectionCounts
}

export type TrailSubject =
  | { readonly kind: 'actor'; readonly id: string }
  | { readonly kind: 'backend'; readonly pool: string; readonly id: string }
  | { readonly kind: 'connection'; readonly id: string }
  | { readonly kind: 'pool'; readonly name: string }

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
  return { name: `trail-${about.kind}`, version: 1, initial: () => emptyTrail(about), on: steps }
}

/**
 * What the bytes of every connections and operations record about it contain one of, so that readers can pass over the
 * others unparsed. Control records have to be folded all: each says which changes took effect.
 */
export function needlesOf(about: TrailSubject): readonly string[] {
  // As canonical JSON spells it: there is one spelling, and a quote inside a text is escaped.
  switch (about.kind) {
    case 'actor': return [JSON.stringify(about.id), JSON.stringify(closingId(about.id))]
    case 'backend': return [JSON.stringify(about.id), JSON.stringify(hostOf(about.id))]
    case 'connection': return [JSON.stringify(about.id)]
    case 'pool': return [JSON.stringify(about.name)]
  }
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
  'dev.waybill.listener.closed.v1': operation,
  'dev.waybill.listener.failed.v1': operation,
  'dev.waybill.log.read.v1': operation,
  'dev.waybill.pool.changed.v1': change,
  'dev.waybill.pool.created.v1': change,
  'dev.waybill.pool.removed.v1': change,
}

function change(trail: Trail, { event, leafHash }: Recorded<EventOfType<ConfigurationEvent['type']>>): Trail {
  const effective = takesEffect(trail, event)
  if (isAbout(trail, event)) enter(trail, 'control', event, effective ? 'effective' : 'void')
  if (!effective) return trail
  trail.revision += 1
  trail.basis = leafHash
  trail.present = presentAfter(trail, event)
  return trail
}

function operation(trail: Trail, { event }: Recorded<ToldEvent>): Trail {
  if (isAbout(trail, event)) enter(trail, 'operations', event)
  return trail
}

function opened(trail: Trail, { event }: Recorded<EventOfType<'dev.waybill.connection.opened.v1'>>): Trail {
  countDialFailures(trail, event.data)
  if (!isAbout(trail, event)) return trail
  trail.counts.opened += 1
  return enter(trail, 'connections', event)
}

/** Of a pool's connections the beginning and the end are told; of one connection everything. */
function progress(trail: Trail, { event }: Recorded<EventOfType<'dev.waybill.connection.progress.v1'>>): Trail {
  return trail.about.kind === 'connection' && isAbout(trail, event) ? enter(trail, 'connections', event) : trail
}

function closed(trail: Trail, { event }: Recorded<EventOfType<'dev.waybill.connection.closed.v1'>>): Trail {
  if (!isAbout(trail, event)) return trail
  const { bytes_to_backend, bytes_to_client, close } = event.data
  trail.counts.closed += 1
  trail.counts.bytesToBackend += bytes_to_backend
  trail.counts.bytesToClient += bytes_to_client
  add(trail.counts.closedBecause, close.because, 1)
  return enter(trail, 'connections', event)
}

function refused(trail: Trail, { event }: Recorded<EventOfType<'dev.waybill.connection.refused.v1'>>): Trail {
  countDialFailures(trail, event.data)
  if (!isAbout(trail, event)) return trail
  add(trail.counts.refused, event.data.because, event.data.count)
  return enter(trail, 'connections', event)
}

function isAbout(trail: Trail, event: ToldEvent): boolean {
  const { about } = trail
  switch (about.kind) {
    case 'actor': return isBy(about.id, event)
    case 'backend': return isOfBackend(about, event, trail.present)
    case 'connection': return 'connection_id' in event.data && event.data.connection_id === about.id
    case 'pool': return poolOf(event) === about.name
  }
}

function isBy(id: string, { data }: ToldEvent): boolean {
  if ('close' in data) return data.close.actor !== null && data.close.actor.id === closingId(id)
  return 'actor' in data && data.actor.id === id
}

function isOfBackend(about: Extract<TrailSubject, { kind: 'backend' }>, event: ToldEvent, present: boolean): boolean {
  const { data, type } = event
  if (type === 'dev.waybill.health.addresses_changed.v1') return data.host === hostOf(about.id)
  if (poolOf(event) !== about.pool) return false
  if (type === 'dev.waybill.pool.created.v1') return data.backends.some(({ id }) => id === about.id)
  if (type === 'dev.waybill.pool.removed.v1') return present
  if (type === 'dev.waybill.connection.refused.v1') return data.attempts.some(({ backend }) => backend === about.id)
  return ('backend' in data && data.backend === about.id) || ('id' in data && data.id === about.id)
}

function presentAfter(trail: Trail, event: EventOfType<ConfigurationEvent['type']>): boolean {
  if (trail.about.kind !== 'backend' || !isOfBackend(trail.about, event, trail.present)) return trail.present
  return event.type !== 'dev.waybill.backend.removed.v1' && event.type !== 'dev.waybill.pool.removed.v1'
}

function poolOf({ data }: WaybillEvent): string | null {
  if ('pool' in data) return data.pool
  return 'name' in data ? data.name : null
}

/** The host name or address of a canonical `host:port`, without brackets. */
function hostOf(id: string): string {
  return id.slice(0, id.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1')
}

/** As closing records spell the id of an actor. */
function closingId(id: string): string {
  return closingActor({ authn: 'none', id, type: 'local' }).id
}

interface Dialled {
  readonly pool: string | null
  readonly attempts: readonly { readonly backend: string; readonly code: string }[]
}

function countDialFailures({ about, counts }: Trail, { attempts, pool }: Dialled): void {
  for (const { backend, code } of attempts) {
    const ours = about.kind === 'pool' ? pool === about.name : about.kind === 'backend' && pool === about.pool && backend === about.id
    if (ours) add(counts.dialFailures, code, 1)
  }
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
    revision: 0,
    basis: zeroHash,
    present: false,
    ends: { control: ends(), connections: ends(), operations: ends() },
    counts: {
      opened: 0, closed: 0, closedBecause: new Map(), refused: new Map(), dialFailures: new Map(), bytesToBackend: 0, bytesToClient: 0,
    },
  }
}
