import { connect, createServer, type Server, type Socket } from 'node:net'

/**
 * Stands between clients and a broker and understands just enough of the protocol to lose what a network loses: frames
 * with their length before them, the kind of each request, and which answer belongs to it. The broker has to advertise
 * this address, so that clients stay here.
 */

/** What becomes of the next answers to Produce, oldest first. */
export type Fate =
  /** The broker has stored it, and the answer is lost with the connection. */
  | 'drop'
  /** The broker has stored it, and the answer never comes on a connection that stays. */
  | 'swallow'
  /** The request itself is kept back until `release`, while its connection is closed for the client. */
  | 'hold'

export interface FaultProxy extends AsyncDisposable {
  readonly address: string
  /** Where to. */
  upstream(host: string, port: number): void
  /** The next Produce requests meet these, one each. */
  plan(...fates: Fate[]): void
  /** Drops what was planned and has not happened. */
  forget(): void
  /** Sends what was held to the broker, as a network that delivers late does. */
  release(): void
  /** Accepts and forwards nothing, until `heal`. */
  blackhole(): void
  heal(): void
  /** Closes every connection. */
  cut(): void
  /** Produce requests that came. */
  readonly produced: number
  readonly held: number
  /** Clients that are connected. */
  readonly connections: number
}

const produce = 0

export async function startFaultProxy(): Promise<FaultProxy> {
  const proxy = new Proxy()
  await proxy.listen()
  return proxy
}

class Proxy implements FaultProxy {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #fates: Fate[] = []
  readonly #held: Buffer[] = []
  #upstream = { host: '127.0.0.1', port: 0 }
  #black = false
  produced = 0

  constructor() {
    this.#server = createServer((client) => this.#accept(client))
  }

  get address(): string {
    const address = this.#server.address()
    return `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
  }
  get held(): number {
    return this.#held.length
  }

  get connections(): number {
    return this.#sockets.size / 2
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
  }
  upstream(host: string, port: number): void {
    this.#upstream = { host, port }
  }
  plan(...fates: Fate[]): void {
    this.#fates.push(...fates)
  }
  forget(): void {
    this.#fates.length = 0
  }
  blackhole(): void {
    this.#black = true
  }
  heal(): void {
    this.#black = false
    this.cut()
  }
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  release(): void {
    for (const request of this.#held.splice(0)) {
      const broker = connect(this.#upstream.port, this.#upstream.host)
      broker.on('error', () => {})
      broker.once('data', () => broker.destroy())
      broker.write(request)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #accept(client: Socket): void {
    const broker = connect(this.#upstream.port, this.#upstream.host)
    const lost = new Map<number, Fate>()
    for (const socket of [client, broker]) {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.once('close', () => {
        this.#sockets.delete(socket)
        client.destroy()
        broker.destroy()
      })
    }
    frames(client, (frame) => {
      if (this.#black) return
      const fate = frame.readInt16BE(4) === produce ? this.#fateOf() : null
      if (fate === 'hold') {
        this.#held.push(frame)
        client.destroy()
        return
      }
      if (fate !== null) lost.set(frame.readInt32BE(8), fate)
      broker.write(frame)
    })
    frames(broker, (frame) => {
      if (this.#black) return
      const fate = lost.get(frame.readInt32BE(4))
      if (fate === undefined) client.write(frame)
      else if (fate === 'drop') client.destroy()
    })
  }

  #fateOf(): Fate | null {
    this.produced += 1
    return this.#fates.shift() ?? null
  }
}

function frames(socket: Socket, take: (frame: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const end = 4 + rest.readInt32BE(0)
      take(rest.subarray(0, end))
      rest = rest.subarray(end)
    }
  })
}
