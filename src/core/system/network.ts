import { lookup } from 'node:dns/promises'
import net from 'node:net'
import type { Endpoint, Listening, Network, Socket } from '../network.ts'
import { endpointOf, onread, SystemSocket, writableHighWaterMark } from './socket.ts'

/**
 * The Network port on node:net. Accepted sockets get the same shared read buffer as outgoing ones, which Node offers
 * only for the latter: `onread` is ignored on a server, so the handle is taken before Node wraps it. That is the one
 * place in this program that touches a private field; it is tried out at start, and where it does not hold (another
 * Node version) accepted sockets read the ordinary way, slower.
 */

const backlog = 4_096
const selfCheckTimeoutMs = 2_000
/** On Linux an accepted socket has the TCP options of its listener: one system call less for each client. */
const acceptedInheritOptions = process.platform === 'linux'

interface TcpHandle {
  onconnection: (this: unknown, status: number, client: unknown) => void
  setNoDelay: (on: boolean) => number
}
interface ServerInternals {
  _handle: Partial<TcpHandle> | null
}

export class SystemNetwork implements Network {
  readonly #ownsHandles: boolean

  private constructor(ownsHandles: boolean) {
    this.#ownsHandles = ownsHandles
  }

  /** Tries the fast way of accepting on a loopback port and falls back to the ordinary one if it fails. */
  static async create(): Promise<SystemNetwork> {
    return new SystemNetwork(await fastAcceptWorks())
  }

  /** Accepts the ordinary way, as `create` does on a Node whose internals are unknown. */
  static ordinary(): SystemNetwork {
    return new SystemNetwork(false)
  }

  /** False: this Node's internals are unknown and accepted sockets read the slower way. */
  get acceptsFast(): boolean {
    return this.#ownsHandles
  }

  async listen(endpoint: Endpoint, accept: (socket: Socket) => void): Promise<Listening> {
    const server = net.createServer({ allowHalfOpen: true, highWaterMark: writableHighWaterMark }, (raw) => {
      accept(acceptOrdinary(raw))
    })
    const bound = await bind(server, endpoint)
    if (this.#ownsHandles) takeHandles(server, (raw) => accept(new SystemSocket(raw, null)))
    return {
      endpoint: bound,
      [Symbol.asyncDispose]: () =>
        new Promise((resolve) => {
          // Not waited for with close's callback: accepted sockets outlive their listener.
          server.close()
          resolve()
        }),
    }
  }

  connect(endpoint: Endpoint, handler: Socket['handler']): Socket {
    return SystemSocket.connect(endpoint, handler)
  }

  async lookup(host: string): Promise<readonly string[]> {
    const answers = await lookup(host, { all: true, order: 'verbatim' })
    return [...new Set(answers.map(({ address }) => endpointOf(address, 0)!.ip))]
  }
}

function bind(server: net.Server, endpoint: Endpoint): Promise<Endpoint> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: endpoint.ip, port: endpoint.port, backlog, ipv6Only: false }, () => {
      server.off('error', reject)
      // A failed accept (EMFILE) concerns one client that is gone already; the listener goes on.
      server.on('error', () => {})
      const { port } = server.address() as net.AddressInfo
      resolve({ ip: endpoint.ip, port })
    })
  })
}

function acceptOrdinary(raw: net.Socket): SystemSocket {
  raw.setNoDelay(true)
  const socket = new SystemSocket(raw, null)
  raw.on('data', (chunk: Buffer) => socket.deliver(chunk))
  return socket
}

function takeHandles(server: net.Server, accept: (raw: net.Socket) => void): boolean {
  const handle = (server as unknown as ServerInternals)._handle
  if (typeof handle?.onconnection !== 'function') return false
  if (acceptedInheritOptions) handle.setNoDelay?.(true)
  const refused = handle.onconnection
  handle.onconnection = function (status, client) {
    if (status !== 0) {
      refused.call(this, status, client)
      return
    }
    const raw = new net.Socket({ handle: client, allowHalfOpen: true, writableHighWaterMark, onread } as net.SocketConstructorOpts)
    if (!acceptedInheritOptions) raw.setNoDelay(true)
    accept(raw)
  }
  return true
}

/** One byte through a real accepted socket: the only way to know that the private field still means what it did. */
async function fastAcceptWorks(): Promise<boolean> {
  const server = net.createServer()
  try {
    await bind(server, { ip: '127.0.0.1', port: 0 })
    const { port } = server.address() as net.AddressInfo
    const arrived = Promise.withResolvers<boolean>()
    const taken = takeHandles(server, (raw) => {
      const socket = new SystemSocket(raw, null)
      socket.handler = {
        onConnected: () => {},
        onBytes: (chunk) => {
          arrived.resolve(chunk.length === 1 && chunk[0] === 0x57 && socket.remote?.ip === '127.0.0.1')
          socket.destroy()
        },
        onEnd: () => {},
        onDrained: () => {},
        onClosed: () => arrived.resolve(false),
      }
    })
    if (!taken) return false
    const client = net.connect(port, '127.0.0.1')
    client.on('error', () => arrived.resolve(false))
    client.end(Uint8Array.of(0x57))
    const timer = setTimeout(() => arrived.resolve(false), selfCheckTimeoutMs)
    const works = await arrived.promise
    clearTimeout(timer)
    client.destroy()
    return works
  } catch {
    return false
  } finally {
    server.close()
  }
}
