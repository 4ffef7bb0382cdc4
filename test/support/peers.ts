import { createHash } from 'node:crypto'
import net from 'node:net'
import { once } from 'node:events'
import tls from 'node:tls'
import { certificate } from './certificates.ts'
import { helloMessage, records, serverName } from './tls-hellos.ts'

/** Real TLS and TCP peers on loopback for data path tests. */

export interface Peer extends AsyncDisposable {
  readonly port: number
  readonly server: net.Server
  /** Connections accepted so far. */
  accepted(): number
}

export async function listen(server: net.Server, port = 0): Promise<Peer> {
  let accepted = 0
  const sockets = new Set<net.Socket>()
  server.on('connection', (socket: net.Socket) => {
    accepted += 1
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as net.AddressInfo).port,
    server,
    accepted: () => accepted,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close').catch(() => {})
    },
  }
}

/** Answers every chunk with `<name>:` and what it got. */
export function tlsEcho(name: string, options: tls.TlsOptions = {}, port = 0): Promise<Peer> {
  const server = tls.createServer({ ...certificate('app.example.test'), allowHalfOpen: true, ...options }, (socket) => {
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => socket.write(`${name}:${chunk.toString()}`))
    socket.on('end', () => socket.end())
  })
  return listen(server, port)
}

/** What a backend's first bytes have to be: a ServerHello of TLS 1.3, in one record. After it a proxy sees only ciphertext. */
export const greeting: Buffer = Buffer.concat([
  Buffer.from('160303002c020000280303', 'hex'), Buffer.alloc(32, 7), Buffer.from('001301000000', 'hex'),
])

/** A backend that speaks no TLS but for its `greeting`, sent ahead of its first bytes: for what happens below TLS. */
export function tcpBackend(serve: (socket: net.Socket) => void, { greets = true }: { readonly greets?: boolean } = {}): Promise<Peer> {
  return listen(net.createServer({ allowHalfOpen: true }, (socket) => serve(greets ? greetingFirst(socket) : socket)))
}

function greetingFirst(socket: net.Socket): net.Socket {
  const [write, end] = [socket.write.bind(socket), socket.end.bind(socket)] as const
  let greeted = false
  const withGreeting = (bytes: string | Uint8Array): Buffer => {
    const all = Buffer.concat([...(greeted ? [] : [greeting]), Buffer.from(bytes as string)])
    greeted = true
    return all
  }
  socket.write = ((bytes: string | Uint8Array, ...others: []) => write(withGreeting(bytes), ...others))
  socket.end = ((bytes?: string | Uint8Array | (() => void), ...others: []) =>
    typeof bytes === 'string' || bytes instanceof Uint8Array ? end(withGreeting(bytes), ...others) : end(bytes, ...others))
  return socket
}

/** A TLS client that is through with its handshake. */
export async function tlsClient(port: number, options: tls.ConnectionOptions = {}): Promise<tls.TLSSocket> {
  const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, servername: 'app.example.test', ...options })
  socket.on('error', () => {})
  await once(socket, 'secureConnect')
  return socket
}

/** The bytes of a real hello, as node:tls sends it. */
export async function realHello(servername = 'app.example.test'): Promise<Buffer> {
  const server = net.createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = tls.connect({ port: (server.address() as net.AddressInfo).port, host: '127.0.0.1', servername })
  client.on('error', () => {})
  const [socket] = (await once(server, 'connection')) as [net.Socket]
  const [hello] = (await once(socket, 'data')) as [Buffer]
  client.destroy()
  socket.destroy()
  server.close()
  return hello
}

/** What a socket receives and how it ends, to wait for and to look at. */
export class Tap {
  readonly socket: net.Socket
  /** Empty unless `keeps`: bytes are counted and hashed anyway. */
  readonly #chunks: Buffer[] = []
  readonly #hash = createHash('sha256')
  readonly #waiting = new Set<() => void>()
  /** Of a backend's greeting, which is not kept: how much is still to come, or 0 when something else came first. */
  #greetingLeft = greeting.length
  length = 0
  connected = false
  fin = false
  /** errno name. */
  error: string | null = null
  closed = false

  constructor(socket: net.Socket, keeps = true) {
    this.socket = socket
    socket.on('data', (received: Buffer) => {
      const chunk = this.#withoutGreeting(received)
      if (chunk.length === 0) return
      this.length += chunk.length
      this.#hash.update(chunk)
      if (keeps) this.#chunks.push(chunk)
      this.#tell()
    })
    socket.on('connect', () => {
      this.connected = true
      this.#tell()
    })
    socket.on('end', () => {
      this.fin = true
      this.#tell()
    })
    socket.on('error', (cause: NodeJS.ErrnoException) => {
      this.error = cause.code ?? 'unknown'
      this.#tell()
    })
    socket.on('close', () => {
      this.closed = true
      this.#tell()
    })
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }
  get text(): string {
    return this.bytes.toString('latin1')
  }
  /** SHA-256 of everything received; ask once, at the end. */
  digest(): string {
    return this.#hash.digest('hex')
  }

  async until(condition: (tap: Tap) => boolean): Promise<this> {
    while (!condition(this)) await new Promise<void>((resolve) => this.#waiting.add(resolve))
    return this
  }

  #withoutGreeting(received: Buffer): Buffer {
    if (this.#greetingLeft === 0) return received
    const from = greeting.length - this.#greetingLeft
    const part = Math.min(this.#greetingLeft, received.length)
    const greets = greeting.compare(received, 0, part, from, from + part) === 0
    this.#greetingLeft = greets ? this.#greetingLeft - part : 0
    return greets ? received.subarray(part) : received
  }

  #tell(): void {
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }
}

/** A plain TCP client that is connected; it may go on reading after its own FIN, and the other way round. */
export async function tcpClient(port: number, options: { keeps?: boolean; host?: string } = {}): Promise<Tap> {
  const socket = net.connect({ port, host: options.host ?? '127.0.0.1', allowHalfOpen: true })
  const tap = new Tap(socket, options.keeps ?? true)
  // Or is turned away before it knows that it was connected.
  return tap.until(({ closed, connected }) => connected || closed)
}

export interface TapBackend extends Peer {
  /** The next connection that was not asked for yet. */
  next(): Promise<Tap>
}

/** A backend that does nothing by itself; the test is what speaks. */
export async function tapBackend(options: { readonly greets?: boolean; readonly keeps?: boolean } = {}): Promise<TapBackend> {
  const taps: Tap[] = []
  const waiting: ((tap: Tap) => void)[] = []
  const peer = await tcpBackend((socket) => {
    const tap = new Tap(socket, options.keeps ?? true)
    const wanted = waiting.shift()
    if (wanted === undefined) taps.push(tap)
    else wanted(tap)
  }, options)
  return Object.assign(peer, {
    next: () => {
      const tap = taps.shift()
      return tap === undefined ? new Promise<Tap>((resolve) => waiting.push(resolve)) : Promise.resolve(tap)
    },
  })
}

/** A port on which nothing listens, and nothing is likely to for a while. */
export async function closedPort(): Promise<number> {
  await using peer = await listen(net.createServer())
  return peer.port
}

/** A hello made by hand, in one record, for tests to whom it matters only where it leads. */
export function plainHello(name = 'app.example.test'): Buffer {
  return records(helloMessage({ extensions: [serverName(name)] }))
}

/** As a client gets it, in hexadecimal. */
export function fatalAlert(code: number): string {
  return Buffer.from([21, 3, 3, 0, 2, 2, code]).toString('hex')
}
