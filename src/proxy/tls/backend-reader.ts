/**
 * Reads what a backend says in the clear, and judges it: up to the ServerHello everything must be TLS as it is written
 * down, or the connection is ended; after it nothing is judged any more, only learnt.
 */
import { type RecordHeader, recordBytesMax, recordHeaderBytes, recordVersionMajor } from '../hello/record-header.ts'
import { cipherForbidden } from './cipher-policy.ts'
import { type Conversation, isAlertRecord, isRecordType, recordExpansionBytesMax, recordTypes } from './conversation.ts'
import { groupOfKeyExchange, keyExchangeHeadBytes } from './key-exchange.ts'
import { type MessageReader, MessageWalk } from './message-walk.ts'
import type { RecordReader } from './record-walk.ts'
import { parseServerHello, type ServerHello } from './server-hello.ts'

export type BackendVerdict = 'backend_not_tls' | 'cipher_forbidden' | 'tls_version_too_low'

export interface BackendTerms {
  /** As the client sent it, empty for none; null: unknown. */
  readonly sessionId: Uint8Array | null
  /** Number on the wire, 0x0301 to 0x0304; null: any version will do. */
  readonly minTlsVersion: number | null
  /** A backend that does not speak TLS is passed on, and nothing more is learnt of it. */
  readonly plaintextAllowed: boolean
}

const messageHelloRequest = 0
const messageServerHello = 2
const messageNewSessionTicket = 4
const messageServerKeyExchange = 12

/** Up to the two bytes of cipher suite and one of compression. */
const serverHelloBytesMin = 38
/** Real ones have at most some 1,800 bytes (a key share of ML-KEM-1024); the largest that were proposed need ten times that. */
export const serverHelloBytesMax = 16_384

const versionMax = 0x0304

export class BackendReader implements RecordReader, MessageReader {
  /** The connection must end. */
  verdict: BackendVerdict | null = null
  /** It does not speak TLS, and may: nothing more is learnt. */
  plaintext = false
  readonly #conversation: Conversation
  readonly #terms: BackendTerms
  readonly #messages: MessageWalk
  #recordType = 0
  #recordLength = 0
  #stopped = false
  /** In TLS 1.2 and before, what follows the ServerHello says whether it resumes: nothing but a ticket has come so far. */
  #resumptionOpen = false

  constructor(conversation: Conversation, terms: BackendTerms) {
    this.#conversation = conversation
    this.#terms = terms
    this.#messages = new MessageWalk(this)
  }

  get over(): boolean {
    return this.#stopped || this.#conversation.over
  }

