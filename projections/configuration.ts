import type { Declaration } from '../events/values.ts'
import type { Backend, Pool, Routing } from './routing.ts'

/**
 * The configuration as a document, in the words of the API: what `state` shows, what two moments are compared by, and
 * what a change would do. Configuration only: no statistics, no health.
 */
export interface Configuration {
  readonly revision: number
  readonly pools: readonly PoolDocument[]
  readonly routes: Routes
  /** Settings from declaration files, by file. */
  readonly declarations: readonly DeclarationDocument[]
}

export interface Routes {
  readonly default_route: string | null
  /** Exact or wildcard server name to pool. */
  readonly server_names: Readonly<Record<string, string>>
  /** A pool's own listen address to the pool. */
  readonly listen: Readonly<Record<string, string>>
}

export interface PoolDocument {
  readonly name: string
  readonly algorithm: string
  readonly backends: readonly BackendDocument[]
  readonly business_need: string | null
  readonly created_at: string
  readonly default_route: boolean
  readonly drain_timeout: number | null
  readonly health_check_interval: number
  readonly listen: string | null
  readonly managed_by: 'api' | 'file'
  readonly managed_by_file: string | null
  readonly owner: string | null
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
  const wildcards = [...routing.wildcardNames].map(([name, pool]) => [`*.${name}`, pool] as const)
  const names = sorted([...routing.exactNames, ...wildcards], ([name]) => name)
  return {
    revision: routing.revision,
    pools: pools.map(poolDocument),
    routes: { default_route: routing.defaultRoute, server_names: Object.fromEntries(names), listen },
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
    backends: sorted([...pool.backends.values()], (backend) => backend.id).map(backendDocument),
    business_need: pool.businessNeed,
    created_at: pool.createdAt,
    default_route: pool.defaultRoute,
    drain_timeout: pool.drainTimeoutMs,
    health_check_interval: pool.healthCheckIntervalMs,
    listen: pool.listen,
    ...managedBy(pool.declaration),
    owner: pool.owner,
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

export function managedBy(declaration: Declaration): Pick<PoolDocument, 'managed_by' | 'managed_by_file'> {
  return { managed_by: declaration === null ? 'api' : 'file', managed_by_file: declaration?.file ?? null }
}

/** One thing that is different. A field of an object that both have, or a whole object (`field` null). */
export interface Difference {
  readonly kind: 'added' | 'changed' | 'removed'
  /** `pools/<name>`, `backends/<pool>/<id>`, `files/<file>`, `routes`. */
  readonly subject: string
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
