import type { WaybillEvent } from '../events/catalog.ts'
import { closingActor } from '../events/connection.ts'
import type { EventOf } from '../events/define.ts'
import type { ListenerChanged } from '../events/listener.ts'
import { listenerCases } from '../events/values.ts'
import { answerIn, hasListener, listenerName, ownPoolOf } from './listeners.ts'
import type { Routing } from './routing.ts'
import type { ToldEvent } from './trail-words.ts'

/** What a trail can be of, and which records are about that: some only together with the configuration before them. */

export type TrailSubject =
  | { readonly kind: 'actor'; readonly id: string }
  | { readonly kind: 'backend'; readonly pool: string; readonly id: string }
  | { readonly kind: 'connection'; readonly id: string }
  /** `shared`, or `pools/<name>`. */
  | { readonly kind: 'listener'; readonly name: string }
  | { readonly kind: 'pool'; readonly name: string }

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
    case 'listener': return [`"listener":${JSON.stringify(about.name)}`]
    case 'pool': return [JSON.stringify(about.name)]
  }
}

/** `before`: the configuration that the record found. */
export function isAbout(about: TrailSubject, event: ToldEvent, before: Routing): boolean {
  switch (about.kind) {
    case 'actor': return isBy(about.id, event)
    case 'backend': return isOfBackend(about, event, before)
    case 'connection': return 'connection_id' in event.data && event.data.connection_id === about.id
    case 'listener': return isOfListener(about.name, event, before)
    case 'pool': return poolOf(event) === about.name || turnsClients(about.name, event, before)
  }
}

interface Dialled {
  readonly listener: string
  readonly pool: string | null
}

/** Whether a dial of `backend` for such a client is counted. */
export function isDialOf(about: TrailSubject, { listener, pool }: Dialled, backend: string): boolean {
  switch (about.kind) {
    case 'backend': return pool === about.pool && backend === about.id
    case 'listener': return listener === about.name
    case 'pool': return pool === about.name
    default: return false
  }
}

function isBy(id: string, { data }: ToldEvent): boolean {
  if ('close' in data) return data.close.actor !== null && data.close.actor.id === closingId(id)
  return 'actor' in data && data.actor.id === id
}

function isOfBackend(about: Extract<TrailSubject, { kind: 'backend' }>, event: ToldEvent, before: Routing): boolean {
  const { data, type } = event
  if (type === 'dev.waybill.health.addresses_changed.v1') return data.host === hostOf(about.id)
  if (poolOf(event) !== about.pool) return false
  if (type === 'dev.waybill.pool.created.v1') return data.backends.some(({ id }) => id === about.id)
  // While it is there, the end of its pool is its own.
  if (type === 'dev.waybill.pool.removed.v1') return before.pools.get(about.pool)?.backends.has(about.id) === true
  if (type === 'dev.waybill.connection.refused.v1') return data.attempts.some(({ backend }) => backend === about.id)
  return ('backend' in data && data.backend === about.id) || ('id' in data && data.id === about.id)
}

/** Changes of the listener; of a pool also what brings about, moves or ends its own, or gives the shared one its default. */
function isOfListener(listener: string, { data, type }: ToldEvent, before: Routing): boolean {
  const own = ownPoolOf(listener)
  switch (type) {
    case 'dev.waybill.pool.created.v1':
      return own === null ? data.default_route : data.name === own && data.listen !== null
    case 'dev.waybill.pool.changed.v1':
      return own === null ? data.set.default_route !== undefined : data.name === own && data.set.listen !== undefined
    case 'dev.waybill.pool.removed.v1':
      return own === null ? data.name === before.defaultRoute : data.name === own && hasListener(before, listener)
    default:
      return 'listener' in data && data.listener === listener
  }
}

/** Whether clients of some listener come to the pool by it, or no longer do. */
function turnsClients(pool: string, { data, type }: ToldEvent, before: Routing): boolean {
  switch (type) {
    case 'dev.waybill.listener.changed.v1':
      return data.listener === listenerName(pool) || turnsCase(pool, data, before)
    // The policy of a pool's own listener goes with the pool, and with its address.
    case 'dev.waybill.pool.removed.v1':
      return isNamedIn(before, listenerName(data.name), pool)
    case 'dev.waybill.pool.changed.v1':
      return data.set.listen === null && isNamedIn(before, listenerName(data.name), pool)
    default:
      return false
  }
}

/** To the pool or from it, in one of the cases that are set; also where that takes the place of the default route. */
function turnsCase(pool: string, { listener, set }: EventOf<typeof ListenerChanged>['data'], before: Routing): boolean {
  const own = ownPoolOf(listener)
  const untouched = { ...before, listeners: new Map() }
  return listenerCases.some((what) => {
    const answer = set[what]
    if (answer === undefined) return false
    const after = answer === null ? answerIn(untouched, own, what).pool : answer === 'refuse' ? null : answer.pool
    return after === pool || answerIn(before, own, what).pool === pool
  })
}

function isNamedIn({ listeners }: Routing, listener: string, pool: string): boolean {
  const answers = Object.values(listeners.get(listener)?.answers ?? {})
  return answers.some((answer) => answer !== 'refuse' && answer.pool === pool)
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
