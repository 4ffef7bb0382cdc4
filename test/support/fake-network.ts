import { lentChunkBytesMin, type Endpoint, type Listening, type Network, type Socket, type SocketHandler } from '../../src/core/network.ts'

/**
 * A Network in memory in which nothing happens by itself: what a peer does and when the proxy learns of it are separate
 * steps, taken one at a time by whoever runs the test. Keeps the contract of the port as meanly as it allows: lent chunks
 * are overwritten once their time is over, and a paused socket learns of nothing.
 */

const writeRoomBytes = lentChunkBytesMin
const scribble = 0xee

export class FakeNetwork implements Network {
  readonly sockets: FakeSocket[] = []
  readonly hosts = new Map<string, readonly string[]>()
  /** What happens to the next dials, in turn; `connect` when there is nothing left. */
  readonly dialOutcomes: string[] = []
  readonly #accepting = new Map<string, (socket: Socket) => void>()
  readonly #later: (() => void)[] = []
  #ports = 40_000

  listen(endpoint: Endpoint, accept: (socket: Socket) => void): Promise<Listening> {
    const key = `${endpoint.ip}:${endpoint.port}`
    if (this.#accepting.has(key)) return Promise.reject(Object.assign(new Error('taken'), { code: 'EADDRINUSE' }))
    this.#accepting.set(key, accept)
    return Promise.resolve({
      endpoint,
      [Symbol.asyncDispose]: () => Promise.resolve(void this.#accepting.delete(key)),
    })
  }

  connect(endpoint: Endpoint, handler: SocketHandler): FakeSocket {
    const socket = new FakeSocket(this, endpoint, handler, 'dialling')
    this.sockets.push(socket)
    const outcome = this.dialOutcomes.shift() ?? 'connect'
    if (outcome === 'connect') this.later(() => socket.connected())
    else if (outcome !== 'silence') this.later(() => socket.broke(outcome))
    return socket
  }

  lookup(host: string): Promise<readonly string[]> {
    const addresses = this.hosts.get(host)
    if (addresses !== undefined) return Promise.resolve(addresses)
    return Promise.reject(Object.assign(new Error('unknown'), { code: 'ENOTFOUND' }))
  }

  /** A client connects to whoever listens there. */
  client(endpoint: Endpoint): FakeSocket {
    const accept = this.#accepting.get(`${endpoint.ip}:${endpoint.port}`)
    if (accept === undefined) throw new Error('nobody listens')
    const socket = new FakeSocket(this, { ip: '192.0.2.1', port: this.#ports++ }, unset, 'open')
    this.sockets.push(socket)
    accept(socket)
    return socket
  }

  later(event: () => void): void {
    this.#later.push(event)
  }

  /** Everything that could happen next on the side of the proxy. Taking one may change the others. */
  steps(): (() => void)[] {
    const steps = this.sockets.filter((socket) => socket.canDeliver).map((socket) => () => socket.deliver())
    if (this.#later.length > 0) steps.push(() => this.#later.shift()!())
    return steps
  }
}

const unset: SocketHandler = {
  onConnected: () => {},
  onBytes: () => {},
  onEnd: () => {},
  onDrained: () => {},
  onClosed: () => {},
}

/** One socket of the proxy; `peer…` is the other end of its wire, in the hands of the test. */
export class FakeSocket implements Socket {
  handler: SocketHandler
  readonly remote: Endpoint
  readonly local: Endpoint = { ip: '192.0.2.9', port: 50_000 }
  bytesTaken = 0

  /** What the peer has got, and how it was told that no more will come. */
  readonly peerGot: number[] = []
  peerGotFin = false
  peerGotReset = false
  peerSent = 0
  peerSentFin = false
  peerSentReset = false

  state: 'closed' | 'closing' | 'dialling' | 'open'
  paused = false
  readonly #network: FakeNetwork
  readonly #unread: (Uint8Array | 'fin')[] = []
  readonly #unsent: { readonly chunk: Uint8Array; sent: number }[] = []
  #lent: Uint8Array | null = null
  #window = 0
  #waiting = false
  #ended = false
  #readFin = false

  constructor(network: FakeNetwork, remote: Endpoint, handler: SocketHandler, state: 'dialling' | 'open') {
    this.#network = network
    this.remote = remote
    this.handler = handler
    this.state = state
  }

  // The other end of the wire.

  peerSends(bytes: Uint8Array): void {
    this.peerSent += bytes.length
    this.#unread.push(bytes)
  }
  peerEnds(): void {
    this.peerSentFin = true
    this.#unread.push('fin')
  }
  peerResets(): void {
    this.peerSentReset = true
  }
  /** The peer's kernel has room for this much more. */
  peerReads(bytes: number): void {
    this.#window += bytes
    this.#send()
  }

  // What the proxy sees, one step at a time.

  get canDeliver(): boolean {
    if (this.state !== 'open' || this.paused || this.#readFin) return false
    return this.#unread.length > 0 || this.peerSentReset
  }

  deliver(): void {
    if (!this.canDeliver) return
    const next = this.#unread.shift()
    if (next === undefined) this.broke('ECONNRESET')
    else if (next === 'fin') {
      this.#readFin = true
      this.handler.onEnd()
      this.#closeIfOver()
    } else {
      this.#lent?.fill(scribble)
      const chunk = Buffer.from(next)
      this.#lent = chunk.length >= lentChunkBytesMin ? chunk : null
      this.handler.onBytes(chunk)
    }
  }

  connected(): void {
    if (this.state !== 'dialling') return
    this.state = 'open'
    this.handler.onConnected()
  }

  broke(code: string): void {
    if (this.state === 'closing' || this.state === 'closed') return
    this.#close(code)
  }

  // The port.

  get unsentBytes(): number {
    return this.#unsent.reduce((sum, { chunk }) => sum + chunk.length, 0)
  }
  get bytesDelivered(): number {
    return this.#deliveredAtEnd ?? this.bytesTaken - this.unsentBytes
  }
  #deliveredAtEnd: number | null = null

  write(chunk: Uint8Array): boolean {
    if (this.state === 'dialling' || this.#ended) throw new Error('written at the wrong time')
    if (this.state === 'open' && this.peerSentReset) this.broke('EPIPE')
    if (this.state !== 'open') {
      this.#deliveredAtEnd ??= this.bytesTaken - this.unsentBytes
      this.bytesTaken += chunk.length
      return false
    }
    this.bytesTaken += chunk.length
    this.#unsent.push({ chunk, sent: 0 })
    this.#send()
    this.#waiting = this.unsentBytes >= writeRoomBytes
    return !this.#waiting
  }

  pause(): void {
    this.paused = true
  }
  resume(): void {
    this.paused = false
  }

  keepAlive(): void {}

  end(): void {
    this.#ended = true
    if (this.state === 'open') this.#send()
  }

  reset(): void {
    if (this.state === 'closed' || this.state === 'closing') return
    this.peerGotReset = this.state === 'open'
    this.#close(null)
  }

  destroy(): void {
    if (this.state === 'closed' || this.state === 'closing') return
    if (this.state === 'open') {
      if (this.#unread.length > 0) this.peerGotReset = true
      else this.peerGotFin = true
    }
    this.#close(null)
  }

  #send(): void {
    if (this.state !== 'open' || this.peerSentReset) return
    for (const entry of this.#unsent) {
      const bytes = Math.min(this.#window, entry.chunk.length - entry.sent)
      for (const byte of entry.chunk.subarray(entry.sent, entry.sent + bytes)) this.peerGot.push(byte)
      entry.sent += bytes
      this.#window -= bytes
      if (entry.sent < entry.chunk.length) break
    }
    while (this.#unsent.length > 0 && this.#unsent[0]!.sent === this.#unsent[0]!.chunk.length) this.#unsent.shift()
    if (this.#unsent.length > 0) return
    if (this.#waiting) {
      this.#waiting = false
      this.#network.later(() => {
        if (this.state === 'open') this.handler.onDrained()
      })
    }
    if (!this.#ended || this.peerGotFin) return
    this.peerGotFin = true
    this.#closeIfOver()
  }

  #closeIfOver(): void {
    if (this.#readFin && this.peerGotFin && this.state === 'open') this.#close(null)
  }

  #close(code: string | null): void {
    this.#deliveredAtEnd ??= this.bytesTaken - this.unsentBytes
    this.state = 'closing'
    this.#network.later(() => {
      this.state = 'closed'
      this.handler.onClosed(code)
    })
  }
}
