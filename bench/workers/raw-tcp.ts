/**
 * TCP for load generators: Node's own handles without net.Socket around them, which costs half as much, so that the
 * proxy between client and backend is what is measured. Internal interfaces, on purpose, in this one file only.
 */

export interface Peer {
  /** Status below 0: the connect failed. Never called for an accepted socket. */
  connected(status: number): void
  /** `length` bytes lie at the start of `readBuffer`, until the next read of any socket. */
  read(length: number): void
  /** The other side sent FIN (0), or the connection broke (negative errno). Nothing is read any more. */
  ended(status: number): void
  /** What `write` could not hand over at once is handed over. */
  written(): void
}

interface Handle {
  peer: Peer
  onread: () => void
  onconnection: (status: number, handle: Handle) => void
  bind(address: string, port: number): number
  listen(backlog: number): number
  getsockname(into: { port?: number }): number
  connect(request: object, address: string, port: number): number
  readStart(): number
  useUserBuffer(buffer: Uint8Array): void
  writeBuffer(request: object, buffer: Uint8Array): number
  shutdown(request: object): number
  close(): void
}
type RequestClass = new () => { oncomplete: unknown; handle?: Handle }
interface TcpBinding {
  TCP: new (type: number) => Handle
  TCPConnectWrap: RequestClass
  constants: { SOCKET: number; SERVER: number }
}
interface StreamBinding {
  WriteWrap: RequestClass
  ShutdownWrap: RequestClass
  streamBaseState: Int32Array
  kReadBytesOrError: number
  kLastWriteWasAsync: number
}

const binding = (process as unknown as { binding: (this: void, name: string) => unknown }).binding
const { TCP, TCPConnectWrap, constants } = binding('tcp_wrap') as TcpBinding
const { WriteWrap, ShutdownWrap, streamBaseState, kReadBytesOrError, kLastWriteWasAsync } = binding(
  'stream_wrap',
) as StreamBinding
if (kReadBytesOrError === undefined || kLastWriteWasAsync === undefined) {
  throw new Error(`Node ${process.version} has other stream internals than bench/workers/raw-tcp.ts knows`)
}

const readBufferBytes = 256 * 1024
const backlog = 4_096
/** libuv's number for "the other side sent FIN". */
const endOfFile = -4_095
/** All sockets read into this one. */
export const readBuffer = Buffer.allocUnsafeSlow(readBufferBytes)

export class RawSocket {
  readonly #handle: Handle
  #closed = false

  constructor(handle: Handle) {
    this.#handle = handle
  }

  /** True: the kernel has it all, no `written` follows. The buffer must stay as it is until then. */
  write(buffer: Uint8Array): boolean {
    const request = new WriteWrap()
    request.oncomplete = onWritten
    request.handle = this.#handle
    const failed = this.#handle.writeBuffer(request, buffer)
    if (failed < 0) {
      queueMicrotask(() => this.#handle.peer.ended(failed))
      return false
    }
    return streamBaseState[kLastWriteWasAsync] === 0
  }

  /** FIN. */
  end(): void {
    const request = new ShutdownWrap()
    request.oncomplete = nothing
    this.#handle.shutdown(request)
  }

  /** FIN, and close when that is done. */
  endAndClose(): void {
    const request = new ShutdownWrap()
    request.oncomplete = closeHandle
    request.handle = this.#handle
    if (this.#handle.shutdown(request) < 0) this.close()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#handle.close()
  }
}

/** `peerOf` is given the socket and returns who is told about it. */
export function connect(port: number, peerOf: (socket: RawSocket) => Peer): RawSocket {
  const handle = new TCP(constants.SOCKET)
  const socket = new RawSocket(handle)
  prepare(handle, peerOf(socket))
  const request = new TCPConnectWrap()
  request.oncomplete = onConnected
  const failed = handle.connect(request, '127.0.0.1', port)
  if (failed < 0) queueMicrotask(() => handle.peer.connected(failed))
  return socket
}

/** Listens on a free port of 127.0.0.1 and returns it. */
export function listen(peerOf: (socket: RawSocket) => Peer): number {
  const server = new TCP(constants.SERVER)
  const bound: { port?: number } = {}
  if (server.bind('127.0.0.1', 0) < 0 || server.listen(backlog) < 0 || server.getsockname(bound) < 0) {
    throw new Error('cannot listen on 127.0.0.1')
  }
  server.onconnection = (status, handle) => {
    if (status < 0) throw new Error(`accept failed: ${status}`)
    prepare(handle, peerOf(new RawSocket(handle)))
    handle.readStart()
  }
  return bound.port!
}

function prepare(handle: Handle, peer: Peer): void {
  handle.peer = peer
  handle.onread = onRead
  handle.useUserBuffer(readBuffer)
}

function onRead(this: Handle): void {
  const length = streamBaseState[kReadBytesOrError]!
  if (length > 0) this.peer.read(length)
  else if (length < 0) this.peer.ended(length === endOfFile ? 0 : length)
}

function onConnected(status: number, handle: Handle): void {
  if (status === 0) handle.readStart()
  handle.peer.connected(status)
}

function onWritten(this: { handle: Handle }, status: number): void {
  if (status === 0) this.handle.peer.written()
  else this.handle.peer.ended(status)
}

function closeHandle(this: { handle: Handle }): void {
  this.handle.close()
}

function nothing(): void {}
