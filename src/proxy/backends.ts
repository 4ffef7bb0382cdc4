import type { Backend, Pool, Routing } from '../../projections/routing.ts'
import { newBackendHealth, type BackendHealthState } from './health-state.ts'

/**
 * What this node knows of each backend beyond the configuration: its health as seen from here, how many leases are out,
 * and where the round robin stands. Survives changes of the configuration for as long as the backend does.
 */

export interface OpenCounts {
  readonly bytesToBackend: number
  readonly bytesToClient: number
}

export class BackendState {
  readonly pool: string
  readonly id: string
  readonly host: string
  readonly port: number
  health: BackendHealthState = newBackendHealth
  /** What failed last, for people; null while up. */
  lastCode: string | null = null
  /** Connections being dialled or open. */
  leases = 0
  /** Smooth weighted round robin: how much this one is owed. */
  owed = 0
  /** Connections on record as open, for the live part of the statistics. */
  readonly open = new Set<OpenCounts>()

  constructor(pool: string, backend: Backend) {
    this.pool = pool
    this.id = backend.id
    this.host = backend.host
    this.port = backend.port
  }

  get takesTraffic(): boolean {
    return this.health.state !== 'down'
  }
}

/** One slot on a backend; given back by disposing it, once. */
export class Lease implements Disposable {
  readonly backend: BackendState
  #held = true

  constructor(backend: BackendState) {
    this.backend = backend
    backend.leases += 1
  }

  [Symbol.dispose](): void {
    if (!this.#held) return
    this.#held = false
    this.backend.leases -= 1
  }
}

export class Backends {
  readonly #pools = new Map<string, Map<string, BackendState>>()

  /** Takes over a new configuration. Returns what was added and what is gone. */
  update(routing: Routing): { readonly added: readonly BackendState[]; readonly removed: readonly BackendState[] } {
    const added: BackendState[] = []
    const removed: BackendState[] = []
    for (const [name, states] of this.#pools) {
      const pool = routing.pools.get(name)
      for (const [id, state] of states) {
        if (pool?.backends.has(id)) continue
        states.delete(id)
        removed.push(state)
      }
      if (pool === undefined) this.#pools.delete(name)
    }
    for (const pool of routing.pools.values()) {
      const states = this.#statesOf(pool.name)
      for (const backend of pool.backends.values()) {
        if (states.has(backend.id)) continue
        const state = new BackendState(pool.name, backend)
        states.set(backend.id, state)
        added.push(state)
      }
    }
    return { added, removed }
  }

  find(pool: string, id: string): BackendState | undefined {
    return this.#pools.get(pool)?.get(id)
  }

  *all(): Iterable<BackendState> {
    for (const states of this.#pools.values()) yield* states.values()
  }

  /** The backends of a pool that may take a new connection now, with their weights, those already tried left out. */
  candidates(pool: Pool, tried: ReadonlySet<string>): Candidate[] {
    const candidates: Candidate[] = []
    const states = this.#pools.get(pool.name)
    if (states === undefined) return candidates
    for (const backend of pool.backends.values()) {
      if (backend.draining || tried.has(backend.id)) continue
      const state = states.get(backend.id)
      if (state?.takesTraffic) candidates.push({ state, weight: backend.weight })
    }
    return candidates
  }

  #statesOf(pool: string): Map<string, BackendState> {
    let states = this.#pools.get(pool)
    if (states === undefined) {
      states = new Map<string, BackendState>()
      this.#pools.set(pool, states)
    }
    return states
  }
}

export interface Candidate {
  readonly state: BackendState
  readonly weight: number
}
