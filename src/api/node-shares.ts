import type { PoolTotals } from '../../projections/nodes.ts'
import type { Pool } from '../../projections/routing.ts'
import type { NodeNow } from '../live/nodes.ts'
import type { NodeShare } from './schemas-nodes.ts'

/** What all nodes together have in a pool, and each one's share of it. */

/** Sums over all nodes that are known, also those that ended. */
export interface ClusterTotals {
  readonly connections: number
  readonly bytes: number
  /** The oldest record that is counted anywhere; null: none is. */
  readonly since: string | null
}

export function clusterTotals(pool: string, nodes: readonly NodeNow[]): ClusterTotals {
  let [connections, bytes] = [0, 0]
  let since: string | null = null
  for (const node of nodes) {
    const totals = node.totalsOf(pool)
    if (totals === null) continue
    connections += totals.connectionsOpen
    bytes += totals.bytesToBackend + totals.bytesToClient
    const own = node.report?.since ?? null
    if (own !== null && (since === null || own < since)) since = own
  }
  return { connections, bytes, since }
}

/** Of the nodes that run, and of others that had to do with the pool. */
export function nodeShares(pool: Pool, nodes: readonly NodeNow[]): NodeShare[] {
  return nodes.flatMap((node) => {
    const totals = node.totalsOf(pool.name)
    if (totals === null && node.state !== 'running') return []
    const down = node.downOf(pool.name, pool.backends.keys())
    return {
      node: node.node,
      self: node.isSelf,
      state: node.state,
      stale: node.stale,
      seen_at: node.seenAt,
      since: node.report?.since ?? null,
      healthy_backends: Math.max(0, pool.backends.size - (totals?.backendsDown ?? 0)),
      backends_down: down.map(({ backend, code, since }) => ({ backend, since, code })),
      ...trafficOf(totals),
    }
  })
}

export function trafficOf(totals: PoolTotals | null) {
  return {
    current_connections: totals?.connectionsOpen ?? 0,
    total_connections: totals?.opened ?? 0,
    bytes_to_backend: totals?.bytesToBackend ?? 0,
    bytes_to_client: totals?.bytesToClient ?? 0,
    dial_failures: totals?.dialFailures ?? 0,
  }
}
