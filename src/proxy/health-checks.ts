import type { Routing } from '../../projections/routing.ts'
import { backendChecked } from '../core/channels.ts'
import type { Clock, Timer } from '../core/clock.ts'
import { errnoOf } from '../core/errors.ts'
import type { Network, Socket, SocketHandler } from '../core/network.ts'
import type { Random } from '../core/random.ts'
import type { Addresses } from './addresses.ts'
import type { BackendState } from './backends.ts'
import { isOwnResourceError } from './dial.ts'
import type { HealthBook } from './health-book.ts'
import { ignoreSocket } from './sockets/sides.ts'

/**
 * Connects to every backend now and then and closes again with FIN. Intervals are the pool's, with jitter, so that
 * the checks of many backends and many nodes don't fall together.
 */

/** Checks come between 0.9 and 1.1 of the interval. */
const jitter = 0.1
/** The first check of a backend comes within this time. */
const firstCheckMsMax = 500

interface Schedule {
  timer: Timer
  readonly intervalMs: number
  rounds: number
  /** Ends the check that runs now, so that nothing of it outlives the backend or the node. */
  giveUp: (() => void) | null
}

export interface HealthCheckParts {
  readonly addresses: Addresses
  readonly clock: Clock
  readonly health: HealthBook
  readonly network: Network
  readonly random: Random
  readonly timeoutMs: number
}

export class HealthChecks implements Disposable {
  readonly #parts: HealthCheckParts
  readonly #schedules = new Map<BackendState, Schedule>()

  constructor(parts: HealthCheckParts) {
    this.#parts = parts
  }

  /** Takes over a new configuration: starts, stops and re-times checks. */
  update(routing: Routing, backends: Iterable<BackendState>): void {
    const wanted = new Set<BackendState>()
    for (const backend of backends) {
      const intervalMs = routing.pools.get(backend.pool)?.healthCheckIntervalMs
      if (intervalMs === undefined) continue
      wanted.add(backend)
      if (this.#schedules.get(backend)?.intervalMs === intervalMs) continue
      this.#cancel(backend)
      const firstMs = this.#parts.random.float() * Math.min(firstCheckMsMax, intervalMs)
      this.#schedules.set(backend, { timer: this.#later(backend, firstMs), intervalMs, rounds: 0, giveUp: null })
    }
    for (const backend of this.#schedules.keys()) if (!wanted.has(backend)) this.#cancel(backend)
  }

  [Symbol.dispose](): void {
    for (const backend of this.#schedules.keys()) this.#cancel(backend)
  }

  #later(backend: BackendState, ms: number): Timer {
    return this.#parts.clock.after(ms, () => void this.#run(backend))
  }

  #cancel(backend: BackendState): void {
    const schedule = this.#schedules.get(backend)
    this.#schedules.delete(backend)
    schedule?.timer[Symbol.dispose]()
    schedule?.giveUp?.()
  }

  async #run(backend: BackendState): Promise<void> {
    const schedule = this.#schedules.get(backend)
    if (schedule === undefined) return
    const gone = Promise.withResolvers<void>()
    schedule.giveUp = gone.resolve
    const startedMs = this.#parts.clock.monotonicMs()
    const code = await this.#check(backend, Math.min(this.#parts.timeoutMs, schedule.intervalMs), schedule.rounds++, gone.promise)
    schedule.giveUp = null
    if (this.#schedules.get(backend) !== schedule) return
    if (backendChecked.isHeard) {
      backendChecked.tell({ backend: backend.id, code, ms: this.#parts.clock.monotonicMs() - startedMs, pool: backend.pool })
    }
    if (code === null) this.#parts.health.report(backend, true, 'check_succeeded', null)
    else if (!isOwnResourceError(code)) this.#parts.health.report(backend, false, 'check_failed', code)
    const factor = 1 - jitter + 2 * jitter * this.#parts.random.float()
    schedule.timer = this.#later(backend, schedule.intervalMs * factor)
  }

  /** Null when the backend accepted, else what failed. Names with several addresses are checked in turn. */
  async #check(backend: BackendState, timeoutMs: number, round: number, gone: Promise<void>): Promise<string | null> {
    const { addresses, clock, network } = this.#parts
    let ips: readonly string[]
    try {
      ips = await addresses.of(backend.host, timeoutMs, gone)
    } catch (error) {
      return errnoOf(error)
    }
    const { promise, resolve } = Promise.withResolvers<string | null>()
    const handler = new CheckHandler(resolve)
    const socket = network.connect({ ip: ips[round % ips.length]!, port: backend.port }, handler)
    using _timer = clock.after(timeoutMs, () => resolve('timeout'))
    void gone.then(() => resolve('ECANCELED'))
    const code = await promise
    finish(socket)
    return code
  }
}

class CheckHandler implements SocketHandler {
  readonly #settle: (code: string | null) => void
  constructor(settle: (code: string | null) => void) {
    this.#settle = settle
  }
  onConnected(): void {
    this.#settle(null)
  }
  onBytes(): void {}
  onEnd(): void {}
  onDrained(): void {}
  onClosed(code: string | null): void {
    this.#settle(code ?? 'ECONNABORTED')
  }
}

/** Nothing is unread, so the kernel says FIN. */
function finish(socket: Socket): void {
  socket.handler = ignoreSocket
  socket.destroy()
}
