import type { closeParties, closePhases, closeReasons } from '../../events/connection.ts'
import type { Actor, ListenerCase } from '../../events/values.ts'
import type { Endpoint, Listening } from '../core/network.ts'
import type { ClientHello } from './hello/client-hello.ts'
import type { ProtocolHint } from './hello/protocol-hint.ts'
import type { TlsFacts, WatchTerms } from './tls/handshake-watch.ts'

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

export type CloseParty = (typeof closeParties)[number]
export type ClosePhase = (typeof closePhases)[number]
/** A link of this process is never lost with its node. */
export type CloseCause = Exclude<(typeof closeReasons)[number], 'node_lost'>

/** Why a link ends: whose doing, and what happened. `code` is the errno name of a socket that broke. */
export interface Ending {
  /** Who ended it, when `by` is operator. */
  readonly actor?: Actor
  readonly by: CloseParty
  readonly because: CloseCause
  readonly code: string | null
}

/** What the first bytes turned out to be. */
export type Peeked =
  | { readonly kind: 'hello'; readonly hello: ClientHello }
  | NoHello
  /** The client left before any verdict: by FIN (null) or as its errno name says. */
  | { readonly kind: 'left'; readonly code: string | null }
  /** The link was aborted meanwhile. `closed` says why. */
  | { readonly kind: 'gone' }

/** There is no hello to route by. The link may still be dialled and go on with what the client has sent. */
export interface NoHello {
  readonly kind: 'no_hello'
  readonly what: Exclude<ListenerCase, 'no_sni' | 'unknown_sni'>
  /** What exactly was wrong; never client bytes. */
  readonly detail: string
  /** What it looks like instead; only where it is not TLS. */
  readonly hint: ProtocolHint | null
}

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
  /**
   * True when everything that was read from one side is known to have reached the kernel of the other side, but for a
   * chunk that broke the terms: that was kept from the client, and is not counted.
   */
  readonly exact: boolean
  /** Monotonic time of the first byte that the backend sent; null when it sent none. */
  readonly firstBackendByteMs: number | null
  /** What the handshake said in the clear; null when it was not watched. */
  readonly tls: TlsFacts | null
  readonly closedMs: number
}

/** How a handshake is watched. */
export interface Watching {
  readonly terms: WatchTerms
  /** Whether the client is sent an alert when the backend breaks the terms, if nothing of its was passed on yet. */
  readonly tlsAlerts: boolean
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
  /** What the handshake has said in the clear so far; null when it is not watched. */
  readonly tls: TlsFacts | null

  /** Connects to a backend and holds the connection without a byte. At most one at a time; again after a failure. */
  dial(endpoint: Endpoint, timeoutMs: number): Promise<Dialled>
  /**
   * Sends the hello on and relays both ways from here on, watching the handshake; null: it is not TLS and nothing is
   * watched. A backend that breaks the terms ends the link before its chunk is passed on. False: the link has ended.
   */
  go(watching: Watching | null): boolean
  /**
   * Ends a link that was never `go`ed. `farewell` is sent so that it arrives (a TLS alert); null: nothing is. True: it was
   * sent. False: there was none, the client is gone, or too many are being told already.
   */
  refuse(farewell: Uint8Array | null): boolean
  /** Ends it now, with RST to both sides. */
  abort(ending: Ending): void
}
