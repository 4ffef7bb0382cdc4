import type { Clock, Timer } from '../../core/clock.ts'
import type { Endpoint, Listening, Network, Socket } from '../../core/network.ts'
import type { Engine, Ending, Entrance } from '../engine.ts'
import type { HelloLimits } from '../hello/parser.ts'
import type { Phase } from '../lifecycle.ts'
import { SocketLink, type LinkHost } from './link.ts'
import { Farewells } from './farewells.ts'
import type { RelayTimeouts } from './relay.ts'
import { ignoreSocket } from './sides.ts'

/**
 * The Engine on the Network port. Keeps every live link in one set, and finds those that overstayed by looking at all
 * of them now and then: no timer per connection, none per chunk.
 */

export interface EngineTimeouts extends RelayTimeouts {
  /** From accept to a complete hello. */
  readonly peekTimeoutMs: number
}

/** How late a timeout may be seen. */
const sweepMs = 250

export class SocketEngine implements Engine, LinkHost {
  readonly clock: Clock
  readonly network: Network
  readonly helloLimits: HelloLimits
  readonly farewells: Farewells
  readonly #timeouts: EngineTimeouts
  readonly #sweeper: Timer
  /** In the order of accept, so that the oldest come first. */
  readonly #peeking = new Set<SocketLink>()
  readonly #dialing = new Set<SocketLink>()
  readonly #relaying = new Set<SocketLink>()
  readonly #live = new Set<SocketLink>()

  constructor(clock: Clock, network: Network, helloLimits: HelloLimits, timeouts: EngineTimeouts) {
    this.clock = clock
    this.network = network
    this.helloLimits = helloLimits
    this.#timeouts = timeouts
    this.farewells = new Farewells(clock)
    this.#sweeper = clock.every(sweepMs, () => this.#sweep())
  }

  get links(): number {
    return this.#live.size
  }

  get peeking(): number {
    return this.#peeking.size
  }

  listen(endpoint: Endpoint, entrance: Entrance): Promise<Listening> {
    return this.network.listen(endpoint, (socket) => this.#accept(socket, entrance))
  }

  abortAll(ending: Ending): void {
    for (const link of this.#live) link.abort(ending)
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#sweeper[Symbol.dispose]()
    this.farewells[Symbol.dispose]()
    return Promise.resolve()
  }

  moved(link: SocketLink, phase: Phase): void {
    if (phase === 'dialing') this.#dialing.add(link)
    else if (phase === 'relaying') this.#relaying.add(link)
    else if (phase !== 'half_closed') {
      this.#peeking.delete(link)
      this.#dialing.delete(link)
    }
    if (phase === 'closed') {
      this.#relaying.delete(link)
      this.#live.delete(link)
    }
  }

  #accept(socket: Socket, entrance: Entrance): void {
    if (!entrance.gate(socket.remote)) {
      socket.handler = ignoreSocket
      socket.reset()
      return
    }
    const link = new SocketLink(this, socket)
    this.#live.add(link)
    this.#peeking.add(link)
    entrance.serve(link)
  }

  #sweep(): void {
    const nowMs = this.clock.monotonicMs()
    for (const link of this.#peeking) {
      if (nowMs - link.acceptedMs < this.#timeouts.peekTimeoutMs) break
      link.endPeek()
    }
    this.farewells.sweep(nowMs)
    for (const link of this.#dialing) link.sweepDial(nowMs)
    for (const link of this.#relaying) link.sweep(nowMs, this.#timeouts)
  }
}
