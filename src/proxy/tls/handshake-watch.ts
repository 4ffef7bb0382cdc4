/**
 * Reads in passing what a TLS handshake says in the clear, for the record of its connection, and says when a backend has
 * chosen what must not be. Nothing is decrypted, delayed or changed.
 */
import type { handshakeProgress } from '../../../events/tls.ts'
import { BackendReader, type BackendTerms, type BackendVerdict } from './backend-reader.ts'
import { ClientReader } from './client-reader.ts'
import { Conversation, type TlsAlert } from './conversation.ts'
import type { Group } from './key-exchange.ts'
import { RecordWalk } from './record-walk.ts'

/** What a connection's handshake said in the clear, so far. Numbers are those on the wire; their names are in names.ts. */
export interface TlsFacts {
  /** Chosen by the backend: in `supported_versions` of its ServerHello where that is there, else in the legacy field. */
  readonly version: number | null
  readonly cipher: number | null
  /** Null also where none is said: RSA key exchange, or a resumption without a new exchange. */
  readonly group: Group | null
  readonly helloRetryRequest: boolean
  /** Null: not known, or not yet. */
  readonly resumed: boolean | null
  /** Those that were sent unencrypted, in the order in which they passed; at most `tlsAlertsRecordedMax`. */
  readonly alerts: readonly TlsAlert[]
  /** `inferred_complete`: from the kinds and sizes of encrypted records, since nothing encrypted is read. */
  readonly handshake: (typeof handshakeProgress)[number]
  /** The backend did not answer with TLS, which the terms allow: the rest says nothing. */
  readonly plaintext: boolean
}

export interface WatchTerms extends BackendTerms {
  /** The hello carries `early_data`: what the client sends encrypted may be data from before the handshake's end. */
  readonly earlyDataOffered?: boolean
  /** No byte of the client's was judged yet, and plaintext is not for this backend: it has to begin with a ClientHello. */
  readonly clientUnread?: boolean
}

export type WatchVerdict = BackendVerdict | 'client_not_tls'

/**
 * One per connection, from its first byte until it is done. All chunks are lent: of their bytes it copies a ServerHello
 * that did not come in one piece (at most 16 KiB), the head of a ServerKeyExchange likewise, and nothing else.
 */
export class HandshakeWatch {
  readonly #conversation = new Conversation()
  readonly #backendReader: BackendReader
  readonly #clientReader: ClientReader
  readonly #backendWalk: RecordWalk
  readonly #clientWalk: RecordWalk

  constructor(terms: WatchTerms) {
    this.#backendReader = new BackendReader(this.#conversation, terms)
    const { clientUnread = false, earlyDataOffered = false } = terms
    this.#clientReader = new ClientReader(this.#conversation, { earlyDataOffered, judged: clientUnread })
    this.#backendWalk = new RecordWalk(this.#backendReader, { sslv2Start: false })
    this.#clientWalk = new RecordWalk(this.#clientReader, { sslv2Start: !clientUnread })
  }

  /**
   * Before the chunk is passed on. Null: pass it on. A verdict is final: the connection must end and this chunk must not
   * be passed on. Part of a ServerHello is passed on before the whole can be judged: no client can do anything with it,
   * and the verdict comes before the rest.
   */
  fromBackend(chunk: Uint8Array): BackendVerdict | null {
    this.#backendWalk.push(chunk)
    return this.#backendReader.verdict
  }

  /** All bytes of the client from its very first, the hello included, before they are passed on; answers as `fromBackend`. */
  fromClient(chunk: Uint8Array): 'client_not_tls' | null {
    this.#clientWalk.push(chunk)
    return this.#clientReader.verdict
  }

  /**
   * False: this side says nothing of interest any more, though the other may. A long transfer that nobody answers need not
   * be looked at.
   */
  get hearsBackend(): boolean {
    return !this.#backendReader.over
  }
  get hearsClient(): boolean {
    return !this.#clientReader.over
  }

  /** The verdict's alert was sent to the client. In the place of an earlier one where there is no room: it says why. */
  alertByProxy(code: number): void {
    this.#conversation.lastAlert('proxy', code)
  }

  /** Nothing more will be learnt or judged: keep `facts()` and drop the watch. */
  get done(): boolean {
    const { modern, backendProtected, backendFinished, clientProtected, clientFinished } = this.#conversation
    const backendSilent = this.#backendReader.over
    const clientSilent = this.#clientReader.over
    // A side that encrypts has one thing left to show: that both have finished, if the other has done its part.
    const clientMayComplete = modern ? backendProtected : backendFinished
    const clientSaidAll = clientSilent || (clientProtected && !clientMayComplete)
    const backendSaidAll = backendSilent || (backendProtected && !clientFinished)
    return (backendSilent && clientSaidAll) || (clientSilent && backendSaidAll)
  }

  /** A small object of its own, without any of the bytes it was read from. */
  facts(): TlsFacts {
    const { version, cipher, group, helloRetryRequest, resumed, alerts, helloRead, complete } = this.#conversation
    const handshake = complete ? 'inferred_complete' : helloRead ? 'server_hello' : 'none'
    return { version, cipher, group, helloRetryRequest, resumed, alerts: [...alerts], handshake, plaintext: this.#backendReader.plaintext }
  }
}
