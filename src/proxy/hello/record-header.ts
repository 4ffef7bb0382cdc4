/** Collects the five bytes of a TLS record header, which may come one at a time. */
import { hex8 } from './bytes.ts'

export const recordTypeHandshake = 0x16
export const recordVersionMajor = 3
export const recordHeaderBytes = 5
/** RFC 8446 section 5.1, for records that are not encrypted. */
export const recordBytesMax = 16_384

export class RecordHeader {
  /** How many of the five have come. */
  bytes = 0
  type = 0
  major = 0
  /** RFC 8446 section 5.1: the minor version must be ignored. It is kept for SSLv2, which has another field there. */
  minor = 0
  length = 0

  push(byte: number): void {
    if (this.bytes === 0) this.type = byte
    else if (this.bytes === 1) this.major = byte
    else if (this.bytes === 2) this.minor = byte
    else if (this.bytes === 3) this.length = byte
    else this.length = (this.length << 8) | byte
    this.bytes++
  }

  reset(): void {
    this.bytes = 0
  }

  /** What is wrong with the bytes so far, given that the connection is known to be TLS. */
  typeFault(): string | null {
    if (this.bytes > 0 && this.type !== recordTypeHandshake) return `type ${hex8(this.type)} inside the hello`
    if (this.bytes > 1 && this.major !== recordVersionMajor) return `major version ${this.major}`
    return null
  }
}
