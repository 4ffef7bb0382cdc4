import type { Clock } from '../../core/clock.ts'
import type { Socket, SocketHandler } from '../../core/network.ts'

/**
 * Lets clients go that are told why: last bytes, FIN, then reading on for a moment. Closing at once, with bytes of the
 * client still unread, would make the kernel send RST, and RST overtakes what was just written.
 */

/** How long a client may take to answer with its own FIN. */
const lingerMs = 1_000
/** What a client may still send meanwhile; a hello of the largest size was mostly read before. */
const discardedBytesMax = 131_072
/** At once; descriptors for them are part of the headroom. The next client gets no last bytes. */
const farewellsMax = 256

export class Farewells implements Disposable {
  readonly #clock: Clock
  /** In the order of their deadlines. */
  readonly #lingering = new Set<Lingering>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get hasRoom(): boolean {
    return this.#lingering.size < farewellsMax
  }

  /** Takes the socket over; it is closed in any case. False: there are too many, and it is closed without a word. */
  say(socket: Socket, last: Uint8Array): boolean {
    if (!this.hasRoom) {
      socket.destroy()
      return false
    }
    const lingering = new Lingering(socket, this.#clock.monotonicMs() + lingerMs, () => this.#lingering.delete(lingering))
    this.#lingering.add(lingering)
    socket.handler = lingering
    socket.write(last)
    socket.end()
    socket.resume()
    return true
  }

  /** Asked now and then. */
  sweep(nowMs: number): void {
    for (const lingering of this.#lingering) {
      if (nowMs < lingering.untilMs) break
      lingering.socket.destroy()
    }
  }

  [Symbol.dispose](): void {
    for (const { socket } of this.#lingering) socket.destroy()
  }
}

class Lingering implements SocketHandler {
  readonly socket: Socket
  readonly untilMs: number
  readonly #over: () => void
  #discardedBytes = 0

  constructor(socket: Socket, untilMs: number, over: () => void) {
    this.socket = socket
    this.untilMs = untilMs
    this.#over = over
  }
  onConnected(): void {}
  onBytes(chunk: Uint8Array): void {
    this.#discardedBytes += chunk.length
    if (this.#discardedBytes > discardedBytesMax) this.socket.destroy()
  }
  onEnd(): void {}
  onDrained(): void {}
  onClosed(): void {
    this.#over()
  }
}
