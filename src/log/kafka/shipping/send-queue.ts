import type { StoredRecord } from '../../event-log.ts'

/** Records on their way from a node's own log to its shipper: as many as one send takes at a time, bounded, in order. */

/** Held at most; the file has the rest. */
const bytesMax = 4 * 1024 * 1024

interface Waiting {
  readonly record: StoredRecord
  /** When it came, by the monotonic clock. */
  readonly atMs: number
}

export class SendQueue {
  #waiting: Waiting[] = []
  #bytes = 0
  #changed = Promise.withResolvers<void>()
  #takenSinceMs: number | null = null

  /** Since when the oldest record waits; null: none does. */
  get oldestMs(): number | null {
    return this.#waiting[0]?.atMs ?? null
  }
  /** The same of what was taken last. */
  get takenSinceMs(): number | null {
    return this.#takenSinceMs
  }

  /** Resolves when there is room for more. */
  async push(records: readonly StoredRecord[], atMs: number, signal: AbortSignal): Promise<void> {
    for (const record of records) {
      this.#waiting.push({ atMs, record })
      this.#bytes += record.bytes.length
    }
    this.wake()
    while (this.#bytes > bytesMax && !signal.aborted) await this.#changed.promise
  }

  /** The oldest records that fit into one send, at least one; resolves empty when the signal aborts. */
  async take(sendBytesMax: number, signal: AbortSignal): Promise<StoredRecord[]> {
    while (this.#waiting.length === 0 && !signal.aborted) await this.#changed.promise
    let count = 0
    let bytes = 0
    for (const { record } of this.#waiting) {
      if (count > 0 && bytes + record.bytes.length > sendBytesMax) break
      bytes += record.bytes.length
      count += 1
    }
    const taken = this.#waiting.slice(0, count)
    this.#waiting = this.#waiting.slice(count)
    this.#bytes -= bytes
    this.#takenSinceMs = taken[0]?.atMs ?? null
    this.wake()
    return taken.map(({ record }) => record)
  }

  /** For whoever waits, also after the signal aborted. */
  wake(): void {
    const { resolve } = this.#changed
    this.#changed = Promise.withResolvers<void>()
    resolve()
  }
}
