import type { SocketHandler } from '../../core/network.ts'
import type { SocketLink } from './link.ts'

/** Handlers of a link's sockets before `go`, and of sockets that nobody listens to any more. */

export class WaitingClient implements SocketHandler {
  readonly #link: SocketLink
  constructor(link: SocketLink) {
    this.#link = link
  }
  onConnected(): void {}
  onBytes(chunk: Uint8Array): void {
    this.#link.clientBytes(chunk)
  }
  onEnd(): void {
    this.#link.clientLeft(null)
  }
  onDrained(): void {}
  onClosed(code: string | null): void {
    this.#link.clientLeft(code)
  }
}

/** Paused from the moment it is connected, so it has nothing to say until `go`. */
export class DialledBackend implements SocketHandler {
  readonly #link: SocketLink
  constructor(link: SocketLink) {
    this.#link = link
  }
  onConnected(): void {
    this.#link.backendConnected()
  }
  onBytes(): void {}
  onEnd(): void {}
  onDrained(): void {}
  onClosed(code: string | null): void {
    this.#link.backendLeft(code)
  }
}

/** For a socket whose end is nobody's concern any more: a dial that failed, a client turned away. */
export const ignoreSocket: SocketHandler = {
  onConnected: () => {},
  onBytes: () => {},
  onEnd: () => {},
  onDrained: () => {},
  onClosed: () => {},
}
