/**
 * Peeks at the first bytes of a connection and says as early as they allow whether it is TLS, and what its ClientHello
 * asks for. This is the security boundary: connections are routed by its answer, and the answer is the same however the
 * bytes were cut into records and chunks.
 */
import { hex8, uint16At, uint24At } from './bytes.ts'
import type { ClientHello, HelloRejection } from './client-hello.ts'
import { HandshakeBuffer } from './handshake-buffer.ts'
import { handshakeHeaderBytes, parseClientHello } from './message.ts'
import { protocolOf } from './protocol.ts'
import { RecordHeader, recordBytesMax, recordHeaderBytes, recordTypeHandshake, recordVersionMajor } from './record-header.ts'

export interface HelloLimits {
  /** Longest handshake message, without its four-byte header. */
  readonly helloBytesMax: number
  /** Most TLS records that the message may be spread over; at least 1. */
  readonly recordsMax: number
}

/** What Go accepts; nginx, HAProxy and BoringSSL stop at 16 KiB, and hellos with large tickets have been cut by that. */
export const helloBytesMaxDefault = 65_536
/**
 * One-byte records multiply what must be buffered by six. Real clients send a handful of records; the worst-cut hello in
 * public test suites needs 512, and any hello up to 4 KiB passes even when it is cut into single bytes.
 */
export const helloRecordsMax = 4_096

export type HelloVerdict =
  /** Nothing can be said yet; push more bytes. */
  { readonly kind: 'incomplete' } | { readonly kind: 'hello'; readonly hello: ClientHello } | HelloRejection

const handshakeTypeClientHello = 1
const incomplete: HelloVerdict = Object.freeze({ kind: 'incomplete' })

/** One per connection while it peeks. Keeps a copy of the handshake bytes that arrived, in at most twice their room. */
export class HelloParser {
  readonly #limits: HelloLimits
  readonly #header = new RecordHeader()
  readonly #message = new HandshakeBuffer()
  #verdict: HelloVerdict = incomplete
  #wireBytes = 0
  #recordCount = 0
  /** Payload bytes of the current record that have not arrived. */
  #recordBytesLeft = 0

  constructor(limits: HelloLimits) {
    this.#limits = limits
  }

  /**
   * Takes the bytes that follow those already pushed; does not change, keep or consume them. Any verdict but
   * `incomplete` is final and is returned again for whatever comes later.
   */
  push(chunk: Uint8Array): HelloVerdict {
    if (this.#verdict.kind !== 'incomplete') return this.#verdict
    const whole = this.#wireBytes === 0 ? wholeHelloIn(chunk, this.#limits) : null
    this.#verdict = whole === null ? this.#advance(chunk) : verdictOf(whole, recordHeaderBytes + whole.length, 1)
    if (this.#verdict.kind !== 'incomplete') this.#message.release()
    return this.#verdict
  }

  #advance(chunk: Uint8Array): HelloVerdict {
    let at = 0
    while (at < chunk.length) {
      if (this.#recordBytesLeft === 0) {
        const rejection = this.#headerByte(chunk[at++] as number)
        if (rejection !== null) return rejection
        continue
      }
      const bytes = Math.min(this.#recordBytesLeft, this.#message.bytesWanted, chunk.length - at)
      this.#message.append(chunk, at, at + bytes)
      at += bytes
      this.#recordBytesLeft -= bytes
      this.#wireBytes += bytes
      const rejection = this.#judgeMessage()
      if (rejection !== null) return rejection
      if (this.#message.complete) return verdictOf(this.#message.bytes(), this.#wireBytes, this.#recordCount)
    }
    return incomplete
  }

  /** Judges each byte when it comes: who does not speak TLS must not be waited for. */
  #headerByte(byte: number): HelloRejection | null {
    const startsRecord = this.#header.bytes === 0
    if (startsRecord && this.#recordCount === this.#limits.recordsMax) {
      return rejected('too_large', `the message is not complete after ${this.#recordCount} records`)
    }
    this.#header.push(byte)
    this.#wireBytes++
    if (this.#recordCount === 0) {
      const rejection = protocolOf(this.#header)
      if (rejection !== null) return rejection
    } else {
      const fault = this.#header.typeFault()
      if (fault !== null) return rejected('malformed', `record ${this.#recordCount + 1}: ${fault}`)
    }
    if (this.#header.bytes < recordHeaderBytes) return null
    this.#recordCount++
    const length = this.#header.length
    if (length === 0) return rejected('malformed', `record ${this.#recordCount} is empty`)
    if (length > recordBytesMax) return rejected('malformed', `record ${this.#recordCount} says ${length} bytes`)
    this.#recordBytesLeft = length
    this.#header.reset()
    return null
  }

  /** Judges type and length of the handshake message as soon as they are there. */
  #judgeMessage(): HelloRejection | null {
    const type = this.#message.type
    if (type !== handshakeTypeClientHello) {
      return rejected('malformed', `handshake message of type ${hex8(type)} instead of a ClientHello`)
    }
    const length = this.#message.length
    if (length <= this.#limits.helloBytesMax) return null
    return rejected('too_large', `hello of ${length} bytes; at most ${this.#limits.helloBytesMax} are read`)
  }
}

/**
 * The common case, without copying: the message lies in the first record and the first chunk. Any doubt is null, and the
 * bytes are then judged one after the other.
 */
function wholeHelloIn(chunk: Uint8Array, limits: HelloLimits): Buffer | null {
  if (chunk.length < recordHeaderBytes + handshakeHeaderBytes) return null
  if (chunk[0] !== recordTypeHandshake || chunk[1] !== recordVersionMajor) return null
  if (chunk[recordHeaderBytes] !== handshakeTypeClientHello) return null
  const recordBytes = uint16At(chunk, 3)
  const length = uint24At(chunk, recordHeaderBytes + 1)
  if (recordBytes > recordBytesMax || length > limits.helloBytesMax) return null
  const messageBytes = handshakeHeaderBytes + length
  if (messageBytes > recordBytes || messageBytes > chunk.length - recordHeaderBytes) return null
  return Buffer.from(chunk.buffer, chunk.byteOffset + recordHeaderBytes, messageBytes)
}

function verdictOf(message: Buffer, wireBytes: number, recordCount: number): HelloVerdict {
  const parsed = parseClientHello(message, { wireBytes, recordCount })
  return typeof parsed === 'string' ? rejected('malformed', parsed) : { kind: 'hello', hello: parsed }
}

function rejected(kind: HelloRejection['kind'], detail: string): HelloRejection {
  return { kind, detail }
}