  onHeader(header: RecordHeader): void {
    if (!this.#typeFits(header.type) || (header.bytes > 1 && header.major !== recordVersionMajor)) return this.#fault()
    if (header.bytes < recordHeaderBytes) return
    this.#recordType = header.type
    this.#recordLength = header.length
    if (!this.#lengthFits()) this.#fault()
    else if (this.#conversation.helloRead) this.#recordAfterHello()
  }

  onPayload(chunk: Uint8Array, start: number, end: number, left: number): void {
    const conversation = this.#conversation
    const encrypted = conversation.backendProtected
    if (this.#recordType === recordTypes.handshake) {
      if (!encrypted) this.#messages.push(chunk, start, end)
      else if (left === 0) conversation.finished('backend')
    } else if (left === 0 && !encrypted && isAlertRecord(this.#recordType, this.#recordLength)) {
      conversation.alert('backend', chunk[end - 1] as number)
    }
  }

  onExhausted(): void {
    this.#fault()
  }

  onMessageType(type: number): void {
    if (!this.#conversation.helloRead) {
      if (type !== messageServerHello && type !== messageHelloRequest) this.#fault()
    } else if (this.#resumptionOpen && type !== messageNewSessionTicket && type !== messageHelloRequest) {
      this.#resumption(false)
    }
  }

  onMessage(type: number, length: number): number {
    if (this.#conversation.helloRead) {
      const wanted = type === messageServerKeyExchange && !this.#conversation.modern
      return wanted ? Math.min(length, keyExchangeHeadBytes) : 0
    }
    if (type === messageHelloRequest ? length === 0 : length >= serverHelloBytesMin && length <= serverHelloBytesMax) return length
    this.#fault()
    return 0
  }

  onMessageBody(body: Uint8Array): void {
    const conversation = this.#conversation
    if (conversation.helloRead) {
      conversation.group = groupOfKeyExchange(conversation.cipher ?? 0, body)
      return
    }
    const hello = parseServerHello(body)
    if (hello === null || !this.#fitsRetryRequest(hello)) return this.#fault()
    this.#learn(hello)
    this.#judge(hello)
  }

  /** RFC 8446, section 4.1.4: there is one HelloRetryRequest at most, and the ServerHello keeps to its version and suite. */
  #fitsRetryRequest({ cipher, retryRequest, version }: ServerHello): boolean {
    const asked = this.#conversation
    return !asked.helloRetryRequest || (!retryRequest && cipher === asked.cipher && version === asked.version)
  }

  #typeFits(type: number): boolean {
    if (this.#conversation.helloRead) return isRecordType(type)
    if (type === recordTypes.handshake || type === recordTypes.alert) return true
    // RFC 8446, appendix D.4: sent after a HelloRetryRequest to look like TLS 1.2, and ignored.
    return type === recordTypes.changeCipherSpec && this.#conversation.helloRetryRequest
  }

  #lengthFits(): boolean {
    if (this.#conversation.helloRead) return this.#recordLength <= recordBytesMax + recordExpansionBytesMax
    if (this.#recordType === recordTypes.handshake) return this.#recordLength > 0 && this.#recordLength <= recordBytesMax
    return this.#recordType === recordTypes.changeCipherSpec ? this.#recordLength === 1 : isAlertRecord(this.#recordType, this.#recordLength)
  }

  /** Before the ServerHello, all doubt is against the backend: what was not understood was not judged. */
  #fault(): void {
    if (this.#conversation.helloRead) this.#stopped = true
    else if (!this.#terms.plaintextAllowed) this.#end('backend_not_tls')
    else {
      this.plaintext = true
      this.#conversation.over = true
    }
  }

  #recordAfterHello(): void {
    const conversation = this.#conversation
    if (this.#recordType === recordTypes.applicationData) {
      if (conversation.modern || conversation.backendProtected) conversation.backendProtected = true
      else this.#stopped = true
    } else if (this.#recordType === recordTypes.changeCipherSpec && !conversation.modern) {
      if (this.#resumptionOpen) this.#resumption(true)
      conversation.backendProtected = true
    }
  }

  #resumption(resumed: boolean): void {
    this.#resumptionOpen = false
    this.#conversation.resumed = resumed
  }

  #learn(hello: ServerHello): void {
    const conversation = this.#conversation
    conversation.version = hello.version
    conversation.cipher = hello.cipher
    conversation.group = hello.modern && hello.namedGroup !== null ? { kind: 'named', code: hello.namedGroup } : null
    if (hello.retryRequest) {
      conversation.helloRetryRequest = true
      return
    }
    conversation.helloRead = true
    conversation.modern = hello.modern
    if (hello.modern) {
      conversation.resumed = hello.preSharedKey
    } else {
      conversation.resumed = resumedBySessionId(this.#terms.sessionId, hello.sessionId)
      this.#resumptionOpen = true
    }
  }

  #judge(hello: ServerHello): void {
    const { minTlsVersion } = this.#terms
    // A number that nobody knows is below any minimum: drafts and GREASE are not what they resemble.
    const unknown = hello.version > versionMax
    if (minTlsVersion !== null && (unknown || hello.version < minTlsVersion)) this.#end('tls_version_too_low')
    else if (cipherForbidden(hello.cipher)) this.#end('cipher_forbidden')
  }

  #end(verdict: BackendVerdict): void {
    this.verdict = verdict
    this.#conversation.over = true
  }
}

/** RFC 5246, section 7.4.1.3, and RFC 5077, section 3.4. What follows decides; this is what can be said until then. */
function resumedBySessionId(offered: Uint8Array | null, chosen: Uint8Array): boolean | null {
  if (offered === null) return null
  return chosen.length > 0 && Buffer.compare(offered, chosen) === 0
}
