/**
 * Finds the handshake messages in the payloads of a direction's records, and hands over as much of each as is wanted. All
 * else is skipped by its length.
 */

/** All bytes are lent for the call. */
export interface MessageReader {
  /** As in RecordReader. */
  readonly over: boolean
  /** The first byte of a message, so that it can be judged early. */
  onMessageType(type: number): void
  /** Its header is complete. Answers how many bytes of the body are wanted, from the first on: at most `length`. */
  onMessage(type: number, length: number): number
  /** What was wanted, in one piece; not called where nothing was. */
  onMessageBody(body: Uint8Array): void
}

const headerBytes = 4
const firstRoomBytes = 256
const nothing = new Uint8Array(0)

export class MessageWalk {
  readonly #reader: MessageReader
  #headerFilled = 0
  #type = 0
  #length = 0
  /** Of the current message's body. */
  #bodyLeft = 0
  #wanted = 0
  /** Only used for a body that does not lie in one chunk and one record; grows with what arrived. */
  #room: Uint8Array = nothing
  #filled = 0

  constructor(reader: MessageReader) {
    this.#reader = reader
  }

  push(chunk: Uint8Array, start: number, end: number): void {
    let at = start
    while (at < end && !this.#reader.over) {
      if (this.#headerFilled < headerBytes) {
        this.#headerByte(chunk[at++] as number)
      } else {
        const bytes = Math.min(this.#bodyLeft, end - at)
        this.#body(chunk, at, at + bytes)
        at += bytes
      }
    }
  }

  #headerByte(byte: number): void {
    if (this.#headerFilled++ === 0) {
      this.#type = byte
      this.#length = 0
      this.#reader.onMessageType(byte)
      return
    }
    this.#length = (this.#length << 8) | byte
    if (this.#headerFilled < headerBytes) return
    this.#wanted = this.#reader.onMessage(this.#type, this.#length)
    this.#bodyLeft = this.#length
  }

  #body(chunk: Uint8Array, start: number, end: number): void {
    this.#bodyLeft -= end - start
    if (this.#bodyLeft === 0) this.#headerFilled = 0
    if (this.#wanted === 0) return
    if (this.#filled === 0 && end - start >= this.#wanted) {
      this.#handOver(chunk.subarray(start, start + this.#wanted))
      return
    }
    this.#keep(chunk, start, Math.min(end, start + this.#wanted - this.#filled))
    if (this.#filled === this.#wanted) this.#handOver(this.#room.subarray(0, this.#filled))
  }

  #handOver(body: Uint8Array): void {
    this.#wanted = 0
    this.#filled = 0
    this.#room = nothing
    this.#reader.onMessageBody(body)
  }

  #keep(chunk: Uint8Array, start: number, end: number): void {
    const needed = this.#filled + end - start
    if (needed > this.#room.length) {
      const larger = new Uint8Array(Math.min(this.#wanted, Math.max(needed, 2 * this.#room.length, firstRoomBytes)))
      larger.set(this.#room.subarray(0, this.#filled))
      this.#room = larger
    }
    this.#room.set(chunk.subarray(start, end), this.#filled)
    this.#filled = needed
  }
}
