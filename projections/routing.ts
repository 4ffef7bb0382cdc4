import type { BackendEvent } from '../events/backend.ts'
import { zeroHash } from '../events/chain.ts'
import type { ConfigEvent } from '../events/config.ts'
import type { EventOf } from '../events/define.ts'
import type { ListenerChanged, ListenerChangedData } from '../events/listener.ts'
import type { PoolCreatedData, PoolEvent } from '../events/pool.ts'
import { listenerCases, type Algorithm, type Declaration, type MinTlsVersion } from '../events/values.ts'
import { hasListener, listenerName, untouchedListener, type ListenerPolicy } from './listeners.ts'
import type { Projection, Recorded } from './projection.ts'
import { namesOf, type ServerNames } from './server-names.ts'

/**
 * What routes where: pools, backends, server names, the default route, and the revision they add up to. Deciders
 * check rules on it, the data path routes by it and the API shows it. Copied on write: the data path holds snapshots.
 */
export interface Routing extends ServerNames {
  /** Number of the last effective change; 0 before the first. */
  readonly revision: number
  /** Leaf hash of the last effective change: the next one must name it as its `basis`. */
  readonly basis: string
  /**
   * When the last effective change came into force: the latest `time` of all effective ones, since clocks step back and
   * differ between nodes. Null before the first.
   */
  readonly changedAt: string | null
  /** Changes that lost the race for their revision and took no effect. */
  readonly voided: number
  readonly pools: ReadonlyMap<string, Pool>
  /** By listener: what it does with clients whose hello leads to no pool. Only those that were set. */
  readonly listeners: ReadonlyMap<string, ListenerPolicy>
  readonly defaultRoute: string | null
  /** By file: what was last applied from it. */
  readonly declarations: ReadonlyMap<string, AppliedFile>
}

export interface AppliedFile {
  /** SHA-256 of its bytes, hexadecimal. */
  readonly digest: string
  readonly appliedAt: string
  readonly revision: number
  readonly settings: readonly { readonly name: string; readonly value: string }[]
}

export interface Pool {
  readonly name: string
  readonly algorithm: Algorithm
  readonly allowPlaintext: boolean
  readonly backends: ReadonlyMap<string, Backend>
  readonly businessNeed: string | null
  readonly createdAt: string
  /** Who owns it: a declaration file, or null: the API. */
  readonly declaration: Declaration
  readonly defaultRoute: boolean
  /** Why it was created as the default route. */
  readonly defaultRouteReason: 'automatic' | 'requested' | null
  /** How long open connections of a leaving backend may go on, in milliseconds; null: without limit. */
  readonly drainTimeoutMs: number | null
  readonly healthCheckIntervalMs: number
  readonly listen: string | null
  readonly minTlsVersion: MinTlsVersion
  readonly owner: string | null
  readonly rejectEch: boolean
  /** Last revision that touched the pool or one of its backends: its ETag. */
  readonly revision: number
  readonly serverNames: readonly string[]
  readonly sslMode: 'passthrough'
}

export interface Backend {
  readonly id: string
  readonly host: string
  readonly port: number
  readonly weight: number
  readonly declaration: Declaration
  /** Since when it takes no new connections; null: it does. */
  readonly drainingSince: string | null
  readonly addedAt: string
}

export type ConfigurationEvent = BackendEvent | ConfigEvent | EventOf<typeof ListenerChanged> | PoolEvent
type Effect<Event> = (routing: Routing, event: Event) => Routing

