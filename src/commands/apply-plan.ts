import type { Change } from '../../events/values.ts'
import type { Backend, Pool, Routing } from '../../projections/routing.ts'
import { listenerSteps, type DeclaredListeners } from './apply-listeners.ts'
import { inOrder, type PoolChange } from './apply-order.ts'
import {
  changesTo, changesToBackend, ownedBy, poolDefaults, targetsOf, weightDefault,
  type BackendTarget, type DeclaredPool, type Misfit, type Path, type PoolTarget,
} from './apply-targets.ts'
import { decideAddBackend, decideChangeBackend, decideRemoveBackend } from './backend.ts'
import { backendsPerPoolMax } from './bounds.ts'
import { decideChangePool, decideRemovePool } from './change-pool.ts'
import { decideCreatePool } from './create-pool.ts'
import type { Decide, Request } from './decision.ts'

/**
 * From what is and what a declaration file says to the commands that lead from one to the other, in an order in which
 * every one of them can be decided. Pure. A step that changes nothing may be among them: the rehearsal drops it.
 */

/** The content of a declaration file, as read. */
export interface FileContent {
  /** Absolute path. */
  readonly file: string
  /** SHA-256 of its bytes, hexadecimal. */
  readonly digest: string
  readonly change: Change
  /** Null: nothing is said of pools. */
  readonly pools: readonly DeclaredPool[] | null
  /** Null: nothing is said of listeners. */
  readonly listeners: DeclaredListeners | null
  readonly settings: readonly { readonly name: string; readonly value: string }[]
}

/** One command: one object, one record. */
export interface Step {
  readonly effect: 'changed' | 'created' | 'removed'
  /** `pools/<name>`, `backends/<pool>/<id>` or `listeners/<listener>`. */
  readonly subject: string
  /** Where the file says so; empty for what it no longer says. */
  readonly path: Path
  readonly decide: Decide<Request, object>
}

export type Plan = { readonly steps: readonly Step[] } | { readonly misfits: readonly Misfit[] }

export function planOf(routing: Routing, { file, listeners, pools }: Pick<FileContent, 'file' | 'listeners' | 'pools'>): Plan {
  const read = targetsOf(pools ?? [], file)
  if ('misfits' in read) return read
  const declared = new Map(read.targets.map((target) => [target.name, target]))
  const existing = read.targets.flatMap((target) => {
    const pool = routing.pools.get(target.name)
    return pool === undefined ? [] : [{ pool, target }]
  })
  const created = read.targets.filter(({ name }) => !routing.pools.has(name))
  const removed = pools === null ? [] : [...routing.pools.values()].filter((pool) => ownedBy(pool, file) && !declared.has(pool.name))
  const changes = existing.map((one) => changeOf(one, read.targets))
  const { after, before } = listenerSteps(routing, listeners, file, {
    changes: new Map(changes.map(({ pool, set }) => [pool.name, set])),
    removed: new Set(removed.map(({ name }) => name)),
  })
  return {
    steps: [
      ...before,
      ...removed.map(removePool),
      ...changePools(routing, changes, declared),
      ...existing.flatMap(({ pool, target }) => changeBackends(pool, target, file)),
      // What wants to be the default route comes first, so that none of the others becomes it by itself.
      ...[...created.filter(isDefault), ...created.filter((target) => !isDefault(target))].flatMap(createPool),
      ...after,
    ],
  }
}

interface ExistingPool {
  readonly pool: Pool
  readonly target: PoolTarget
}

function isDefault({ fields }: PoolTarget): boolean {
  return fields.defaultRoute === true
}

function removePool({ name }: Pool): Step {
  return {
    effect: 'removed', path: [], subject: `pools/${name}`,
    decide: (routing, request) => decideRemovePool(routing, { ...request, force: false, name }),
  }
}

