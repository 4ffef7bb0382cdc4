import net from 'node:net'
import { errnoOf } from '../errors.ts'
import { lentChunkBytesMin, type Endpoint, type Socket, type SocketHandler } from '../network.ts'
import { bulkBuffers, type BulkReader } from './bulk-buffers.ts'

/**
 * The Socket port on net.Socket, with reads that allocate little: all quiet sockets read into one shared buffer and
 * hand out copies; a socket that fills it turns out to be bulk and gets a big buffer of its own, whose content is lent.
 * The event functions are shared by all sockets and find theirs through `this`.
 */

/** One read of a quiet socket. */
const sharedBufferBytes = 65_536
/** What may wait in the writer before `write` answers false; below `lentChunkBytesMin` nothing is lent. */
export const writableHighWaterMark = lentChunkBytesMin
export const keepAliveDelayMs = 30_000

const shared = Buffer.allocUnsafeSlow(sharedBufferBytes)

const owner = Symbol('owner')
interface OwnedSocket extends net.Socket {
  [owner]: SystemSocket
  _handle: { useUserBuffer?: (buffer: Uint8Array) => void } | null
}

/** Set before Node asks which buffer comes next, which it does synchronously and without saying for whom. */
let nextBuffer: Buffer = shared

/** What net.Socket and net.connect are given so that bytes arrive without a Readable in between. */
export const onread = {
  buffer: (): Buffer => {
    const buffer = nextBuffer
    nextBuffer = shared
    return buffer
  },
  callback: onRead,
}

const unset: SocketHandler = {
  onConnected: () => {},
  onBytes: () => {},
  onEnd: () => {},
  onDrained: () => {},
  onClosed: () => {},
}

export class SystemSocket implements Socket, BulkReader {
  handler: SocketHandler
  readonly remote: Endpoint | null
  bytesTaken = 0
  readonly #raw: OwnedSocket
  #delivered = 0
  #waiting = false
  #ended = false
  /** We ended it: whatever error follows is our own doing. */
  #closing = false
  #code: string | null = null
  /** The big buffer that reads go to; null while the socket is quiet. */
  #bulk: Buffer | null = null
  /** Read something since the last look; a bulk socket that did not is quiet again. */
  #busy = false

  /** `handler` null: an accepted socket, whose handler the accept callback sets. */
  constructor(raw: net.Socket, handler: SocketHandler | null) {
    this.#raw = raw as OwnedSocket
    this.#raw[owner] = this
    this.handler = handler ?? unset
    this.remote = handler === null ? endpointOf(raw.remoteAddress, raw.remotePort) : null
    raw.on('end', onEnd)
    raw.on('drain', onDrain)
    raw.on('error', onError)
    raw.on('close', onClose)
    if (handler !== null) raw.on('connect', onConnect)
  }

  static connect(endpoint: Endpoint, handler: SocketHandler): SystemSocket {
    const raw = net.connect({
      host: endpoint.ip,
      port: endpoint.port,
      allowHalfOpen: true,
      autoSelectFamily: false,
      noDelay: true,
      writableHighWaterMark,
      onread,
    } as net.NetConnectOpts)
    return new SystemSocket(raw, handler)
  }

