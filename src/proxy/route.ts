import type { Pool, Routing } from '../../projections/routing.ts'

/**
 * Which pool a client goes to: the listener's own pool, else by server name (exact, then one wildcard label), else the
 * default route. Names are compared in lower case without a trailing dot, the form that the parser gives them.
 */
export function findPool(routing: Routing, ownPool: string | null, name: string | null): Pool | null {
  const poolName = ownPool ?? (name === null ? null : byName(routing, name)) ?? routing.defaultRoute
  return poolName === null ? null : (routing.pools.get(poolName) ?? null)
}

function byName(routing: Routing, name: string): string | null {
  const exact = routing.exactNames.get(name)
  if (exact !== undefined) return exact
  const dot = name.indexOf('.')
  return dot <= 0 ? null : (routing.wildcardNames.get(name.slice(dot + 1)) ?? null)
}