export const routing: Projection<Routing, ConfigurationEvent['type']> = {
  name: 'routing',
  version: 3,
  initial: () => ({
    revision: 0,
    basis: zeroHash,
    changedAt: null,
    voided: 0,
    pools: new Map(),
    exactNames: new Map(),
    wildcardNames: new Map(),
    anyDepthNames: new Map(),
    listeners: new Map(),
    defaultRoute: null,
    declarations: new Map(),
  }),
  on: {
    'dev.waybill.pool.created.v1': effective((state, event) =>
      state.pools.has(event.data.name) ? state : withPool(state, event.data.name, newPool(event.data, event.time)),
    ),
    'dev.waybill.pool.changed.v1': effective((state, { data }) =>
      changePool(state, data.name, (pool) => ({
        ...pool,
        algorithm: data.set.algorithm ?? pool.algorithm,
        allowPlaintext: data.set.allow_plaintext ?? pool.allowPlaintext,
        businessNeed: data.set.business_need === undefined ? pool.businessNeed : data.set.business_need,
        declaration: data.set.declaration === undefined ? pool.declaration : data.set.declaration,
        defaultRoute: data.set.default_route ?? pool.defaultRoute,
        defaultRouteReason: reasonAfter(pool, data.set.default_route),
        drainTimeoutMs: data.set.drain_timeout === undefined ? pool.drainTimeoutMs : data.set.drain_timeout,
        healthCheckIntervalMs: data.set.health_check_interval ?? pool.healthCheckIntervalMs,
        listen: data.set.listen === undefined ? pool.listen : data.set.listen,
        minTlsVersion: data.set.min_tls_version === undefined ? pool.minTlsVersion : data.set.min_tls_version,
        owner: data.set.owner === undefined ? pool.owner : data.set.owner,
        rejectEch: data.set.reject_ech ?? pool.rejectEch,
        serverNames: data.set.server_names ?? pool.serverNames,
      })),
    ),
    'dev.waybill.pool.removed.v1': effective((state, { data }) => withPool(state, data.name, undefined)),
    'dev.waybill.backend.added.v1': effective((state, { data, time }) =>
      changeBackend(state, data.pool, data.id, (existing) =>
        existing ?? newBackend(data, time),
      ),
    ),
    'dev.waybill.backend.changed.v1': effective((state, { data }) =>
      changeBackend(state, data.pool, data.id, (backend) => backend && {
        ...backend,
        declaration: data.set.declaration === undefined ? backend.declaration : data.set.declaration,
        weight: data.set.weight ?? backend.weight,
      }),
    ),
    'dev.waybill.backend.drained.v1': effective((state, { data, time }) =>
      changeBackend(state, data.pool, data.id, (backend) => backend && { ...backend, drainingSince: backend.drainingSince ?? time }),
    ),
    'dev.waybill.backend.resumed.v1': effective((state, { data }) =>
      changeBackend(state, data.pool, data.id, (backend) => backend && { ...backend, drainingSince: null }),
    ),
    'dev.waybill.backend.removed.v1': effective((state, { data }) =>
      changeBackend(state, data.pool, data.id, () => undefined),
    ),
    'dev.waybill.listener.changed.v1': effective((state, { data }) =>
      hasListener(state, data.listener)
        ? { ...state, listeners: new Map(state.listeners).set(data.listener, changedListener(state, data)) }
        : state,
    ),
    'dev.waybill.config.applied.v1': effective((state, { data, time }) => ({
      ...state,
      declarations: new Map(state.declarations).set(data.file, {
        digest: data.digest, appliedAt: time, revision: state.revision, settings: data.settings,
      }),
    })),
  },
}

/**
 * The rule that settles concurrent writers without a leader or a lock: a change takes effect only if it names the
 * next revision and the leaf hash of the last effective change; otherwise it is void, on every node and in every replay.
 */
function effective<Event extends ConfigurationEvent>(effect: Effect<Event>) {
  return (state: Routing, { event, leafHash }: Recorded<Event>): Routing => {
    if (!takesEffect(state, event)) {
      return { ...state, voided: state.voided + 1 }
    }
    // RFC 3339 in UTC with three fraction digits: the order of the texts is that of the times.
    const changedAt = state.changedAt !== null && state.changedAt > event.time ? state.changedAt : event.time
    return effect({ ...state, revision: state.revision + 1, basis: leafHash, changedAt }, event)
  }
}

