import type { EncodedDrafts } from './batch.ts'
import type { Appended, AppendPurpose } from './event-log.ts'

/** One call of `append` on its way: in the queue, then in a commit, then settled. */
export interface PendingAppend {
  readonly encoded: EncodedDrafts
  readonly purpose: AppendPurpose
  /** On the monotonic clock; Infinity when it waits for ever. */
  readonly deadlineMs: number
  readonly resolve: (appended: readonly Appended[]) => void
  readonly reject: (reason: Error) => void
  /** Its promise is settled; only the bytes go on. */
  settled: boolean
}

/** The appends of one stream that no commit has taken yet, oldest first. */
export class AppendQueue {
  #waiting: PendingAppend[] = []
  #bytes = 0

  get length(): number {
    return this.#waiting.length
  }
  get bytes(): number {
    return this.#bytes
  }

  push(pending: PendingAppend): void {
    this.#waiting.push(pending)
    this.#bytes += pending.encoded.bytes
  }

  /** Puts back what a commit could not write; it stays ahead of everything that came later. */
  putBack(pending: readonly PendingAppend[]): void {
    this.#replace([...pending, ...this.#waiting])
  }

  /** Takes the oldest appends that fit into one commit, whole calls only. */
  take(bytesMax: number): PendingAppend[] {
    if (this.#bytes <= bytesMax) {
      const all = this.#waiting
      this.#replace([])
      return all
    }
    let count = 0
    let bytes = 0
    for (const pending of this.#waiting) {
      if (bytes + pending.encoded.bytes > bytesMax) break
      bytes += pending.encoded.bytes
      count += 1
    }
    const taken = this.#waiting.slice(0, count)
    this.#replace(this.#waiting.slice(count))
    return taken
  }

  /** Takes out, in order, everything that `unwanted` says yes to. */
  remove(unwanted: (pending: PendingAppend) => boolean): PendingAppend[] {
    const removed: PendingAppend[] = []
    const kept: PendingAppend[] = []
    for (const pending of this.#waiting) (unwanted(pending) ? removed : kept).push(pending)
    if (removed.length > 0) this.#replace(kept)
    return removed
  }

  earliestDeadlineMs(): number {
    return this.#waiting.reduce((earliest, pending) => Math.min(earliest, pending.deadlineMs), Infinity)
  }

  #replace(waiting: PendingAppend[]): void {
    this.#waiting = waiting
    this.#bytes = waiting.reduce((sum, pending) => sum + pending.encoded.bytes, 0)
  }
}
