/**
 * Cuts one direction of a TLS connection into its records, however the bytes were cut into chunks. It keeps five header
 * bytes and a count, never a payload.
 */
import { RecordHeader, recordHeaderBytes } from '../hello/record-header.ts'

/** What a direction's records are told to. All chunks are lent for the call. */
export interface RecordReader {
  /** Nothing more is wanted. Asked before every step, so that what is read never depends on how the bytes were cut. */
  readonly over: boolean
  /** After each byte of a header, so that it can be judged early; `header.bytes` says how many there are. */
  onHeader(header: RecordHeader): void
  /** Some of a record's payload; `left` bytes of it are still to come. Never called for an empty record. */
  onPayload(chunk: Uint8Array, start: number, end: number, left: number): void
  /** The bound on what is read of a direction was reached. */
  onExhausted(): void
}

/**
 * What is walked through in each direction: a handshake with the largest certificates that anybody accepts fits into it,
 * and a connection that never completes one is not watched for ever.
 */
export const examinedBytesMax = 524_288

const sslv2LongHeader = 0x80
const sslv2HeaderBytes = 2

export class RecordWalk {
  readonly #reader: RecordReader
  readonly #header = new RecordHeader()
  /** Only a client may begin so (RFC 5246, appendix E.2), and only with its first message. */
  #mayBeSslv2: boolean
  #payloadLeft = 0
  #examinedBytes = 0

  constructor(reader: RecordReader, options: { readonly sslv2Start: boolean }) {
    this.#reader = reader
    this.#mayBeSslv2 = options.sslv2Start
  }

  push(chunk: Uint8Array): void {
    const end = Math.min(chunk.length, examinedBytesMax - this.#examinedBytes)
    let at = 0
    while (at < end && !this.#reader.over) {
      if (this.#payloadLeft === 0) {
        this.#headerByte(chunk[at++] as number)
      } else {
        const bytes = Math.min(this.#payloadLeft, end - at)
        this.#payloadLeft -= bytes
        this.#reader.onPayload(chunk, at, at + bytes, this.#payloadLeft)
        at += bytes
      }
    }
    this.#examinedBytes += at
    if (this.#examinedBytes === examinedBytesMax && !this.#reader.over) this.#reader.onExhausted()
  }

  #headerByte(byte: number): void {
    const header = this.#header
    header.push(byte)
    if (this.#mayBeSslv2 && (header.type & sslv2LongHeader) !== 0) {
      if (header.bytes < sslv2HeaderBytes) return
      this.#recordStarts(((header.type & ~sslv2LongHeader) << 8) | header.major)
      return
    }
    this.#reader.onHeader(header)
    if (header.bytes === recordHeaderBytes) this.#recordStarts(header.length)
  }

  #recordStarts(payloadBytes: number): void {
    this.#mayBeSslv2 = false
    this.#payloadLeft = payloadBytes
    this.#header.reset()
  }
}
