import type { Backend, Pool, Routing } from '../../projections/routing.ts'
import type { Ending, Link } from './engine.ts'
import { newBackendHealth, type BackendHealthState } from './health-state.ts'

/**
 * What this node knows of each backend beyond the configuration: its health as seen from here, how many leases are out,
 * and where the round robin stands. Survives changes of the configuration for as long as the backend does.
 */

export class BackendState {
  readonly pool: string
  readonly id: string
  readonly host: string
  readonly port: number
  /** Of the configuration's backend: one that was removed and added again is another one. */
  readonly addedAt: string
  health: BackendHealthState = newBackendHealth
  /** What failed last, for people; null while up. */
  lastCode: string | null = null
  /** Wall time of the last check or dial that said something; null: none yet. */
  checkedAtMs: number | null = null
  /** Connections being dialled or open. */
  leases = 0
  /** It is draining or gone: it gets no new connection, whatever configuration a client was routed by. */
  leaving = false
  /** How its connections are ended, from the end of its drain on: those that were being dialled then, as they open. */
  ending: Ending | null = null
  /** How many were ended like that since the drain began. */
  endedByDrain = 0
  /** Told when the last lease is given back. */
  whenIdle: (() => void) | null = null
  /** Smooth weighted round robin: how much this one is owed. */
  owed = 0
  /** Connections on record as open, for the live part of the statistics. */
  readonly open = new Set<Link>()

  constructor(pool: string, backend: Backend) {
    this.pool = pool
    this.id = backend.id
    this.host = backend.host
    this.port = backend.port
    this.addedAt = backend.addedAt
  }

  get takesTraffic(): boolean {
    return this.health.state !== 'down' && !this.leaving
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
    if (this.backend.leases === 0) this.backend.whenIdle?.()
  }
}

export class Backends {
  readonly #pools = new Map<string, Map<string, BackendState>>()
  /** Removed, and not without connections when that was looked at last. */
  readonly #left = new Set<BackendState>()

  /** Takes over a new configuration. Returns what was added and what is gone. */
  update(routing: Routing): { readonly added: readonly BackendState[]; readonly removed: readonly BackendState[] } {
    const added: BackendState[] = []
    const removed: BackendState[] = []
    for (const state of this.#left) if (state.leases === 0) this.#left.delete(state)
    for (const [name, states] of this.#pools) {
      const pool = routing.pools.get(name)
      for (const [id, state] of states) {
        if (pool?.backends.has(id)) continue
        states.delete(id)
        state.leaving = true
        this.#left.add(state)
        removed.push(state)
      }
      if (pool === undefined) this.#pools.delete(name)
    }
    for (const pool of routing.pools.values()) {
      const states = this.#statesOf(pool.name)
      for (const backend of pool.backends.values()) {
        const known = states.get(backend.id)
        if (known !== undefined) {
          known.leaving = backend.drainingSince !== null
          continue
        }
        const state = new BackendState(pool.name, backend)
        state.leaving = backend.drainingSince !== null
        states.set(backend.id, state)
        added.push(state)
      }
    }
    return { added, removed }
  }

  find(pool: string, id: string): BackendState | undefined {
    return this.#pools.get(pool)?.get(id)
  }

  ofPool(pool: string): readonly BackendState[] {
    return [...(this.#pools.get(pool)?.values() ?? [])]
  }

  /** Those that were taken out of a pool of this name, and are not without connections yet. */
  leftOf(pool: string): readonly BackendState[] {
    return [...this.#left].filter((state) => state.pool === pool && state.leases > 0)
  }

  /** All that go by this name: the backend of now, and what is left of one that was removed and added again. */
  named(pool: string, id: string): readonly BackendState[] {
    const now = this.find(pool, id)
    const left = this.#left.size === 0 ? [] : this.leftOf(pool).filter((state) => state.id === id)
    return now === undefined ? left : [now, ...left]
  }

  *all(): Iterable<BackendState> {
    for (const states of this.#pools.values()) yield* states.values()
  }

  /** All that have open connections, in the configuration or not. */
  *withOpen(): Iterable<BackendState> {
    for (const state of this.all()) if (state.open.size > 0) yield state
    for (const state of this.#left) if (state.open.size > 0) yield state
  }

  /** Slots that are taken, on removed backends too: by connections being dialled, waiting for their record, or open. */
  get leases(): number {
    let leases = 0
    for (const { leases: each } of this.all()) leases += each
    for (const { leases: each } of this.#left) leases += each
    return leases
  }

  /** The backends of a pool that may take a new connection now, with their weights, those already tried left out. */
  candidates(pool: Pool, tried: ReadonlySet<string>): Candidate[] {
    const candidates: Candidate[] = []
    const states = this.#pools.get(pool.name)
    if (states === undefined) return candidates
    for (const backend of pool.backends.values()) {
      if (backend.drainingSince !== null || tried.has(backend.id)) continue
      const state = states.get(backend.id)
      // The client may have been routed by a pool that is gone, of which only the name came back.
      if (state?.takesTraffic && state.addedAt === backend.addedAt) candidates.push({ state, weight: backend.weight })
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
