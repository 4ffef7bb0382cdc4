import type { BackendEvent } from '../events/backend.ts'
import { zeroHash } from '../events/chain.ts'
import type { PoolCreatedData, PoolEvent } from '../events/pool.ts'
import type { Algorithm } from '../events/values.ts'
import type { Projection, Recorded } from './projection.ts'

/**
 * What routes where: pools, backends, server names, the default route, and the revision they add up to. Deciders
 * check rules on it, the data path routes by it and the API shows it. Copied on write: the data path holds snapshots.
 */
export interface Routing {
  /** Number of the last effective change; 0 before the first. */
  readonly revision: number
  /** Leaf hash of the last effective change: the next one must name it as its `basis`. */
  readonly basis: string
  /** Changes that lost the race for their revision and took no effect. */
  readonly voided: number
  readonly pools: ReadonlyMap<string, Pool>
  /** Exact server name to pool. */
  readonly exactNames: ReadonlyMap<string, string>
  /** `example.com` to the pool that claims `*.example.com`. */
  readonly wildcardNames: ReadonlyMap<string, string>
  readonly defaultRoute: string | null
}

export interface Pool {
  readonly name: string
  readonly algorithm: Algorithm
  readonly backends: ReadonlyMap<string, Backend>
  readonly businessNeed: string | null
  readonly createdAt: string
  readonly defaultRoute: boolean
  readonly healthCheckIntervalMs: number
  readonly listen: string | null
  readonly managedBy: 'api' | 'file'
  readonly owner: string | null
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
  readonly draining: boolean
  readonly addedAt: string
}

type ConfigurationEvent = PoolEvent | BackendEvent
type Effect<Event> = (routing: Routing, event: Event) => Routing

export const routing: Projection<Routing, ConfigurationEvent['type']> = {
  name: 'routing',
  version: 1,
  initial: () => ({
    revision: 0,
    basis: zeroHash,
    voided: 0,
    pools: new Map(),
    exactNames: new Map(),
    wildcardNames: new Map(),
    defaultRoute: null,
  }),
  on: {
    'dev.waybill.pool.created.v1': effective((state, event) =>
      state.pools.has(event.data.name) ? state : withPool(state, event.data.name, newPool(event.data, event.time)),
    ),
    'dev.waybill.pool.changed.v1': effective((state, { data }) =>
      changePool(state, data.name, (pool) => ({
        ...pool,
        algorithm: data.set.algorithm ?? pool.algorithm,
        businessNeed: data.set.business_need === undefined ? pool.businessNeed : data.set.business_need,
        defaultRoute: data.set.default_route ?? pool.defaultRoute,
        healthCheckIntervalMs: data.set.health_check_interval ?? pool.healthCheckIntervalMs,
        listen: data.set.listen === undefined ? pool.listen : data.set.listen,
        owner: data.set.owner === undefined ? pool.owner : data.set.owner,
        serverNames: data.set.server_names ?? pool.serverNames,
      })),
    ),
    'dev.waybill.pool.removed.v1': effective((state, { data }) => withPool(state, data.name, undefined)),
    'dev.waybill.backend.added.v1': effective((state, { data, time }) =>
      changeBackend(state, data.pool, data.id, (existing) =>
        existing ?? { id: data.id, host: data.host, port: data.port, weight: data.weight, draining: false, addedAt: time },
      ),
    ),
    'dev.waybill.backend.changed.v1': effective((state, { data }) =>
      changeBackend(state, data.pool, data.id, (backend) => backend && { ...backend, weight: data.weight }),
    ),
    'dev.waybill.backend.drained.v1': effective((state, { data }) =>
      changeBackend(state, data.pool, data.id, (backend) => backend && { ...backend, draining: true }),
    ),
    'dev.waybill.backend.resumed.v1': effective((state, { data }) =>
      changeBackend(state, data.pool, data.id, (backend) => backend && { ...backend, draining: false }),
    ),
    'dev.waybill.backend.removed.v1': effective((state, { data }) =>
      changeBackend(state, data.pool, data.id, () => undefined),
    ),
  },
}

/**
 * The rule that settles concurrent writers without a leader or a lock: a change takes effect only if it names the
 * next revision and the leaf hash of the last effective change; otherwise it is void, on every node and in every replay.
 */
function effective<Event extends ConfigurationEvent>(effect: Effect<Event>) {
  return (state: Routing, { event, leafHash }: Recorded<Event>): Routing => {
    if (event.revision !== state.revision + 1 || event.basis !== state.basis) {
      return { ...state, voided: state.voided + 1 }
    }
    return effect({ ...state, revision: event.revision, basis: leafHash }, event)
  }
}

function newPool(data: PoolCreatedData, time: string): Omit<Pool, 'revision'> {
  return {
    name: data.name,
    algorithm: data.algorithm,
    backends: new Map(
      data.backends.map(({ host, id, port, weight }) => [id, { id, host, port, weight, draining: false, addedAt: time }]),
    ),
    businessNeed: data.business_need,
    createdAt: time,
    defaultRoute: data.default_route,
    healthCheckIntervalMs: data.health_check_interval,
    listen: data.listen,
    managedBy: data.managed_by,
    owner: data.owner,
    serverNames: data.server_names,
    sslMode: data.ssl_mode,
  }
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
  if (pool === undefined) pools.delete(name)
  else pools.set(name, { ...pool, revision: state.revision })
  const exactNames = new Map<string, string>()
  const wildcardNames = new Map<string, string>()
  let defaultRoute: string | null = null
  for (const candidate of pools.values()) {
    for (const pattern of candidate.serverNames) {
      const [table, key] = pattern.startsWith('*.') ? [wildcardNames, pattern.slice(2)] : [exactNames, pattern]
      if (!table.has(key)) table.set(key, candidate.name)
    }
    if (candidate.defaultRoute) defaultRoute ??= candidate.name
  }
  return { ...state, pools, exactNames, wildcardNames, defaultRoute }
}
