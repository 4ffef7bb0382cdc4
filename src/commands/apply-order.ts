import type { Pool, Routing } from '../../projections/routing.ts'
import { holderOf } from '../../projections/server-names.ts'
import { collides, parseEndpoint } from '../core/endpoint.ts'
import type { PoolChanges } from './change-pool.ts'

/**
 * In which order pools are changed so that server names, listen addresses and the default route can move between them:
 * whoever gives something up goes before whoever takes it. Where pools swap, one of them gives up in a step of its own.
 */

/** A pool that exists, and what is to be set. */
export interface PoolChange {
  readonly pool: Pool
  readonly set: PoolChanges
}

/** All of the changes, and before them what has to be given up first. */
export function inOrder(routing: Routing, changes: readonly PoolChange[]): PoolChange[] {
  const holders = new Holders(routing, changes)
  const ordered: PoolChange[] = []
  const state = new Map<string, 'begun' | 'given_up' | 'done'>()
  const visit = (change: PoolChange): void => {
    const name = change.pool.name
    const reached = state.get(name)
    if (reached === 'begun') {
      // Somebody waits for this pool, which waits for somebody.
      ordered.push({ pool: change.pool, set: leaving(change) })
      state.set(name, 'given_up')
    }
    if (reached !== undefined) return
    state.set(name, 'begun')
    for (const holder of holders.inTheWayOf(change)) visit(holder)
    ordered.push(change)
    state.set(name, 'done')
  }
  for (const change of changes) visit(change)
  return ordered
}

/** Only what the pool holds now and will not hold. */
function leaving({ pool, set }: PoolChange): PoolChanges {
  const kept = set.serverNames === undefined ? pool.serverNames : pool.serverNames.filter((name) => set.serverNames!.includes(name))
  return {
    ...(set.defaultRoute === false ? { defaultRoute: false } : {}),
    ...(set.listen === undefined || set.listen === pool.listen ? {} : { listen: null }),
    ...(kept.length === pool.serverNames.length ? {} : { serverNames: kept }),
  }
}

/** Who holds what now, among the pools that are changed. */
class Holders {
  readonly #routing: Routing
  readonly #changes: ReadonlyMap<string, PoolChange>
  readonly #byPort = new Map<number, PoolChange[]>()

  constructor(routing: Routing, changes: readonly PoolChange[]) {
    this.#routing = routing
    this.#changes = new Map(changes.map((change) => [change.pool.name, change]))
    for (const change of changes) {
      const endpoint = endpointOf(change.pool.listen)
      if (endpoint !== null) this.#byPort.set(endpoint.port, [...(this.#byPort.get(endpoint.port) ?? []), change])
    }
  }

  inTheWayOf({ pool, set }: PoolChange): ReadonlySet<PoolChange> {
    const names: (string | null)[] = (set.serverNames ?? []).map((name) => holderOf(this.#routing, name))
    if (set.defaultRoute === true) names.push(this.#routing.defaultRoute)
    const found = new Set<PoolChange>()
    for (const name of names) {
      const holder = name === pool.name ? undefined : this.#changes.get(name ?? '')
      if (holder !== undefined) found.add(holder)
    }
    const wanted = endpointOf(set.listen)
    for (const holder of wanted === null ? [] : (this.#byPort.get(wanted.port) ?? [])) {
      if (holder.pool !== pool && collides(wanted!, endpointOf(holder.pool.listen)!)) found.add(holder)
    }
    return found
  }
}

/** Of an address that is canonical already. */
function endpointOf(listen: string | number | null | undefined): { ip: string; port: number } | null {
  const parsed = typeof listen === 'string' ? parseEndpoint(listen) : null
  return parsed !== null && 'value' in parsed ? parsed.value : null
}
