import type { closePhases } from '../../events/connection.ts'
import type { Actor } from '../../events/values.ts'
import type { Endpoint, Listening } from '../core/network.ts'
import type { ClientHello } from './hello/client-hello.ts'

/**
 * All that the stages (route, lease, record) know of the network. Events: hello, connected, closed. Commands: dial,
 * go, refuse, abort. Whoever implements it owes two things: no client byte reaches a backend before `go`, and exactly
 * one `closed` for each link. Nothing here says that it is this process, or JavaScript, that moves the bytes.
 */
export interface Engine extends AsyncDisposable {
  /** Binds and hands out one link per accepted client that `gate` lets in. Rejects with an errno `code`. */
  listen(endpoint: Endpoint, entrance: Entrance): Promise<Listening>
  /** Links that are not closed yet, in every phase. */
  readonly links: number
  /** Those of them whose hello is not complete yet. */
  readonly peeking: number
  /** Ends every link that is left, as `abort` does. */
  abortAll(ending: Ending): void
}

export interface Entrance {
  /** Asked before anything is read: true lets the client in. Otherwise it is gone, and telling is the gate's affair. */
  gate(client: Endpoint | null): boolean
  serve(link: Link): void
}

export type CloseParty = 'backend' | 'client' | 'operator' | 'proxy'
export type ClosePhase = (typeof closePhases)[number]
export type CloseCause =
  | 'audit_timeout'
  | 'drain_forced'
  | 'drain_timeout'
  | 'finished'
  | 'half_close_timeout'
  | 'idle_timeout'
  | 'network_error'
  | 'operator_ended'
  | 'reset'
  | 'shutdown'

/** Why a link ends: whose doing, and what happened. `code` is the errno name of a socket that broke. */
export interface Ending {
  /** Who ended it, when `by` is operator. */
  readonly actor?: Actor
  readonly by: CloseParty
  readonly because: CloseCause
  readonly code: string | null
}

/** What the first bytes turned out to be. Anything but a hello ends in a refusal. */
export type Peeked =
  | { readonly kind: 'hello'; readonly hello: ClientHello }
  | { readonly kind: 'refused'; readonly reason: PeekRefusal; readonly detail: string | null }
  /** The link was aborted meanwhile. `closed` says why. */
  | { readonly kind: 'gone' }

export type PeekRefusal = 'client_gone' | 'hello_malformed' | 'hello_too_large' | 'not_tls' | 'peek_timeout' | 'sslv2'

export type Dialled =
  | { readonly kind: 'connected'; readonly local: Endpoint | null }
  | { readonly kind: 'failed'; readonly code: string }
  /** The link ended meanwhile: the client left, or it was aborted. `closed` says why. */
  | { readonly kind: 'gone' }

/** The whole account of a link, given once. */
export interface LinkClosed extends Ending {
  readonly phase: ClosePhase
  readonly bytesToBackend: number
  readonly bytesToClient: number
  /** True when everything that was read from one side is known to have reached the kernel of the other side. */
  readonly exact: boolean
  /** Monotonic time of the first byte that the backend sent; null when it sent none. */
  readonly firstBackendByteMs: number | null
  readonly closedMs: number
}

/** One client. Every command is legal at any time; one that comes too late does nothing. */
export interface Link {
  readonly client: Endpoint | null
  /** Monotonic milliseconds. */
  readonly acceptedMs: number
  /** To be asked for before `go`: a link that relays keeps nothing of it. */
  readonly hello: Promise<Peeked>
  readonly closed: Promise<LinkClosed>
  /** So far, towards each side. */
  readonly bytesToBackend: number
  readonly bytesToClient: number

  /** Connects to a backend and holds the connection without a byte. At most one at a time; again after a failure. */
  dial(endpoint: Endpoint, timeoutMs: number): Promise<Dialled>
  /** Sends the hello on and relays both ways from here on. False: the link has ended. */
  go(): boolean
  /** Ends a link that was never `go`ed, without a byte to the client. */
  refuse(): void
  /** Ends it now, with RST to both sides. */
  abort(ending: Ending): void
}
