import type { Clock } from '../../core/clock.ts'
import type { Socket, SocketHandler } from '../../core/network.ts'
import { alertOfEnding, alertRecord } from '../alerts.ts'
import type { CloseCause, Ending, Watching } from '../engine.ts'
import { HandshakeWatch, type TlsFacts, type WatchVerdict } from '../tls/handshake-watch.ts'

/**
 * Both sockets from `go` on: bytes with backpressure both ways, FIN and RST carried over as what they are. Per chunk it
 * writes, and pauses the sender when the other side is slow; no more, once the handshake is over.
 */

export interface RelayOwner {
  /** A side sent FIN. */
  sideEnded(): void
  /** Whether a `farewell` would be sent now. */
  readonly canSayFarewell: boolean
  /**
   * Nothing more will happen; both sockets are closed or told to be. But with a `farewell`, the client's is the owner's
   * to close, after sending that.
   */
  relayOver(ending: Ending, farewell: Uint8Array | null): void
}

export interface RelayTimeouts {
  /** Without a byte in either direction. */
  readonly idleTimeoutMs: number
  /** Without a byte, after one side has ended. */
  readonly halfCloseTimeoutMs: number
}

/** TCP keep-alive is for connections that last; most don't. */
const keepAliveAfterMs = 2_000
/** How long a client may still answer a backend that sent FIN and then RST before that counts as a reset. */
const lingerMs = 1_000

export class Relay {
  /** Monotonic time of the first byte that the backend sent. */
  firstBackendByteMs: number | null = null
  /** Client bytes were thrown away because nobody was left to take them. */
  discarded = false
  readonly #owner: RelayOwner
  readonly #clock: Clock
  readonly #client: Socket
  readonly #backend: Socket
  /** Set by every chunk, cleared by the sweep that looks for idle relays. */
  #active = true
  /** Monotonic time since when the sweep has seen no chunk. */
  #idleSinceMs: number
  /** Monotonic deadline of a client that may still answer; 0 when there is none. */
  #lingerUntilMs = 0
  readonly #startedMs: number
  #keptAlive = false
  #clientEnded = false
  #backendEnded = false
  #clientClosed = false
  #backendClosed = false
  /** Until the handshake is over. */
  #watch: HandshakeWatch | null
  readonly #tlsAlerts: boolean
  /** What it saw, kept when it is dropped. */
  #facts: TlsFacts | null = null
  #firstEnder: 'backend' | 'client' | null = null

  constructor(owner: RelayOwner, clock: Clock, client: Socket, backend: Socket, watching: Watching | null) {
    this.#owner = owner
    this.#clock = clock
    this.#client = client
    this.#backend = backend
    this.#watch = watching === null ? null : new HandshakeWatch(watching.terms)
    this.#tlsAlerts = watching !== null && watching.tlsAlerts
    this.#startedMs = clock.monotonicMs()
    this.#idleSinceMs = this.#startedMs
    client.handler = new ClientSide(this)
    backend.handler = new BackendSide(this)
  }

