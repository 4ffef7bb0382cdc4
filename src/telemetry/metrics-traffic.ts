import type { Clock } from '../core/clock.ts'
import type { OpenNow, PoolNow } from './metric-sources.ts'
import { BackendCounts, PoolCounts } from './metrics-backend.ts'
import type { MetricsRegistry, Series } from './metrics-registry.ts'

/**
 * What is counted by pool and backend, and how long it is kept: series of what left the configuration go when they can't
 * grow any more, so that there is an end to them however often the configuration changes.
 */

/** Long enough for every scrape to have seen the last number. */
export const seriesKeptMs = 600_000
/** Each has about twenty series; those beyond share the ones of a backend named `other` in their pool. */
export const backendsShownMax = 10_000
const shared = 'other'

export class TrafficCounts {
  readonly #clock: Clock
  readonly #registry: MetricsRegistry
  readonly #pools = new Map<string, PoolCounts>()
  /** With series of their own. */
  #shown = 0

  constructor(clock: Clock, registry: MetricsRegistry) {
    this.#clock = clock
    this.#registry = registry
  }

  pool(name: string): PoolCounts {
    let pool = this.#pools.get(name)
    if (pool === undefined) {
      pool = new PoolCounts(name, this.#registry)
      this.#pools.set(name, pool)
    }
    return pool
  }

  backend(pool: PoolCounts, id: string): BackendCounts {
    let backend = pool.backends.get(id)
    if (backend === undefined) {
      if (this.#shown < backendsShownMax) this.#shown += 1
      // Once shared it stays shared: a counter that lost a part would go down.
      else backend = pool.backends.get(shared) ?? new BackendCounts(pool.labels['pool']!, shared)
      backend ??= new BackendCounts(pool.labels['pool']!, id)
      pool.backends.set(id, backend)
      if (isShared(backend)) pool.backends.set(shared, backend)
    }
    return backend
  }

  /** Takes over what there is now, and drops what has gone long enough ago. */
  look(pools: Iterable<PoolNow>, open: Iterable<OpenNow>): void {
    // Asked to the end before anything is forgotten: a source that fails halfway must not make a counter go down.
    const configured = Array.from(pools, ({ backends, name }) => ({ backends: [...backends], name }))
    const openNow = [...open]
    for (const pool of this.#pools.values()) {
      pool.isConfigured = false
      for (const backend of pool.backends.values()) backend.forgetNow()
    }
    for (const { backends, name } of configured) {
      const pool = this.pool(name)
      pool.isConfigured = true
      for (const { id, isUp, weight } of backends) {
        const counts = this.backend(pool, id)
        // Those that share their series are up while one of them is, and weigh what all of them do.
        const { up, weight: before } = counts.configured ?? { up: 0, weight: 0 }
        counts.configured = { up: Math.max(up, isUp ? 1 : 0), weight: before + weight }
      }
    }
    for (const { backend, bytesToBackend, bytesToClient, connections, pool } of openNow) {
      const counts = this.backend(this.pool(pool), backend)
      counts.openNow += connections
      counts.openToBackend += bytesToBackend
      counts.openToClient += bytesToClient
    }
    this.#dropIdle()
  }

  /** Shows all of it. */
  write(): void {
    const registry = this.#registry
    const pools = [...this.#pools.values()]
    const backends = [...new Set(pools.flatMap((pool) => [...pool.backends.values()]))]
    registry.show('connections.opened', backends.map(({ labels, opened: value }) => ({ labels, value })))
    registry.show('connections.active', backends.map(({ labels, openNow: value }) => ({ labels, value })))
    registry.show('bytes', backends.flatMap((backend) => backend.bytes()))
    registry.show('backend.checks', backends.flatMap((backend) => backend.checks()))
    registry.show('backend.dial.failures', backends.flatMap((backend) => backend.dialFailures()))
    registry.show('backend.dial.retries', pools.map(({ labels, retries: value }) => ({ labels, value })))
    const [up, weight]: [Series[], Series[]] = [[], []]
    for (const backend of backends) {
      if (backend.configured === null) continue
      up.push({ labels: backend.labels, value: backend.configured.up })
      weight.push({ labels: backend.labels, value: backend.configured.weight })
    }
    registry.show('backend.up', up)
    registry.show('backend.weight', weight)
  }

  #dropIdle(): void {
    const nowMs = this.#clock.monotonicMs()
    for (const [name, pool] of this.#pools) {
      for (const [id, backend] of pool.backends) {
        if (!isOver(backend, nowMs)) continue
        pool.backends.delete(id)
        if (!isShared(backend)) this.#shown -= 1
      }
      if (!isOver(pool, nowMs)) continue
      this.#pools.delete(name)
      pool.forget()
    }
  }
}

function isShared({ labels }: BackendCounts): boolean {
  return labels['backend'] === shared
}

function isOver(counts: { readonly canGrow: boolean; idleSinceMs: number | null }, nowMs: number): boolean {
  if (counts.canGrow) counts.idleSinceMs = null
  else counts.idleSinceMs ??= nowMs
  return counts.idleSinceMs !== null && nowMs - counts.idleSinceMs >= seriesKeptMs
}
