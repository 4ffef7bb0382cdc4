import { ListenerBound, ListenerClosed, ListenerFailed } from '../../events/listener.ts'
import { listenerName, sharedListener } from '../../projections/listeners.ts'
import type { Routing } from '../../projections/routing.ts'
import type { Clock, Timer } from '../core/clock.ts'
import { formatEndpoint, parseEndpoint } from '../core/endpoint.ts'
import { errnoOf } from '../core/errors.ts'
import type { Endpoint, Listening } from '../core/network.ts'
import type { ListenerNow } from '../live/node-view.ts'
import type { Drafts } from '../log/drafts.ts'
import type { Notes } from '../log/notes.ts'
import type { Engine, Entrance } from './engine.ts'
import type { Entry } from './serve.ts'

/**
 * Binds what the configuration asks for: the shared listener and one for each pool that has its own address. What is
 * bound, what failed and what was closed is on record; a bind that failed is tried again.
 */

const retryMs = 5_000

interface Listener {
  readonly entry: Entry
  readonly wanted: Endpoint
  listening: Listening | null
  code: string | null
}

export class Listeners {
  readonly #engine: Engine
  readonly #notes: Notes
  readonly #drafts: Drafts
  readonly #shared: Endpoint
  readonly #entrance: (entry: Entry) => Entrance
  readonly #retry: Timer
  readonly #listeners = new Map<string, Listener>()
  /** Binds and closes one at a time, so that an address is free before it is bound again. */
  #working: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(engine: Engine, clock: Clock, notes: Notes, drafts: Drafts, shared: Endpoint, entrance: (entry: Entry) => Entrance) {
    this.#engine = engine
    this.#notes = notes
    this.#drafts = drafts
    this.#shared = shared
    this.#entrance = entrance
    this.#retry = clock.every(retryMs, () => void this.#enqueue(() => this.#bindMissing()))
  }

  /** Resolves when everything that can be bound is. */
  update(routing: Routing): Promise<void> {
    return this.#enqueue(async () => {
      const wanted = new Map<string, Listener>([[sharedListener, listener(null, this.#shared)]])
      for (const pool of routing.pools.values()) {
        if (pool.listen === null) continue
        const endpoint = parseEndpoint(pool.listen)
        if ('value' in endpoint) wanted.set(listenerName(pool.name), listener(pool.name, endpoint.value))
      }
      for (const [name, current] of this.#listeners) {
        const next = wanted.get(name)
        if (next !== undefined && formatEndpoint(next.wanted) === formatEndpoint(current.wanted)) continue
        this.#listeners.delete(name)
        await this.#close(current)
      }
      for (const [name, next] of wanted) if (!this.#listeners.has(name)) this.#listeners.set(name, next)
      await this.#bindMissing()
    })
  }

  view(): readonly ListenerNow[] {
    return [...this.#listeners.values()].map(({ entry, wanted, listening, code }) => ({
      listener: entry.listener,
      pool: entry.ownPool,
      address: formatEndpoint(listening?.endpoint ?? wanted),
      state: listening === null ? 'failed' : 'bound',
      code,
    }))
  }

  /** Accepts nobody any more. */
  stop(): Promise<void> {
    this.#stopped = true
    this.#retry[Symbol.dispose]()
    return this.#enqueue(async () => {
      for (const current of this.#listeners.values()) await this.#close(current)
      this.#listeners.clear()
    })
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    this.#working = this.#working.then(work)
    return this.#working
  }

  async #bindMissing(): Promise<void> {
    if (this.#stopped) return
    for (const current of this.#listeners.values()) if (current.listening === null) await this.#bind(current)
  }

  async #bind(current: Listener): Promise<void> {
    const { listener, ownPool: pool } = current.entry
    try {
      current.listening = await this.#engine.listen(current.wanted, this.#entrance(current.entry))
    } catch (error) {
      const code = errnoOf(error)
      const isNews = current.code !== code
      current.code = code
      if (!isNews) return
      const address = formatEndpoint(current.wanted)
      this.#note(listener, this.#drafts.make(ListenerFailed, `listeners/${listener}`, { address, code, listener, pool }))
      return
    }
    current.code = null
    const address = formatEndpoint(current.listening.endpoint)
    this.#note(listener, this.#drafts.make(ListenerBound, `listeners/${listener}`, { address, listener, pool }))
  }

  async #close({ entry, listening }: Listener): Promise<void> {
    if (listening === null) return
    await listening[Symbol.asyncDispose]()
    const { listener, ownPool: pool } = entry
    const address = formatEndpoint(listening.endpoint)
    this.#note(listener, this.#drafts.make(ListenerClosed, `listeners/${listener}`, { address, listener, pool }))
  }

  #note(listener: string, draft: ReturnType<Drafts['make']>): void {
    this.#notes.write('operations', `listener ${listener} ${draft.type}`, draft)
  }
}

function listener(ownPool: string | null, wanted: Endpoint): Listener {
  return { entry: { listener: listenerName(ownPool), ownPool }, wanted, listening: null, code: null }
}