  /**
   * Sends on what the client has said so far, and its FIN if it has said all. Both sockets are paused or resumed by what
   * the backend takes.
   */
  start(first: Uint8Array, clientEnded: boolean): void {
    if (this.#watch !== null && this.#clientBreaksTerms(this.#watch, first)) return
    if (first.length === 0 || this.#backend.write(first)) this.#client.resume()
    else this.#client.pause()
    this.#backend.resume()
    if (clientEnded) this.clientEnd()
  }

  /** What the handshake has said in the clear; null when it was not watched. */
  get tls(): TlsFacts | null {
    return this.#watch === null ? this.#facts : this.#watch.facts()
  }

  /** Asked now and then: ends a relay in which nothing has happened for too long. */
  sweep(nowMs: number, timeouts: RelayTimeouts): void {
    if (!this.#keptAlive && nowMs - this.#startedMs >= keepAliveAfterMs) {
      this.#keptAlive = true
      this.#client.keepAlive()
      this.#backend.keepAlive()
    }
    if (this.#lingerUntilMs > 0 && nowMs >= this.#lingerUntilMs && this.#lingerOver(nowMs)) return
    if (this.#active) {
      this.#active = false
      this.#idleSinceMs = nowMs
      return
    }
    const idleMs = nowMs - this.#idleSinceMs
    if (idleMs >= timeouts.idleTimeoutMs) this.#timeOut('idle_timeout')
    else if (this.#firstEnder !== null && idleMs >= timeouts.halfCloseTimeoutMs) this.#timeOut('half_close_timeout')
  }

  // What the sockets report.

  clientBytes(chunk: Uint8Array): void {
    this.#active = true
    if (this.#watch !== null && this.#watch.hearsClient && this.#clientBreaksTerms(this.#watch, chunk)) return
    if (this.#backendClosed) this.discarded = true
    else if (!this.#backend.write(chunk)) this.#client.pause()
  }

  backendBytes(chunk: Uint8Array): void {
    this.#active = true
    if (this.firstBackendByteMs === null) this.firstBackendByteMs = this.#clock.monotonicMs()
    if (this.#watch !== null && this.#watch.hearsBackend && this.#backendBreaksTerms(this.#watch, chunk)) return
    if (!this.#client.write(chunk)) this.#backend.pause()
  }

  clientDrained(): void {
    this.#active = true
    this.#backend.resume()
  }

  backendDrained(): void {
    this.#active = true
    this.#client.resume()
  }

  clientEnd(): void {
    this.#clientEnded = true
    this.#lingerUntilMs = 0
    this.#sideEnded('client')
    this.#backend.end()
  }

  backendEnd(): void {
    this.#backendEnded = true
    this.#sideEnded('backend')
    this.#client.end()
  }

  clientClosed(code: string | null): void {
    this.#clientClosed = true
    const hasEverything = this.#client.bytesDelivered === this.#client.bytesTaken
    if (!this.#clientEnded || !this.#backendEnded || !hasEverything) this.#broken('client', code)
    else if (this.#backendClosed) this.#finished()
  }

  /**
   * FIN and then RST is what a closed socket answers to the client's own farewell. All that the backend said is passed
   * on; whether it was an orderly end is for the client to show, by its own FIN.
   */
  backendClosed(code: string | null): void {
    this.#backendClosed = true
    if (!this.#backendEnded) this.#broken('backend', code)
    else if (this.#clientClosed) this.#finished()
    else if (!this.#clientEnded) {
      this.#lingerUntilMs = this.#clock.monotonicMs() + lingerMs
      this.#client.resume()
    }
  }

  // What the handshake says in passing.

  /** True: the relay is over, and the chunk goes nowhere. */
  #clientBreaksTerms(watch: HandshakeWatch, chunk: Uint8Array): boolean {
    return this.#breaksTerms(watch, watch.fromClient(chunk))
  }

  #backendBreaksTerms(watch: HandshakeWatch, chunk: Uint8Array): boolean {
    return this.#breaksTerms(watch, watch.fromBackend(chunk))
  }

  #breaksTerms(watch: HandshakeWatch, verdict: WatchVerdict | null): boolean {
    if (verdict === null) {
      if (watch.done) this.#dropWatch(watch)
      return false
    }
    // Inside of a record of the backend, an alert would be garbage.
    const inTime = this.#tlsAlerts && this.#client.bytesTaken === 0 && this.#owner.canSayFarewell
    const alert = inTime ? alertOfEnding(verdict) : null
    if (alert === null) this.#client.reset()
    else watch.alertByProxy(alert)
    this.#dropWatch(watch)
    this.#backend.reset()
    this.#owner.relayOver({ by: 'proxy', because: verdict, code: null }, alert === null ? null : alertRecord(alert))
    return true
  }

  #dropWatch(watch: HandshakeWatch): void {
    this.#facts = watch.facts()
    this.#watch = null
  }

  // How it ends.

  #sideEnded(side: 'backend' | 'client'): void {
    this.#active = true
    this.#firstEnder ??= side
    this.#owner.sideEnded()
  }

  #finished(): void {
    this.#owner.relayOver({ by: this.#firstEnder ?? 'backend', because: 'finished', code: null }, null)
  }

  /** A side broke while bytes were flowing: the other one must not take it for an orderly end. */
  #broken(by: 'backend' | 'client', code: string | null): void {
    if (by === 'client') this.#backend.reset()
    else this.#client.reset()
    this.#owner.relayOver(brokenBy(by, code), null)
  }

  /** The client never answered the backend that finished and then reset: on record as what it was. */
  #lingerOver(nowMs: number): boolean {
    if (this.#client.bytesDelivered < this.#client.bytesTaken) {
      // It can't answer yet: it still reads.
      this.#lingerUntilMs = nowMs + lingerMs
      return false
    }
    this.#client.reset()
    this.#owner.relayOver(brokenBy('backend', 'ECONNRESET'), null)
    return true
  }

  #timeOut(because: CloseCause): void {
    this.#client.reset()
    this.#backend.reset()
    this.#owner.relayOver({ by: 'proxy', because, code: null }, null)
  }
}

/** `code`: the errno name of the socket that broke; null where the system gave none. */
export function brokenBy(by: 'backend' | 'client', code: string | null): Ending {
  const errno = code ?? 'ECONNABORTED'
  const because = errno === 'ECONNRESET' || errno === 'EPIPE' ? 'reset' : 'network_error'
  return { by, because, code: errno }
}

class ClientSide implements SocketHandler {
  readonly #relay: Relay
  constructor(relay: Relay) {
    this.#relay = relay
  }
  onConnected(): void {}
  onBytes(chunk: Uint8Array): void {
    this.#relay.clientBytes(chunk)
  }
  onEnd(): void {
    this.#relay.clientEnd()
  }
  onDrained(): void {
    this.#relay.clientDrained()
  }
  onClosed(code: string | null): void {
    this.#relay.clientClosed(code)
  }
}

class BackendSide implements SocketHandler {
  readonly #relay: Relay
  constructor(relay: Relay) {
    this.#relay = relay
  }
  onConnected(): void {}
  onBytes(chunk: Uint8Array): void {
    this.#relay.backendBytes(chunk)
  }
  onEnd(): void {
    this.#relay.backendEnd()
  }
  onDrained(): void {
    this.#relay.backendDrained()
  }
  onClosed(code: string | null): void {
    this.#relay.backendClosed(code)
  }
}
