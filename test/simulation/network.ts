import { formatEndpoint } from '../../src/core/endpoint.ts'
import type { Endpoint, Listening, Network, Socket, SocketHandler } from '../../src/core/network.ts'
import type { Life } from './life.ts'
import { SimulatedSocket } from './socket.ts'
import type { Peer, SocketWorld } from './wire.ts'

/** The network of a simulated world: clients, the node's machine and its backends, and everything that went over it. */

export const nodeIp = '192.0.2.9'

/** A client that the node was given; each has to end in exactly one of refused, or opened and closed. */
export interface Accepted {
  readonly socket: SimulatedSocket
  readonly listener: string
  readonly atMs: number
}

/** A connection from the node to a backend, health checks included. */
export interface Dialled {
  readonly socket: SimulatedSocket
  readonly atMs: number
}

/** What becomes of a dial; `silence`: no answer at all. An errno name: the node is told so. */
export type DialOutcome = { readonly peer: (socket: SimulatedSocket) => Peer } | { readonly code: string } | 'silence'

export interface NetworkRules {
  dial(to: Endpoint): DialOutcome
  /** The addresses of a host, an errno name, or no answer. */
  lookup(host: string): readonly string[] | { readonly code: string } | 'silence'
  /** An errno name where binding fails. */
  bind(endpoint: Endpoint): string | null
}

export class SimulatedNetwork {
  readonly accepted: Accepted[] = []
  readonly dialled: Dialled[] = []
  readonly #world: SocketWorld
  readonly #rules: NetworkRules
  readonly #onFirstByte: (socket: SimulatedSocket, bytes: Uint8Array) => void
  readonly #listening = new Map<string, { readonly life: Life; readonly accept: (socket: Socket) => void }>()
  #port = 20_000

  constructor(world: SocketWorld, rules: NetworkRules, onFirstByte: (socket: SimulatedSocket, bytes: Uint8Array) => void) {
    this.#world = world
    this.#rules = rules
    this.#onFirstByte = onFirstByte
  }

  /** The network as one process sees it. */
  attach(life: Life): Network {
    return {
      listen: (endpoint, accept) => this.#listen(life, endpoint, accept),
      connect: (endpoint, handler) => this.#connect(life, endpoint, handler),
      lookup: (host) => this.#lookup(life, host),
    }
  }

  /** A client arrives. Null when nobody listens there. */
  client(to: Endpoint, from: Endpoint | null, peer: (socket: SimulatedSocket) => Peer): SimulatedSocket | null {
    const key = formatEndpoint(to)
    const listening = this.#listening.get(key)
    if (listening === undefined || !listening.life.touch()) return null
    const socket = new SimulatedSocket(this.#world, listening.life, { local: to, remote: from }, 'open')
    socket.peer = peer(socket)
    socket.onFirstByte = (bytes) => this.#onFirstByte(socket, bytes)
    this.accepted.push({ socket, listener: key, atMs: this.#world.schedule.nowMs })
    listening.accept(socket)
    return socket
  }

  /** The process is dead: its listeners are gone, and its kernel ends its connections. */
  died(life: Life): void {
    for (const [key, listening] of this.#listening) if (listening.life === life) this.#listening.delete(key)
    for (const { socket } of [...this.accepted, ...this.dialled]) if (socket.life === life) socket.orphaned()
  }

  /** What a process has open: nothing, once it has ended in order. */
  held(life: Life): { readonly listeners: number; readonly sockets: number } {
    const sockets = [...this.accepted, ...this.dialled].filter(({ socket }) => socket.life === life && socket.open)
    return { listeners: [...this.#listening.values()].filter((each) => each.life === life).length, sockets: sockets.length }
  }

  #listen(life: Life, endpoint: Endpoint, accept: (socket: Socket) => void): Promise<Listening> {
    if (!life.touch()) return new Promise(() => {})
    const key = formatEndpoint(endpoint)
    const code = this.#listening.has(key) ? 'EADDRINUSE' : this.#rules.bind(endpoint)
    if (code !== null) return Promise.reject(failure(code))
    const listening = { life, accept }
    this.#listening.set(key, listening)
    return Promise.resolve({
      endpoint,
      [Symbol.asyncDispose]: () => {
        if (life.touch() && this.#listening.get(key) === listening) this.#listening.delete(key)
        return Promise.resolve()
      },
    })
  }

  #connect(life: Life, to: Endpoint, handler: SocketHandler): Socket {
    const local = { ip: nodeIp, port: (this.#port += 1) }
    const socket = new SimulatedSocket(this.#world, life, { local, remote: to }, 'dialling')
    socket.handler = handler
    socket.onFirstByte = (bytes) => this.#onFirstByte(socket, bytes)
    if (!life.touch()) return socket
    this.dialled.push({ socket, atMs: this.#world.schedule.nowMs })
    const outcome = this.#rules.dial(to)
    if (outcome === 'silence') return socket
    if ('peer' in outcome) socket.peer = outcome.peer(socket)
    this.#soon(() => {
      if ('code' in outcome) socket.dialFailed(outcome.code)
      else socket.connected()
    })
    return socket
  }

  #lookup(life: Life, host: string): Promise<readonly string[]> {
    return new Promise((resolve, reject) => {
      if (!life.touch()) return
      const found = this.#rules.lookup(host)
      if (found === 'silence') return
      this.#soon(() => {
        if (!life.touch()) return
        if ('code' in found) reject(failure(found.code))
        else resolve(found)
      })
    })
  }

  #soon(run: () => void): void {
    this.#world.schedule.after(this.#world.random.float() * this.#world.latencyMs, run)
  }
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code })
}