/** Whether a change is the next one after this state, or lost the race for its revision. */
export function takesEffect(
  { basis, revision }: Pick<Routing, 'basis' | 'revision'>,
  event: { readonly basis?: string | undefined; readonly revision?: number | undefined },
): boolean {
  return event.revision === revision + 1 && event.basis === basis
}

/** A default route that was given or taken away later has no reason from its creation. */
function reasonAfter(pool: Pool, set: boolean | undefined): Pool['defaultRouteReason'] {
  if (set === undefined || set === pool.defaultRoute) return pool.defaultRouteReason
  return set ? 'requested' : null
}

function newBackend(
  { declaration, host, id, port, weight }: PoolCreatedData['backends'][number],
  time: string,
): Backend {
  return { id, host, port, weight, declaration, drainingSince: null, addedAt: time }
}

function newPool(data: PoolCreatedData, time: string): Omit<Pool, 'revision'> {
  return {
    name: data.name,
    algorithm: data.algorithm,
    allowPlaintext: data.allow_plaintext,
    backends: new Map(data.backends.map((backend) => [backend.id, newBackend(backend, time)])),
    businessNeed: data.business_need,
    createdAt: time,
    declaration: data.declaration,
    defaultRoute: data.default_route,
    defaultRouteReason: data.default_route_reason,
    drainTimeoutMs: data.drain_timeout,
    healthCheckIntervalMs: data.health_check_interval,
    listen: data.listen,
    minTlsVersion: data.min_tls_version,
    owner: data.owner,
    rejectEch: data.reject_ech,
    serverNames: data.server_names,
    sslMode: data.ssl_mode,
  }
}

function changedListener(state: Routing, { listener, set }: ListenerChangedData): ListenerPolicy {
  const before = state.listeners.get(listener) ?? untouchedListener
  const answers = { ...before.answers }
  for (const what of listenerCases) {
    const answer = set[what]
    if (answer === null) delete answers[what]
    else if (answer !== undefined) answers[what] = answer
  }
  return { answers, declaration: set.declaration === undefined ? before.declaration : set.declaration, revision: state.revision }
}

function changePool(state: Routing, name: string, change: (pool: Pool) => Omit<Pool, 'revision'>): Routing {
  const pool = state.pools.get(name)
  return pool === undefined ? state : withPool(state, name, change(pool))
}

function changeBackend(
  state: Routing,
  poolName: string,
  id: string,
  change: (backend: Backend | undefined) => Backend | undefined,
): Routing {
  return changePool(state, poolName, (pool) => {
    const backends = new Map(pool.backends)
    const next = change(backends.get(id))
    if (next === undefined) backends.delete(id)
    else backends.set(id, next)
    return { ...pool, backends }
  })
}

/** Puts, replaces or (undefined) removes a pool, and rebuilds the name tables that follow from all pools. */
function withPool(state: Routing, name: string, pool: Omit<Pool, 'revision'> | undefined): Routing {
  const pools = new Map(state.pools)
  const listeners = withoutListenerOf(state.listeners, name, pool)
  const before = state.pools.get(name)
  if (pool === undefined) pools.delete(name)
  else pools.set(name, { ...pool, revision: state.revision })
  // Most changes are of backends: what leads to the pool is as it was.
  if (before && before.serverNames === pool?.serverNames && before.defaultRoute === pool.defaultRoute) return { ...state, pools, listeners }
  const defaultRoute = [...pools.values()].find((candidate) => candidate.defaultRoute)?.name ?? null
  return { ...state, pools, listeners, ...namesOf(pools.values()), defaultRoute }
}

/** A pool that is gone, or has no address of its own any more, has no listener that could do anything. */
function withoutListenerOf(
  listeners: Routing['listeners'],
  name: string,
  pool: Pick<Pool, 'listen'> | undefined,
): Routing['listeners'] {
  const own = listenerName(name)
  if ((pool?.listen ?? null) !== null || !listeners.has(own)) return listeners
  const others = new Map(listeners)
  others.delete(own)
  return others
}
