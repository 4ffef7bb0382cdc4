import { Fault } from '../core/errors.ts'
import type { Batch } from './commit-store.ts'
import type { Position, StoredRecord } from './event-log.ts'

/** The last commits whose events are kept beside their bytes. */
const batchesWithEvents = 4

/**
 * The newest durable records of one stream, kept as they were committed, so that whoever follows the stream does not
 * read the medium again for what was just written to it. Also the one place that says how far the stream is durable.
 */
export class RecentRecords {
  readonly #bytesMax: number
  readonly #batches: Batch[] = []
  readonly #waiters = new Set<() => void>()
  #bytes = 0
  #next: number
  #closed = false

  /** `next` is the sequence after the newest durable record. */
  constructor(bytesMax: number, next: number) {
    this.#bytesMax = bytesMax
    this.#next = next
  }

  get next(): number {
    return this.#next
  }
  get closed(): boolean {
    return this.#closed
  }
  /** The oldest sequence still held; `next` when none is. */
  get oldest(): number {
    return this.#batches[0]?.firstSequence ?? this.#next
  }

  push(batch: Batch): void {
    this.#batches.push(batch)
    // Objects that live long cost the garbage collector; bytes don't. A follower at the head takes them within a commit.
    const outdated = this.#batches.at(-1 - batchesWithEvents)
    if (outdated !== undefined) outdated.events = null
    this.#bytes += batch.bytes.length
    this.#next = batch.firstSequence + batch.ends.length
    while (this.#bytes > this.#bytesMax && this.#batches.length > 1) this.#bytes -= this.#batches.shift()!.bytes.length
    this.#wake()
  }

  /** The records of one commit from `sequence` on; null when that one is not held: too old, or not durable yet. */
  from(sequence: number): readonly StoredRecord[] | null {
    if (sequence < this.oldest || sequence >= this.#next) return null
    let low = 0
    let high = this.#batches.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.#batches[middle]!.firstSequence <= sequence) low = middle
      else high = middle - 1
    }
    return recordsOf(this.#batches[low]!, sequence)
  }

  /** Resolves when there is more, when the log is closed, or when the signal aborts. */
  changed(signal?: AbortSignal): Promise<void> {
    if (this.#closed || signal?.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiters.delete(wake)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      this.#waiters.add(wake)
      signal?.addEventListener('abort', wake, { once: true })
    })
  }

  close(): void {
    this.#closed = true
    this.#wake()
  }

  #wake(): void {
    for (const wake of this.#waiters) wake()
  }
}

/** Positions are the sequence in decimal: in a log of one source a record's place and its number are the same. */
export function positionOf(sequence: number): Position {
  return String(sequence) as Position
}

/** The sequence that a reader begins with. A position that no log gave out is a fault of whoever brought it. */
export function sequenceAfter(position: Position | null): number {
  if (position === null) return 0
  if (/^(?:0|[1-9][0-9]{0,14})$/.test(position)) return Number(position) + 1
  const message = `${JSON.stringify(position)} is not a position in this log. Use one that came with a record.`
  throw new Fault('position_invalid', 'settings', message)
}

/** How many records come after a position, up to and with another one. */
export function recordsBetween(after: Position | null, upTo: Position | null): number {
  return sequenceAfter(upTo) - sequenceAfter(after)
}

function recordsOf(batch: Batch, from: number): StoredRecord[] {
  const records: StoredRecord[] = []
  for (let index = from - batch.firstSequence; index < batch.ends.length; index += 1) {
    const start = index === 0 ? 0 : batch.ends[index - 1]! + 1
    records.push({
      position: positionOf(batch.firstSequence + index),
      bytes: batch.bytes.subarray(start, batch.ends[index]),
      leafHash: batch.leafHashes[index]!,
      written: batch.events?.[index],
    })
  }
  return records
}
