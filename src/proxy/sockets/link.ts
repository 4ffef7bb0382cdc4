import type { Clock } from '../../core/clock.ts'
import { lentChunkBytesMin, type Endpoint, type Network, type Socket } from '../../core/network.ts'
import type { ClosePhase, Dialled, Ending, Link, LinkClosed, NoHello, Peeked, Watching } from '../engine.ts'
import type { HelloRejection } from '../hello/client-hello.ts'
import { HelloParser, type HelloLimits, type HelloVerdict } from '../hello/parser.ts'
import { protocolHint } from '../hello/protocol-hint.ts'
import { Lifecycle, type Phase, type Step } from '../lifecycle.ts'
import type { TlsFacts } from '../tls/handshake-watch.ts'
import type { Farewells } from './farewells.ts'
import { brokenBy, Relay, type RelayOwner, type RelayTimeouts } from './relay.ts'
import { DialledBackend, ignoreSocket, WaitingClient } from './sides.ts'

/**
 * One client and, later, its backend, on the Socket port: peeks without consuming, dials, and holds what the client says
 * until `go` hands both sockets to a Relay. Gives the account of the whole link when it is over.
 */

/** Client bytes kept while a backend is chosen, dialled and the record is written; then the client waits. */
const heldBytesMax = 131_072

const gone = { kind: 'gone' } as const
/** A link keeps nothing of its hello once it is relaying: there may be very many, for days. */
const helloForgotten: Promise<Peeked> = Promise.resolve(gone)

export interface LinkHost {
  readonly clock: Clock
  readonly network: Network
  readonly helloLimits: HelloLimits
  readonly farewells: Farewells
  /** The link moved to another phase: from now on other timeouts apply to it. */
  moved(link: SocketLink, phase: Phase): void
}

export class SocketLink implements Link, RelayOwner {
  readonly acceptedMs: number
  readonly closed: Promise<LinkClosed>

  readonly #host: LinkHost
  readonly #lifecycle = new Lifecycle()
  readonly #client: Socket
  #backend: Socket | null = null
  #relay: Relay | null = null
  #hello: Promise<Peeked>
  #parser: HelloParser | null
  #held: Uint8Array[] | null = []
  #heldBytes = 0
  /** Its hello was read: then an early FIN means that it is gone. */
  #saidHello = true
  /** It sent FIN before `go`, and may still be answered. */
  #clientEnded = false
  #dialUntilMs = Infinity
  #settleHello: ((peeked: Peeked) => void) | null
  #settleDial: ((dialled: Dialled) => void) | null = null
  readonly #settleClosed: (closed: LinkClosed) => void

  constructor(host: LinkHost, client: Socket) {
    this.#host = host
    this.#client = client
    this.#parser = new HelloParser(host.helloLimits)
    this.acceptedMs = host.clock.monotonicMs()
    const hello = Promise.withResolvers<Peeked>()
    const closed = Promise.withResolvers<LinkClosed>()
    this.#hello = hello.promise
    this.closed = closed.promise
    this.#settleHello = hello.resolve
    this.#settleClosed = closed.resolve
    client.handler = new WaitingClient(this)
  }

  get client(): Endpoint | null {
    return this.#client.remote
  }
  get hello(): Promise<Peeked> {
    return this.#hello
  }
  get phase(): Phase {
    return this.#lifecycle.phase
  }
  get bytesToBackend(): number {
    return this.#backend?.bytesDelivered ?? 0
  }
  get bytesToClient(): number {
    return this.#client.bytesDelivered
  }
  get tls(): TlsFacts | null {
    return this.#relay?.tls ?? null
  }

  dial(endpoint: Endpoint, timeoutMs: number): Promise<Dialled> {
    if (this.phase === 'closed') return Promise.resolve(gone)
    this.#advance('dial')
    const { promise, resolve } = Promise.withResolvers<Dialled>()
    this.#settleDial = resolve
    this.#dialUntilMs = this.#host.clock.monotonicMs() + timeoutMs
    this.#backend = this.#host.network.connect(endpoint, new DialledBackend(this))
    return promise
  }

  go(watching: Watching | null): boolean {
    const backend = this.#backend
    const held = this.#held
    if (this.phase !== 'holding' || backend === null || held === null) return false
    this.#advance('go')
    this.#held = null
    this.#hello = helloForgotten
    this.#relay = new Relay(this, this.#host.clock, this.#client, backend, watching)
    this.#relay.start(held.length === 1 ? held[0]! : Buffer.concat(held, this.#heldBytes), this.#clientEnded)
    return true
  }

  refuse(farewell: Uint8Array | null): boolean {
    if (this.phase === 'closed') return false
    if (farewell === null) this.#client.destroy()
    this.#backend?.reset()
    this.#conclude({ by: 'proxy', because: 'finished', code: null })
    return farewell !== null && this.#host.farewells.say(this.#client, farewell)
  }

  abort(ending: Ending): void {
    if (this.phase === 'closed') return
    this.#client.reset()
    this.#backend?.reset()
    this.#conclude(ending)
  }

  /** The peek took too long. */
  endPeek(): void {
    const detail = this.#heldBytes === 0 ? sentNothing : `${this.#heldBytes} bytes of a hello that is not complete`
    this.#peeked({ kind: 'no_hello', what: 'timeout', detail, hint: null })
  }

