import type { Clock } from '../../core/clock.ts'
import { lentChunkBytesMin, type Endpoint, type Network, type Socket } from '../../core/network.ts'
import type { ClosePhase, Dialled, Ending, Link, LinkClosed, Peeked, PeekRefusal } from '../engine.ts'
import { HelloParser, type HelloLimits, type HelloVerdict } from '../hello/parser.ts'
import { Lifecycle, type Phase, type Step } from '../lifecycle.ts'
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

  dial(endpoint: Endpoint, timeoutMs: number): Promise<Dialled> {
    if (this.phase === 'closed') return Promise.resolve(gone)
    this.#advance('dial')
    const { promise, resolve } = Promise.withResolvers<Dialled>()
    this.#settleDial = resolve
    this.#dialUntilMs = this.#host.clock.monotonicMs() + timeoutMs
    this.#backend = this.#host.network.connect(endpoint, new DialledBackend(this))
    return promise
  }

  go(): boolean {
    const backend = this.#backend
    const held = this.#held
    if (this.phase !== 'holding' || backend === null || held === null) return false
    this.#advance('go')
    this.#held = null
    this.#hello = helloForgotten
    this.#relay = new Relay(this, this.#host.clock, this.#client, backend)
    this.#relay.start(held.length === 1 ? held[0]! : Buffer.concat(held, this.#heldBytes))
    return true
  }

  refuse(): void {
    if (this.phase === 'closed') return
    this.#client.destroy()
    this.#backend?.reset()
    this.#conclude({ by: 'proxy', because: 'finished', code: null })
  }

  abort(ending: Ending): void {
    if (this.phase === 'closed') return
    this.#client.reset()
    this.#backend?.reset()
    this.#conclude(ending)
  }

  /** The peek took too long, or another timeout of the first phase. */
  endPeek(reason: PeekRefusal, detail: string | null): void {
    this.#peeked({ kind: 'refused', reason, detail })
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

  /** By FIN (null) or RST. A hello can't be followed by a useful half-close: nobody is left to serve. */
  clientLeft(code: string | null): void {
    if (this.phase === 'closed') return
    if (this.phase === 'peeking') {
      this.#peeked({ kind: 'refused', reason: 'client_gone', detail: code ?? 'FIN before a complete hello' })
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

  relayOver(ending: Ending): void {
    if (this.phase !== 'closed') this.#conclude(ending)
  }

  // The steps.

  #judge(verdict: HelloVerdict): void {
    if (verdict.kind === 'incomplete') return
    if (verdict.kind === 'hello') this.#peeked(verdict)
    else this.#peeked({ kind: 'refused', reason: refusalOf[verdict.kind], detail: verdict.detail })
  }

  #peeked(peeked: Peeked): void {
    if (this.phase !== 'peeking') return
    this.#parser = null
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

const refusalOf = {
  malformed: 'hello_malformed',
  not_tls: 'not_tls',
  sslv2: 'sslv2',
  too_large: 'hello_too_large',
} as const satisfies Record<Exclude<HelloVerdict['kind'], 'hello' | 'incomplete'>, PeekRefusal>

function closePhaseOf(phase: Phase): ClosePhase {
  return phase === 'relaying' ? 'relay' : phase === 'half_closed' ? 'half_closed' : 'record'
}