function changeOf({ pool, target }: ExistingPool, targets: readonly PoolTarget[]): PoolChange {
  const rival = targets.some((other) => other !== target && isDefault(other))
  const set = changesTo(pool, target)
  // It is the default route only because there was none.
  const yields = rival && set.defaultRoute === undefined && pool.defaultRouteReason === 'automatic'
  return { pool, set: yields ? { ...set, defaultRoute: false } : set }
}

function changePools(routing: Routing, changes: readonly PoolChange[], targets: ReadonlyMap<string, PoolTarget>): Step[] {
  return inOrder(routing, changes).map(({ pool: { name }, set }) => ({
    effect: 'changed', path: targets.get(name)?.path ?? [], subject: `pools/${name}`,
    decide: (now, request, rules) => decideChangePool(now, { ...request, name, set }, rules),
  }))
}

/** New ones first, so that the pool is never without; unless there is no room for both. */
function changeBackends(pool: Pool, { backends, name }: PoolTarget, file: string): Step[] {
  const declared = new Set(backends?.map(({ id }) => id))
  const gone = [...pool.backends.values()].filter((backend) => ownedBy(backend, file) && !declared.has(backend.id))
  const added = (backends ?? []).filter(({ id }) => !pool.backends.has(id)).map((target) => addBackend(name, target))
  const changed = (backends ?? []).flatMap((target) => {
    const backend = pool.backends.get(target.id)
    return backend === undefined ? [] : [changeBackend(name, backend, target)]
  })
  const removed = gone.map(({ id }) => removeBackend(name, id))
  return pool.backends.size + added.length > backendsPerPoolMax ? [...removed, ...changed, ...added] : [...added, ...changed, ...removed]
}

function addBackend(pool: string, { declaration, id, path, url, weight }: BackendTarget): Step {
  return {
    effect: 'created', path, subject: `backends/${pool}/${id}`,
    decide: (routing, request) => decideAddBackend(routing, { ...request, declaration, pool, url, weight: weight ?? weightDefault }),
  }
}

function changeBackend(pool: string, backend: Backend, target: BackendTarget): Step {
  const { id } = target
  const set = changesToBackend(backend, target)
  return {
    effect: 'changed', path: target.path, subject: `backends/${pool}/${id}`,
    decide: (routing, request) => decideChangeBackend(routing, { ...request, id, pool, set }),
  }
}

function removeBackend(pool: string, id: string): Step {
  return {
    effect: 'removed', path: [], subject: `backends/${pool}/${id}`,
    decide: (routing, request) => decideRemoveBackend(routing, { ...request, force: false, id, pool }),
  }
}

/** One record with its backends; those that one record can't hold are added after it. */
function createPool({ backends, declaration, fields, name, path }: PoolTarget): Step[] {
  const inline = (backends ?? []).slice(0, howManyFit(backends ?? []))
  const command = {
    ...poolDefaults, ...fields, name, declaration,
    backends: inline.map((target) => ({ declaration: target.declaration, url: target.url, weight: target.weight ?? weightDefault })),
    // Not declared: the rule for automatic default routes applies.
    defaultRoute: fields.defaultRoute ?? null,
  }
  return [
    {
      effect: 'created', path, subject: `pools/${name}`,
      decide: (routing, request, rules) => decideCreatePool(routing, { ...request, ...command }, rules),
    },
    ...(backends ?? []).slice(inline.length).map((target) => addBackend(name, target)),
  ]
}

/** Leaves a third of a control record for the rest of the pool. */
const inlineBackendsBytesMax = 40_000
/** What a record spells about a backend besides its address (twice) and its declaration. */
const backendOverheadBytes = 80

function howManyFit(backends: readonly BackendTarget[]): number {
  let bytes = 0
  for (const [index, { declaration, id }] of backends.entries()) {
    bytes += backendOverheadBytes + 2 * id.length + Buffer.byteLength(JSON.stringify(declaration))
    if (bytes > inlineBackendsBytesMax) return index
  }
  return backends.length
}
