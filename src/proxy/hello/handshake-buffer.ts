/** Collects the handshake message out of record payloads. Grows with what arrived, never with what a length claims. */
import { byteAt, uint24At } from './bytes.ts'

const headerBytes = 4
const firstCapacity = 512
const nothing = Buffer.alloc(0)

export class HandshakeBuffer {
  #storage: Buffer = nothing
  #filled = 0

  /** What it occupies: at most twice what was appended, and 512 bytes at least once there is anything. */
  get roomBytes(): number {
    return this.#storage.length
  }

  /** Handshake type; only after the first byte. */
  get type(): number {
    return byteAt(this.#storage, 0)
  }

  /** Length of the body as declared, or 0 while the header is not complete. */
  get length(): number {
    return this.#filled < headerBytes ? 0 : uint24At(this.#storage, 1)
  }

  get complete(): boolean {
    return this.#filled >= headerBytes && this.#filled === headerBytes + this.length
  }

  /** What the header, or then the message, still lacks: never asks for bytes of the next message. */
  get bytesWanted(): number {
    return (this.#filled < headerBytes ? headerBytes : headerBytes + this.length) - this.#filled
  }

  append(chunk: Uint8Array, start: number, end: number): void {
    const needed = this.#filled + end - start
    if (needed > this.#storage.length) this.#grow(needed)
    if (end - start === 1) this.#storage[this.#filled] = byteAt(chunk, start)
    else this.#storage.set(chunk.subarray(start, end), this.#filled)
    this.#filled = needed
  }

  /** The message so far; a view. */
  bytes(): Buffer {
    return this.#storage.subarray(0, this.#filled)
  }

  release(): void {
    this.#storage = nothing
  }

  #grow(needed: number): void {
    // Not from Buffer's pool: a slice of it would keep 64 KiB alive for a slow client's few bytes.
    const larger = Buffer.alloc(Math.max(needed, 2 * this.#storage.length, firstCapacity))
    larger.set(this.#storage.subarray(0, this.#filled))
    this.#storage = larger
  }
}
