import type { Backend, Pool, Routing } from '../../projections/routing.ts'
import type { BackendTraffic, Traffic } from '../../projections/traffic.ts'
import { managedBy } from '../../projections/configuration.ts'
import { unicodeServerName } from '../commands/host-name.ts'
import { warningsOfPool } from '../commands/warnings.ts'
import type { OpenCounters } from '../live/node-view.ts'
import type { NodeNow } from '../live/nodes.ts'
import { clusterTotals, nodeShares } from './node-shares.ts'
import type { BackendView, PoolSummary, PoolView } from './schemas.ts'

/**
 * A pool as the API shows it: the configuration from the routing fold, its statistics over all nodes, and its backends as
 * this node sees them: totals from its traffic fold plus the live counters of open connections.
 */

export interface Statistics {
  readonly traffic: Traffic
  readonly open: OpenCounters
  /** All that are known, this one among them. */
  readonly nodes: readonly NodeNow[]
}

export function poolView(routing: Routing, pool: Pool, statistics: Statistics): PoolView {
  const backends = [...pool.backends.values()].map((backend) => backendView(pool.name, backend, statistics))
  return { ...poolSummary(routing, pool, statistics), nodes: nodeShares(pool, statistics.nodes), backends }
}

export function poolSummary(routing: Routing, pool: Pool, { nodes, open }: Statistics): PoolSummary {
  const { bytes, connections, since } = clusterTotals(pool.name, nodes)
  let healthy = 0
  for (const id of pool.backends.keys()) if (open.healthOf(pool.name, id).state !== 'down') healthy += 1
  const warnings = warningsOfPool(routing, pool)
  const unicode = pool.serverNames.map(unicodeServerName)
  return {
    name: pool.name,
    algorithm: pool.algorithm,
    ssl_mode: pool.sslMode,
    health_check_interval: pool.healthCheckIntervalMs,
    server_names: [...pool.serverNames],
    ...(unicode.every((name, index) => name === pool.serverNames[index]) ? {} : { server_names_unicode: unicode }),
    listen: pool.listen,
    allow_plaintext: pool.allowPlaintext,
    min_tls_version: pool.minTlsVersion,
    reject_ech: pool.rejectEch,
    default_route: pool.defaultRoute,
    ...(pool.defaultRouteReason === null ? {} : { default_route_reason: pool.defaultRouteReason }),
    owner: pool.owner,
    business_need: pool.businessNeed,
    drain_timeout: pool.drainTimeoutMs,
    ...managedBy(pool.declaration),
    created_at: pool.createdAt,
    revision: pool.revision,
    stats: {
      total_backends: pool.backends.size,
      healthy_backends: healthy,
      current_connections: connections,
      total_bytes_transferred: bytes,
      since,
    },
    ...(warnings.length === 0 ? {} : { warnings: [...warnings] }),
  }
}

export function backendView(poolName: string, backend: Backend, { traffic, open }: Statistics): BackendView {
  const totals: BackendTraffic | undefined = traffic.pools.get(poolName)?.backends.get(backend.id)
  const now = open.openByBackend(poolName, backend.id)
  const health = open.healthOf(poolName, backend.id)
  return {
    id: backend.id,
    url: `https://${backend.id}`,
    host: backend.host,
    port: backend.port,
    weight: backend.weight,
    state: backend.drainingSince === null ? 'active' : 'draining',
    draining_since: backend.drainingSince,
    health: health.state,
    health_checked_at: health.checkedAt,
    health_code: health.code,
    current_connections: now.connections,
    total_connections: totals?.opened ?? 0,
    bytes_to_backend: (totals?.bytesToBackend ?? 0) + now.bytesToBackend,
    bytes_to_client: (totals?.bytesToClient ?? 0) + now.bytesToClient,
    dial_failures: totals?.dialFailures ?? 0,
    added_at: backend.addedAt,
    ...managedBy(backend.declaration),
  }
}
