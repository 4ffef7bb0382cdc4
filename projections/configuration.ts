import type { Declaration } from '../events/values.ts'
import { listenerCases, type ListenerAnswer, type ListenerCase } from '../events/values.ts'
import { answerIn, listenerName, ownPoolOf, sharedListener, untouchedListener } from './listeners.ts'
import type { Backend, Pool, Routing } from './routing.ts'
import { claimedNames } from './server-names.ts'

/**
 * The configuration as a document, in the words of the API: what `state` shows, what two moments are compared by, and
 * what a change would do. Configuration only: no statistics, no health.
 */
export interface Configuration {
  readonly revision: number
  readonly pools: readonly PoolDocument[]
  readonly routes: Routes
  readonly listeners: readonly ListenerDocument[]
  /** Settings from declaration files, by file. */
  readonly declarations: readonly DeclarationDocument[]
}

export interface Routes {
  readonly default_route: string | null
  /** Exact name or wildcard to pool. */
  readonly server_names: Readonly<Record<string, string>>
  /** A pool's own listen address to the pool. */
  readonly listen: Readonly<Record<string, string>>
}

export interface PoolDocument {
  readonly name: string
  readonly algorithm: string
  readonly allow_plaintext: boolean
  readonly backends: readonly BackendDocument[]
  readonly business_need: string | null
  readonly created_at: string
  readonly default_route: boolean
  readonly drain_timeout: number | null
  readonly health_check_interval: number
  readonly listen: string | null
  readonly managed_by: 'api' | 'file'
  readonly managed_by_file: string | null
  readonly min_tls_version: string | null
  readonly owner: string | null
  readonly reject_ech: boolean
  readonly revision: number
  readonly server_names: readonly string[]
  readonly ssl_mode: 'passthrough'
}

export interface BackendDocument {
  readonly id: string
  readonly added_at: string
  readonly draining_since: string | null
  readonly host: string
  readonly managed_by: 'api' | 'file'
  readonly managed_by_file: string | null
  readonly port: number
  readonly state: 'active' | 'draining'
  readonly weight: number
}

/** What a listener does with clients whose hello leads to no pool. */
export interface ListenerDocument {
  /** `shared`, or `pools/<name>`. */
  readonly listener: string
  readonly managed_by: 'api' | 'file'
  readonly managed_by_file: string | null
  /** What happens in each case, defaults included. */
  readonly policy: { readonly [Case in ListenerCase]: NonNullable<ListenerAnswer> }
  readonly revision: number
  /** The cases that were set for this listener. */
  readonly set: readonly ListenerCase[]
}

export interface DeclarationDocument {
  readonly file: string
  readonly applied_at: string
  readonly digest: string
  readonly revision: number
  readonly settings: Readonly<Record<string, string>>
}

/** Sorted by name, so that equal configurations are equal documents. */
export function configurationOf(routing: Routing): Configuration {
  const pools = sorted([...routing.pools.values()], (pool) => pool.name)
  const listen: Record<string, string> = {}
  for (const pool of pools) if (pool.listen !== null) listen[pool.listen] = pool.name
  const names = sorted([...claimedNames(routing)], ([name]) => name)
  return {
    revision: routing.revision,
    pools: pools.map(poolDocument),
    routes: { default_route: routing.defaultRoute, server_names: Object.fromEntries(names), listen },
    listeners: listenersOf(routing).map((listener) => listenerDocument(routing, listener)),
    declarations: sorted([...routing.declarations], ([file]) => file).map(([file, applied]) => ({
      file,
      applied_at: applied.appliedAt,
      digest: applied.digest,
      revision: applied.revision,
      settings: Object.fromEntries(applied.settings.map(({ name, value }) => [name, value])),
    })),
  }
}

export function poolDocument(pool: Pool): PoolDocument {
  return {
    name: pool.name,
    algorithm: pool.algorithm,
    allow_plaintext: pool.allowPlaintext,
    backends: sorted([...pool.backends.values()], (backend) => backend.id).map(backendDocument),
    business_need: pool.businessNeed,
    created_at: pool.createdAt,
    default_route: pool.defaultRoute,
    drain_timeout: pool.drainTimeoutMs,
    health_check_interval: pool.healthCheckIntervalMs,
    listen: pool.listen,
    ...managedBy(pool.declaration),
    min_tls_version: pool.minTlsVersion,
    owner: pool.owner,
    reject_ech: pool.rejectEch,
    revision: pool.revision,
    server_names: [...pool.serverNames],
    ssl_mode: pool.sslMode,
  }
}

export function backendDocument(backend: Backend): BackendDocument {
  return {
    id: backend.id,
    added_at: backend.addedAt,
    draining_since: backend.drainingSince,
    host: backend.host,
    ...managedBy(backend.declaration),
    port: backend.port,
    state: backend.drainingSince === null ? 'active' : 'draining',
    weight: backend.weight,
  }
}

