/**
 * TCP as the proxy needs it: sockets that tell one handler what happened and take few commands. Handlers are plain
 * objects, not emitters or closures, because there are two per connection and nothing may be allocated per chunk.
 */

export interface Endpoint {
  /** IPv4 or IPv6 literal in canonical form; an IPv4 client of a dual-stack listener is plain IPv4. */
  readonly ip: string
  readonly port: number
}

/** Chunks below this size are the handler's own; larger ones are lent. See `onBytes`. */
export const lentChunkBytesMin = 16_384

export interface SocketHandler {
  /** An outgoing connection is established. Never called for an accepted socket. */
  onConnected(): void
  /**
   * Bytes arrived. A chunk shorter than `lentChunkBytesMin` may be kept for ever. A longer one is lent until the next
   * `onBytes` of this socket: a paused socket delivers none, so a chunk that the other side has not taken yet
   * (`write` answered false) stays whole while this one is paused.
   */
  onBytes(chunk: Uint8Array): void
  /** The peer sent FIN: no more bytes will come. Writing may go on. */
  onEnd(): void
  /** What was handed to `write` has reached the kernel; this or `onClosed` follows every `write` that answered false. */
  onDrained(): void
  /**
   * Exactly once, last: after FIN went both ways, after something broke, or after `reset` or `destroy`.
   * `code` is the errno name of what broke it (`ECONNRESET`), null when nothing did.
   */
  onClosed(code: string | null): void
}

export interface Socket {
  /** Peer address; null when it was gone before it could be read. */
  readonly remote: Endpoint | null
  readonly local: Endpoint | null
  /** Who is told. May be replaced at any time; must be set synchronously in `accept`. */
  handler: SocketHandler
  /** Bytes handed to `write`. */
  readonly bytesTaken: number
  /** Of these, what the kernel is known to have, never more than it has. Equal to `bytesTaken` once all is flushed. */
  readonly bytesDelivered: number
  /** True: go on, the chunk is not needed any more. False: wait for `onDrained` or `onClosed`, the chunk is in use. */
  write(chunk: Uint8Array): boolean
  /** No `onBytes` until `resume`. A paused socket learns of FIN and RST only when resumed. */
  pause(): void
  resume(): void
  /** FIN after everything written. */
  end(): void
  /** Have the system look for a peer that vanished without a word; costs system calls, so not for short connections. */
  keepAlive(): void
  /** RST now; what was not yet sent is lost. `onClosed` follows. */
  reset(): void
  /** Closes now: the kernel sends RST when unread bytes are left, else FIN. `onClosed` follows. */
  destroy(): void
}

export interface Listening extends AsyncDisposable {
  /** What was bound, with the real port when 0 was asked for. */
  readonly endpoint: Endpoint
}

export interface Network {
  /**
   * Binds and calls `accept` for each client. `::` is dual-stack. Rejects with an errno `code` (`EADDRINUSE`,
   * `EACCES`) when it can't. Disposing it stops accepting; accepted sockets live on.
   */
  listen(endpoint: Endpoint, accept: (socket: Socket) => void): Promise<Listening>
  /** Starts to connect; `onConnected` or `onClosed` follows, never synchronously. */
  connect(endpoint: Endpoint, handler: SocketHandler): Socket
  /** The addresses of a host by the system's resolver (hosts file included), in its order; rejects with a `code`. */
  lookup(host: string): Promise<readonly string[]>
}
