import { PoolChanged, PoolRemoved, type PoolChangedData, type PoolRemovedData } from '../../events/pool.ts'
import type { Algorithm, Declaration } from '../../events/values.ts'
import type { Pool, Routing } from '../../projections/routing.ts'
import { controlDraft, mismatch, notOwner, tooLarge, unknownPool, type Decision, type Refusal, type Request, type Rules, type Stamp } from './decision.ts'
import { canonicalListen, canonicalServerNames, defaultRouteTaken, listenTaken, serverNameTaken } from './pool-rules.ts'

/** Changes and the end of a pool. */

/** Only the fields that are there are changed. */
export interface PoolChanges {
  readonly algorithm?: Algorithm
  readonly businessNeed?: string | null
  readonly declaration?: Declaration
  readonly defaultRoute?: boolean
  readonly drainTimeoutMs?: number | null
  readonly healthCheckIntervalMs?: number
  /** As written. */
  readonly listen?: string | number | null
  readonly owner?: string | null
  /** As written. */
  readonly serverNames?: readonly string[]
}

export interface ChangePool extends Request {
  readonly name: string
  readonly set: PoolChanges
}

export interface RemovePool extends Request {
  readonly name: string
  /** End its open connections instead of letting them go on. */
  readonly force: boolean
}

type Changed = PoolChangedData['set']

export function decideChangePool(routing: Routing, command: ChangePool & Stamp, rules: Rules): Decision<PoolChangedData> {
  const canonical = canonicalChanges(command.set)
  if ('refusal' in canonical) return canonical
  const pool = routing.pools.get(command.name)
  if (pool === undefined) return unknownPool(command.name)
  const stale = mismatch(pool, command.ifMatch)
  if (stale) return stale
  const set = onlyDifferent(pool, canonical.value)
  if (Object.keys(set).length === 0) return { unchanged: true }
  const record = controlDraft(command, PoolChanged, `pools/${command.name}`, {
    actor: command.actor,
    change: command.change,
    idempotency: command.idempotency,
    name: command.name,
    origin: command.origin,
    set,
  })
  return (
    tooLarge(record) ??
    notOwnerOfAny(pool, command, Object.keys(set)) ??
    serverNameTaken(routing, pool.name, set.server_names ?? []) ??
    listenTaken(routing, pool.name, set.listen ?? null, rules) ??
    defaultRouteTaken(routing, pool.name, set.default_route === true) ?? { record }
  )
}

export function decideRemovePool(routing: Routing, command: RemovePool & Stamp): Decision<PoolRemovedData> {
  const pool = routing.pools.get(command.name)
  if (pool === undefined) return unknownPool(command.name)
  const stale = mismatch(pool, command.ifMatch)
  if (stale) return stale
  const record = controlDraft(command, PoolRemoved, `pools/${command.name}`, {
    actor: command.actor,
    change: command.change,
    force: command.force,
    idempotency: command.idempotency,
    name: command.name,
    origin: command.origin,
  })
  return notOwner(`Pool "${pool.name}"`, pool, command, null) ?? { record }
}

/** In the words of the record, keys in code-unit order. */
function canonicalChanges(set: PoolChanges): { value: Changed } | { refusal: Refusal } {
  const listen = set.listen === undefined ? undefined : canonicalListen(set.listen)
  if (listen !== undefined && 'refusal' in listen) return listen
  const serverNames = set.serverNames === undefined ? undefined : canonicalServerNames(set.serverNames)
  if (serverNames !== undefined && 'refusal' in serverNames) return serverNames
  const value = {
    algorithm: set.algorithm,
    business_need: set.businessNeed,
    declaration: set.declaration,
    default_route: set.defaultRoute,
    drain_timeout: set.drainTimeoutMs,
    health_check_interval: set.healthCheckIntervalMs,
    listen: listen?.value,
    owner: set.owner,
    server_names: serverNames?.value,
  }
  return { value: withoutUndefined(value) }
}

function withoutUndefined(value: Record<string, unknown>): Changed {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined))
}

/** What would be as it is already is no change. */
function onlyDifferent(pool: Pool, set: Changed): Changed {
  const now: Required<Changed> = {
    algorithm: pool.algorithm,
    business_need: pool.businessNeed,
    declaration: pool.declaration,
    default_route: pool.defaultRoute,
    drain_timeout: pool.drainTimeoutMs,
    health_check_interval: pool.healthCheckIntervalMs,
    listen: pool.listen,
    owner: pool.owner,
    server_names: [...pool.serverNames],
  }
  const different = Object.entries(set).filter(
    ([field, value]) => JSON.stringify(value) !== JSON.stringify(now[field as keyof Changed]),
  )
  return Object.fromEntries(different)
}

/** Taking an object over from another file is a write to its `declaration`, which that file owns. */
function notOwnerOfAny(pool: Pool, command: ChangePool, fields: readonly string[]): { refusal: Refusal } | null {
  const what = `Pool "${pool.name}"`
  for (const field of fields) {
    const refused = notOwner(what, pool, command, field === 'declaration' ? null : field)
    if (refused) return refused
  }
  return null
}