/** The shared one first, then the pools' own by name. */
export function listenersOf(routing: Routing): readonly string[] {
  const own = [...routing.pools.values()].filter((pool) => pool.listen !== null).map((pool) => listenerName(pool.name))
  return [sharedListener, ...sorted(own, (name) => name)]
}

export function listenerDocument(routing: Routing, listener: string): ListenerDocument {
  const { answers, declaration, revision } = routing.listeners.get(listener) ?? untouchedListener
  const policy = listenerCases.map((what) => {
    const { pool } = answerIn(routing, ownPoolOf(listener), what)
    return [what, pool === null ? 'refuse' : { pool }] as const
  })
  return {
    listener,
    ...managedBy(declaration),
    policy: Object.fromEntries(policy) as ListenerDocument['policy'],
    revision,
    set: listenerCases.filter((what) => answers[what] !== undefined),
  }
}

export function managedBy(declaration: Declaration): Pick<PoolDocument, 'managed_by' | 'managed_by_file'> {
  return { managed_by: declaration === null ? 'api' : 'file', managed_by_file: declaration?.file ?? null }
}

/** One thing that is different. A field of an object that both have, or a whole object (`field` null). */
export interface Difference {
  readonly kind: 'added' | 'changed' | 'removed'
  /** `pools/<name>`, `backends/<pool>/<id>`, `listeners/<listener>`, `files/<file>`, `routes`. */
  readonly subject: string
  /** Of a listener also a case of its policy, such as `no_sni`. */
  readonly field: string | null
  readonly before: unknown
  readonly after: unknown
}

/** Fields that say when and how often something was changed, not what it is. */
const bookkeeping: ReadonlySet<string> = new Set(['applied_at', 'added_at', 'created_at', 'draining_since', 'revision'])

/** What is different in `after`; empty when both route, balance and own alike. */
export function differencesBetween(before: Configuration, after: Configuration): readonly Difference[] {
  return [
    ...compareAll(before.pools, after.pools, ({ name }) => `pools/${name}`),
    ...compareAll(backendsOf(before), backendsOf(after), ({ pool, id }) => `backends/${pool}/${id}`),
    ...compare('routes', before.routes, after.routes),
    ...compareListeners(before.listeners, after.listeners),
    ...compareAll(before.declarations, after.declarations, ({ file }) => `files/${file}`),
  ]
}

function backendsOf({ pools }: Configuration): (BackendDocument & { readonly pool: string })[] {
  return pools.flatMap(({ backends, name }) => backends.map((backend) => ({ ...backend, pool: name })))
}

function compareAll<Item extends object>(
  before: readonly Item[],
  after: readonly Item[],
  subjectOf: (item: Item) => string,
): Difference[] {
  const old = new Map(before.map((item) => [subjectOf(item), item]))
  const differences: Difference[] = []
  for (const item of after) {
    const subject = subjectOf(item)
    const was = old.get(subject)
    old.delete(subject)
    if (was === undefined) differences.push({ kind: 'added', subject, field: null, before: null, after: item })
    else differences.push(...compare(subject, was, item))
  }
  for (const [subject, item] of old) differences.push({ kind: 'removed', subject, field: null, before: item, after: null })
  return differences
}

/**
 * What becomes of clients, case by case. That a case was set to what is its default anyway shows only where nothing else
 * of the listener does: it matters once the default is another.
 */
function compareListeners(before: readonly ListenerDocument[], after: readonly ListenerDocument[]): Difference[] {
  const found = compareAll(before, after, subjectOfListener)
  const told = new Set(found.filter(({ field }) => field !== 'set').map(({ subject }) => subject))
  return found.flatMap((difference) => {
    if (difference.field === 'set' && told.has(difference.subject)) return []
    if (difference.field !== 'policy') return [difference]
    return compare(difference.subject, difference.before as Policy, difference.after as Policy)
  })
}

type Policy = ListenerDocument['policy']

function subjectOfListener({ listener }: ListenerDocument): string {
  return `listeners/${listener}`
}

/** Backends are compared on their own, so that a pool with one more is not shown as changed twice. */
function compare(subject: string, before: object, after: object): Difference[] {
  const differences: Difference[] = []
  const old = before as Readonly<Record<string, unknown>>
  for (const [field, value] of Object.entries(after)) {
    if (bookkeeping.has(field) || field === 'backends' || JSON.stringify(old[field]) === JSON.stringify(value)) continue
    differences.push({ kind: 'changed', subject, field, before: old[field], after: value })
  }
  return differences
}

/** By code unit, as everything that is sorted here. */
function sorted<Item>(items: readonly Item[], keyOf: (item: Item) => string): Item[] {
  return items.toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1))
}