  get local(): Endpoint | null {
    return endpointOf(this.#raw.localAddress, this.#raw.localPort)
  }

  /** Never more than the kernel has: what is known last when the socket breaks is what counts. */
  get bytesDelivered(): number {
    this.#count()
    return this.#delivered
  }

  write(chunk: Uint8Array): boolean {
    const raw = this.#raw
    // A broken socket forgets what it is given, and says so only when it is closed.
    const broken = raw.destroyed || raw.errored !== null
    this.#count()
    this.bytesTaken += chunk.length
    if (broken) return false
    const roomLeft = raw.write(chunk)
    this.#count()
    if (raw.writableLength === 0) return raw.errored === null
    this.#waiting = !roomLeft
    return roomLeft
  }

  pause(): void {
    this.#raw.pause()
  }

  resume(): void {
    this.#raw.resume()
  }

  end(): void {
    const raw = this.#raw
    // The peer has ended, and nothing waits: closing says FIN just as well, without a shutdown before it.
    if (raw.readableEnded && raw.writableLength === 0) {
      this.destroy()
      return
    }
    this.#ended = true
    raw.end()
  }

  keepAlive(): void {
    this.#raw.setKeepAlive(true, keepAliveDelayMs)
  }

  reset(): void {
    if (this.#closing) return
    this.#count()
    this.#closing = true
    const raw = this.#raw
    if (raw.connecting) raw.destroy()
    // libuv refuses to reset a stream in the moment between asking for FIN and sending it, and the handle would leak.
    else if (this.#ended && raw.writableLength === 0 && !raw.writableFinished && !raw.destroyed) {
      raw.once('finish', resetNow)
      raw.once('error', destroyNow)
    } else raw.resetAndDestroy()
  }

  destroy(): void {
    this.#count()
    this.#closing = true
    this.#raw.destroy()
  }

  /** Bytes that Node allocated itself: accepted sockets, where the shared buffer can't be used. */
  deliver(chunk: Buffer): void {
    this.handler.onBytes(chunk)
  }

  /** This and the next three: called by the shared event functions, and by nobody else. */
  read(length: number): void {
    const bulk = this.#bulk
    this.#busy = true
    if (bulk !== null && length >= lentChunkBytesMin) {
      this.handler.onBytes(bulk.subarray(0, length))
    } else {
      const copy = Buffer.allocUnsafe(length)
      ;(bulk ?? shared).copy(copy, 0, 0, length)
      if (bulk === null && length === sharedBufferBytes) this.#bulk = bulkBuffers.take(this)
      this.handler.onBytes(copy)
    }
    nextBuffer = this.#bulk ?? shared
  }

  drained(): void {
    if (!this.#waiting) return
    this.#waiting = false
    this.handler.onDrained()
  }

  failed(error: unknown): void {
    if (!this.#closing) this.#code ??= errnoOf(error)
  }

  closed(): void {
    if (this.#raw.writableFinished) this.#delivered = this.bytesTaken
    const bulk = this.#bulk
    this.#bulk = null
    // While paused, the other side may still be writing from the buffer: it is left to the garbage collector.
    if (bulk !== null) bulkBuffers.giveBack(this, this.#raw.isPaused() ? null : bulk)
    this.handler.onClosed(this.#code)
  }

  /** Only while it is whole: what waited in a broken socket is taken off its length too, and was never delivered. */
  #count(): void {
    const raw = this.#raw
    if (!raw.destroyed && raw.errored === null) this.#delivered = this.bytesTaken - raw.writableLength
  }

  /** Part of BulkReader: asked now and then, gives the big buffer back if nothing was read since the last time. */
  releaseIfQuiet(): void {
    const handle = this.#raw._handle
    if (this.#bulk === null || this.#busy || this.#raw.isPaused() || handle?.useUserBuffer === undefined) {
      this.#busy = false
      return
    }
    handle.useUserBuffer(shared)
    bulkBuffers.giveBack(this, this.#bulk)
    this.#bulk = null
  }
}

/** Plain form of an address from Node: IPv4-mapped ones unmapped, zone ids dropped. */
export function endpointOf(address: string | undefined, port: number | undefined): Endpoint | null {
  if (address === undefined || port === undefined) return null
  if (address.startsWith('::ffff:') && address.includes('.')) return { ip: address.slice(7), port }
  const zone = address.indexOf('%')
  return { ip: zone < 0 ? address : address.slice(0, zone), port }
}

function resetNow(this: net.Socket): void {
  this.resetAndDestroy()
}
function destroyNow(this: net.Socket): void {
  this.destroy()
}
function onRead(this: OwnedSocket, length: number): boolean {
  this[owner].read(length)
  return true
}
function onConnect(this: OwnedSocket): void {
  this[owner].handler.onConnected()
}
function onEnd(this: OwnedSocket): void {
  this[owner].handler.onEnd()
}
function onDrain(this: OwnedSocket): void {
  this[owner].drained()
}
function onError(this: OwnedSocket, error: unknown): void {
  this[owner].failed(error)
}
function onClose(this: OwnedSocket): void {
  this[owner].closed()
}