  /** Asked now and then while it dials. */
  sweepDial(nowMs: number): void {
    if (nowMs >= this.#dialUntilMs) this.#dialFailed('timeout')
  }

  /** Asked now and then while it relays. */
  sweep(nowMs: number, timeouts: RelayTimeouts): void {
    this.#relay?.sweep(nowMs, timeouts)
  }

  // What the sockets report before `go`.

  clientBytes(chunk: Uint8Array): void {
    const held = this.#held
    if (held === null) return
    // Not `slice`: that of a Buffer is a view of the same memory.
    held.push(chunk.length < lentChunkBytesMin ? chunk : new Uint8Array(chunk))
    this.#heldBytes += chunk.length
    // A peek has its own limit on what it reads.
    if (this.phase === 'peeking') this.#judge(this.#parser!.push(chunk))
    else if (this.#heldBytes >= heldBytesMax) this.#client.pause()
  }

  /**
   * By FIN (null) or RST. A hello can't be followed by a useful half-close: nobody is left to serve. Who speaks no TLS may
   * have said all there is to say.
   */
  clientLeft(code: string | null): void {
    if (this.phase === 'closed') return
    if (this.phase === 'peeking') {
      this.#peeked({ kind: 'left', code })
      return
    }
    if (code === null && !this.#saidHello && !this.#clientEnded) {
      this.#clientEnded = true
      return
    }
    this.#client.destroy()
    this.#backend?.reset()
    this.#conclude(code === null ? { by: 'client', because: 'finished', code } : brokenBy('client', code))
  }

  backendConnected(): void {
    this.#backend!.pause()
    this.#advance('connected')
    this.#answerDial({ kind: 'connected', local: this.#backend!.local })
  }

  backendLeft(code: string | null): void {
    if (this.phase === 'dialing') this.#dialFailed(code ?? 'ECONNABORTED')
    else if (this.phase === 'holding') this.abort(brokenBy('backend', code))
  }

  // What the relay reports.

  sideEnded(): void {
    this.#advance('sideEnded')
  }

  get canSayFarewell(): boolean {
    return this.#host.farewells.hasRoom
  }

  relayOver(ending: Ending, farewell: Uint8Array | null): void {
    if (this.phase === 'closed') return
    this.#conclude(ending)
    if (farewell !== null) this.#host.farewells.say(this.#client, farewell)
  }

  // The steps.

  #judge(verdict: HelloVerdict): void {
    if (verdict.kind === 'incomplete') return
    if (verdict.kind === 'hello') this.#peeked(verdict)
    else this.#peeked(noHello(verdict, this.#held ?? []))
  }

  #peeked(peeked: Peeked): void {
    if (this.phase !== 'peeking') return
    this.#parser = null
    this.#saidHello = peeked.kind === 'hello'
    this.#advance('helloRead')
    this.#answerHello(peeked)
  }

  #dialFailed(code: string): void {
    const backend = this.#backend!
    this.#backend = null
    backend.handler = ignoreSocket
    backend.destroy()
    this.#advance('dialFailed')
    this.#answerDial({ kind: 'failed', code })
  }

  #conclude(ending: Ending): void {
    const phase = closePhaseOf(this.phase)
    this.#advance('close')
    this.#parser = null
    this.#held = null
    this.#answerHello(gone)
    this.#answerDial(gone)
    const [client, backend, relay] = [this.#client, this.#backend, this.#relay]
    client.handler = ignoreSocket
    if (backend !== null) backend.handler = ignoreSocket
    this.#settleClosed({
      ...ending,
      phase,
      bytesToBackend: this.bytesToBackend,
      bytesToClient: this.bytesToClient,
      exact:
        client.bytesDelivered === client.bytesTaken &&
        (backend === null || backend.bytesDelivered === backend.bytesTaken) &&
        relay?.discarded !== true,
      firstBackendByteMs: relay?.firstBackendByteMs ?? null,
      tls: relay?.tls ?? null,
      closedMs: this.#host.clock.monotonicMs(),
    })
  }

  // Small things.

  #answerHello(peeked: Peeked): void {
    this.#settleHello?.(peeked)
    this.#settleHello = null
  }

  #answerDial(dialled: Dialled): void {
    this.#settleDial?.(dialled)
    this.#settleDial = null
  }

  #advance(step: Step): void {
    this.#lifecycle.advance(step)
    this.#host.moved(this, this.#lifecycle.phase)
  }
}

const sentNothing = 'the client sent nothing; in SMTP, IMAP, FTP or MySQL it waits for the server, which TLS from the first byte does not'

/** The parser's answer is the same for every cut of the bytes; what they look like instead goes by what has come. */
function noHello({ kind, detail }: HelloRejection, held: readonly Uint8Array[]): NoHello {
  const hint = kind === 'not_tls' ? protocolHint(held.length === 1 ? held[0]! : Buffer.concat(held)) : null
  return { kind: 'no_hello', what: kind, detail: hint === null ? detail : `${detail}: it looks like ${hint}`, hint }
}

function closePhaseOf(phase: Phase): ClosePhase {
  return phase === 'relaying' ? 'relay' : phase === 'half_closed' ? 'half_closed' : 'record'
}
