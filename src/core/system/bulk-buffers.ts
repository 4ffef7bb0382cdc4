/**
 * Big read buffers for the few sockets that move bulk data: given out one per reader, taken back when the reader went
 * quiet, so that an idle connection never holds one.
 */

export interface BulkReader {
  /** Gives its buffer back if it read nothing since the last call. */
  releaseIfQuiet(): void
}

/** As large as a loopback socket delivers at once; larger brought nothing in measurements. */
const bulkBufferBytes = 262_144
/**
 * Buffers that exist at most, given out or spare: 32 MiB. Slow readers keep theirs for as long as they are slow; who
 * gets none reads into the shared buffer and copies. Spares are never freed, because a Node socket goes on referring to
 * the buffer that it read into last.
 */
export const bulkBuffersMax = 128
const quietCheckMs = 2_000

export class BulkBuffers {
  readonly #spare: Buffer[] = []
  readonly #readers = new Set<BulkReader>()
  #timer: NodeJS.Timeout | null = null

  /** Buffers that are given out. */
  get taken(): number {
    return this.#readers.size
  }

  /** Null when there are too many. */
  take(reader: BulkReader): Buffer | null {
    if (this.#readers.size >= bulkBuffersMax) return null
    this.#readers.add(reader)
    this.#timer ??= setInterval(() => this.releaseQuiet(), quietCheckMs).unref()
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(bulkBufferBytes)
  }

  /** `buffer` null: it can't be reused because somebody may still read from it. */
  giveBack(reader: BulkReader, buffer: Buffer | null): void {
    this.#readers.delete(reader)
    if (buffer !== null) this.#spare.push(buffer)
    if (this.#readers.size === 0 && this.#timer !== null) {
      clearInterval(this.#timer)
      this.#timer = null
    }
  }

  /** Takes back what readers have not used since the last call. Called by its own timer. */
  releaseQuiet(): void {
    for (const reader of this.#readers) reader.releaseIfQuiet()
  }
}

export const bulkBuffers = new BulkBuffers()
