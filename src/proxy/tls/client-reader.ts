/** Reads what a client says in the clear: its alerts, and whether its records look like those of a completed handshake. */
import { type RecordHeader, recordBytesMax, recordHeaderBytes, recordVersionMajor } from '../hello/record-header.ts'
import { type Conversation, isAlertRecord, isRecordType, recordExpansionBytesMax, recordTypes } from './conversation.ts'
import type { RecordReader } from './record-walk.ts'

/**
 * A Finished in a record of its own, by the lengths of the hashes in use: four bytes of header, the hash, one of content
 * type and the tag: SHA-256 with CCM_8, SHA-256, SHA-384 and SHA-512. An encrypted alert has 19 bytes, or 11.
 */
const finishedRecordBytes: ReadonlySet<number> = new Set([45, 53, 69, 85])
const finishedRecordBytesMin = 45

/** EndOfEarlyData, likewise, with a tag of 8 bytes and of 16. */
const endOfEarlyDataRecordBytes: ReadonlySet<number> = new Set([13, 21])

const messageClientHello = 1

export class ClientReader implements RecordReader {
  readonly #conversation: Conversation
  /** The connection must end. */
  verdict: 'client_not_tls' | null = null
  /** Its first record is still to be judged: that of a handshake, which begins with a ClientHello. */
  #judged: boolean
  #recordType = 0
  #recordLength = 0
  #stopped = false
  /** Encrypted records of the client need not belong to the handshake: it sends, or may send, data ahead of it. */
  #earlyData: boolean
  #earlyDataEnded = false
  #mayBeFinished = false

  constructor(conversation: Conversation, options: { readonly earlyDataOffered: boolean; readonly judged: boolean }) {
    this.#conversation = conversation
    this.#judged = options.judged
    this.#earlyData = options.earlyDataOffered
  }

  get over(): boolean {
    return this.#stopped || this.#conversation.over
  }

  onHeader(header: RecordHeader): void {
    if (!isRecordType(header.type) || (header.bytes > 1 && header.major !== recordVersionMajor)) this.#stopped = true
    if (this.#judged && (this.#stopped || header.type !== recordTypes.handshake)) this.#notTls()
    if (this.#stopped || header.bytes < recordHeaderBytes) return
    if (this.#judged && (header.length === 0 || header.length > recordBytesMax)) return this.#notTls()
    this.#recordType = header.type
    this.#recordLength = header.length
    if (header.length > recordBytesMax + recordExpansionBytesMax) this.#stopped = true
    else if (header.type === recordTypes.applicationData) this.#dataStarts()
    else if (header.type === recordTypes.handshake) this.#handshakeStarts()
    else if (header.type === recordTypes.changeCipherSpec) this.#keysChange()
  }

  onPayload(chunk: Uint8Array, start: number, end: number, left: number): void {
    if (this.#judged && chunk[start] !== messageClientHello) return this.#notTls()
    this.#judged = false
    if (left > 0) return
    const conversation = this.#conversation
    if (this.#recordType === recordTypes.handshake) {
      if (conversation.clientProtected) conversation.finished('client')
    } else if (this.#recordType === recordTypes.applicationData) {
      if (this.#mayBeFinished) conversation.completed()
    } else if (!conversation.clientProtected && isAlertRecord(this.#recordType, this.#recordLength)) {
      conversation.alert('client', chunk[end - 1] as number)
    }
  }

  onExhausted(): void {
    this.#stopped = true
  }

  #notTls(): void {
    this.#stopped = true
    this.verdict = 'client_not_tls'
    this.#conversation.over = true
  }

  #dataStarts(): void {
    const conversation = this.#conversation
    if (!conversation.helloRead) {
      this.#earlyData = true
    } else if (conversation.modern) {
      conversation.clientProtected = true
      // Its Finished answers the backend's, so it can't come before that one, which is encrypted too.
      this.#mayBeFinished = conversation.backendProtected && this.#looksFinished()
      this.#earlyDataEnded = endOfEarlyDataRecordBytes.has(this.#recordLength)
    }
  }

  #looksFinished(): boolean {
    const bytes = this.#recordLength
    if (!this.#earlyData || this.#earlyDataEnded) return bytes >= finishedRecordBytesMin
    return finishedRecordBytes.has(bytes)
  }

  #handshakeStarts(): void {
    // A second ClientHello: a HelloRetryRequest refuses early data (RFC 8446, section 4.2.10).
    if (this.#conversation.helloRetryRequest) this.#earlyData = false
  }

  #keysChange(): void {
    // One that comes before any answer is a TLS 1.3 client's, to look like TLS 1.2.
    if (this.#conversation.helloRead && !this.#conversation.modern) this.#conversation.clientProtected = true
  }
}
