import { healthKey, type HealthView } from '../../projections/health.ts'
import type { DownBackend, NodeReport, PoolTotals } from '../../projections/nodes.ts'
import type { Routing } from '../../projections/routing.ts'
import type { Traffic } from '../../projections/traffic.ts'
import { rfc3339, type Clock } from '../core/clock.ts'
import type { OpenCounters } from './node-view.ts'

/** What this node has to say of itself, at this moment: the folds of its own records and the counters of its data path. */

export interface OwnNodeParts {
  readonly clock: Clock
  readonly live: { readonly health: HealthView; readonly routing: Routing; readonly traffic: Traffic }
  readonly open: OpenCounters
  /** Milliseconds that its clock is ahead of the broker's; null: not known, or there is no broker. */
  readonly skewMs: () => number | null
  readonly version: string
  readonly writer: { readonly epoch: string; readonly node: string; readonly run: string }
}

export class OwnNode {
  readonly writer: OwnNodeParts['writer']
  readonly version: string
  readonly startedAt: string
  readonly #parts: OwnNodeParts

  constructor(parts: OwnNodeParts) {
    this.#parts = parts
    this.writer = parts.writer
    this.version = parts.version
    this.startedAt = rfc3339(parts.clock.now())
  }

  report(): NodeReport {
    const { clock, live, open, skewMs } = this.#parts
    const { connections, oldestAt } = open.openInAll()
    const skew = skewMs()
    let refused = 0
    for (const count of live.traffic.refused.values()) refused += count
    return {
      at: rfc3339(clock.now()),
      clockSkewMs: skew === null ? null : Math.round(skew),
      connectionsOpen: connections,
      oldestOpen: oldestAt,
      refused,
      revision: live.routing.revision,
      since: live.traffic.since,
    }
  }

  /** Pools that there are, and others that connections were counted for. */
  poolNames(): ReadonlySet<string> {
    const { routing, traffic } = this.#parts.live
    return new Set([...routing.pools.keys(), ...traffic.pools.keys()])
  }

  /** Open connections included. */
  totalsOf(pool: string): PoolTotals {
    const { live, open } = this.#parts
    const counted = live.traffic.pools.get(pool)
    const now = open.openOfPool(pool)
    let dialFailures = 0
    for (const backend of counted?.backends.values() ?? []) dialFailures += backend.dialFailures
    return {
      backendsDown: this.downOf(pool).length,
      bytesToBackend: (counted?.bytesToBackend ?? 0) + now.bytesToBackend,
      bytesToClient: (counted?.bytesToClient ?? 0) + now.bytesToClient,
      closed: counted?.closed ?? 0,
      connectionsOpen: now.connections,
      dialFailures,
      opened: counted?.opened ?? 0,
    }
  }

  downOf(pool: string): readonly DownBackend[] {
    const { live, open, writer } = this.#parts
    const down: DownBackend[] = []
    for (const backend of live.routing.pools.get(pool)?.backends.keys() ?? []) {
      const { checkedAt, code, state } = open.healthOf(pool, backend)
      if (state !== 'down') continue
      const seen = live.health.get(healthKey(writer.node, pool, backend))
      const since = seen?.up === false ? seen.since : (checkedAt ?? this.startedAt)
      down.push({ pool, backend, since, code })
    }
    return down
  }
}
