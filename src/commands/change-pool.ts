import { PoolChanged, PoolRemoved, type PoolChangedData, type PoolRemovedData } from '../../events/pool.ts'
import type { Algorithm, Declaration, MinTlsVersion } from '../../events/values.ts'
import { listenerName, namedBy } from '../../projections/listeners.ts'
import type { Pool, Routing } from '../../projections/routing.ts'
import { controlDraft, mismatch, notOwner, tooLarge, unknownPool, type Decision, type Refusal, type Request, type Rules, type Stamp } from './decision.ts'
import {
  businessNeedMissing, canonicalListen, canonicalServerNames, defaultRouteTaken, listenTaken, poolNamedBy, serverNameTaken,
} from './pool-rules.ts'

/** Changes and the end of a pool. */

/** Only the fields that are there are changed. */
export interface PoolChanges {
  readonly algorithm?: Algorithm
  readonly allowPlaintext?: boolean
  readonly businessNeed?: string | null
  readonly declaration?: Declaration
  readonly defaultRoute?: boolean
  readonly drainTimeoutMs?: number | null
  readonly healthCheckIntervalMs?: number
  /** As written. */
  readonly listen?: string | number | null
  readonly minTlsVersion?: MinTlsVersion
  readonly owner?: string | null
  readonly rejectEch?: boolean
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
  const stale = mismatch(`Pool "${pool.name}"`, pool, command.ifMatch)
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
    withoutBusinessNeed(pool, set) ??
    stillNeedsPlaintext(routing, pool, set) ??
    serverNameTaken(routing, pool.name, set.server_names ?? []) ??
    listenTaken(routing, pool.name, set.listen ?? null, rules) ??
    defaultRouteTaken(routing, pool.name, set.default_route === true) ?? { record }
  )
}

export function decideRemovePool(routing: Routing, command: RemovePool & Stamp): Decision<PoolRemovedData> {
  const pool = routing.pools.get(command.name)
  if (pool === undefined) return unknownPool(command.name)
  const stale = mismatch(`Pool "${pool.name}"`, pool, command.ifMatch)
  if (stale) return stale
  const record = controlDraft(command, PoolRemoved, `pools/${command.name}`, {
    actor: command.actor,
    change: command.change,
    force: command.force,
    idempotency: command.idempotency,
    name: command.name,
    origin: command.origin,
  })
  return notOwner(`Pool "${pool.name}"`, pool, command, null) ?? stillNamed(routing, pool.name) ?? { record }
}

/** In the words of the record, keys in code-unit order. */
function canonicalChanges(set: PoolChanges): { value: Changed } | { refusal: Refusal } {
  const listen = set.listen === undefined ? undefined : canonicalListen(set.listen)
  if (listen !== undefined && 'refusal' in listen) return listen
  const serverNames = set.serverNames === undefined ? undefined : canonicalServerNames(set.serverNames)
  if (serverNames !== undefined && 'refusal' in serverNames) return serverNames
  const value = {
    algorithm: set.algorithm,
    allow_plaintext: set.allowPlaintext,
    business_need: set.businessNeed,
    declaration: set.declaration,
    default_route: set.defaultRoute,
    drain_timeout: set.drainTimeoutMs,
    health_check_interval: set.healthCheckIntervalMs,
    listen: listen?.value,
    min_tls_version: set.minTlsVersion,
    owner: set.owner,
    reject_ech: set.rejectEch,
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
    allow_plaintext: pool.allowPlaintext,
    business_need: pool.businessNeed,
    declaration: pool.declaration,
    default_route: pool.defaultRoute,
    drain_timeout: pool.drainTimeoutMs,
    health_check_interval: pool.healthCheckIntervalMs,
    listen: pool.listen,
    min_tls_version: pool.minTlsVersion,
    owner: pool.owner,
    reject_ech: pool.rejectEch,
    server_names: [...pool.serverNames],
  }
  const different = Object.entries(set).filter(
    ([field, value]) => JSON.stringify(value) !== JSON.stringify(now[field as keyof Changed]),
  )
  return Object.fromEntries(different)
}

/** The field that is named is the one that brings it about. */
function withoutBusinessNeed(pool: Pool, set: Changed): { refusal: Refusal } | null {
  if (set.allow_plaintext === undefined && set.business_need === undefined) return null
  const { allow_plaintext: allowPlaintext = pool.allowPlaintext, business_need: businessNeed = pool.businessNeed } = set
  const after = { allow_plaintext: allowPlaintext, business_need: businessNeed, name: pool.name }
  return businessNeedMissing(after, set.allow_plaintext === undefined ? 'business_need' : 'allow_plaintext')
}

/** The policy of a pool's own listener goes with its address, so that in the same change it is no obstacle. */
function stillNeedsPlaintext(routing: Routing, pool: Pool, set: Changed): { refusal: Refusal } | null {
  if (set.allow_plaintext !== false) return null
  const goes = set.listen === null ? listenerName(pool.name) : null
  for (const named of namedBy(routing, pool.name)) {
    if (named.case === 'not_tls' && named.listener !== goes) return poolNamedBy(pool.name, named, 'allow_plaintext')
  }
  return null
}

/** The policy of its own listener goes with the pool. */
function stillNamed(routing: Routing, pool: string): { refusal: Refusal } | null {
  const own = listenerName(pool)
  for (const named of namedBy(routing, pool)) if (named.listener !== own) return poolNamedBy(pool, named)
  return null
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
