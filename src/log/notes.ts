import type { Stream } from '../../events/define.ts'
import type { Draft } from '../../events/envelope.ts'
import type { EventLog } from './event-log.ts'
import { NotWritten } from './event-log.ts'

/**
 * Records that tell of something that goes on (health, access, progress, listeners). While the log can't be written
 * they wait here, the newest for each key, bounded; when it can again they are written.
 */

/** Keys that may wait; beyond it new ones are dropped and counted. */
const waitingMax = 4_096

interface Waiting {
  readonly stream: Stream
  readonly draft: Draft
}

export class Notes implements Disposable {
  readonly #log: EventLog
  readonly #waiting = new Map<string, Waiting>()
  /** The newest draft of each key that the log has been given and has not answered for. */
  readonly #writing = new Map<string, Draft>()
  readonly #subscription: Disposable
  #dropped = 0

  constructor(log: EventLog) {
    this.#log = log
    this.#subscription = log.onAvailability((_, now) => {
      if (now.available) this.#writeWaiting()
    })
  }

  /** Writes the record, or keeps it. `key` says which earlier waiting record it takes the place of. */
  write(stream: Stream, key: string, draft: Draft): void {
    if (!this.#log.availability(stream).available) {
      this.#keep(stream, key, draft)
      return
    }
    this.#waiting.delete(key)
    this.#writing.set(key, draft)
    this.#log.append(stream, [draft], { purpose: 'admission' }).then(
      () => {
        this.#answered(key, draft)
        this.#writeWaiting()
      },
      (error: unknown) => {
        // Unsettled ones will appear by themselves; one that was overtaken or forgotten meanwhile is not missed.
        if (this.#answered(key, draft) && error instanceof NotWritten) this.#keep(stream, key, draft)
      },
    )
  }

  /** Drops a waiting record that has been overtaken by events. */
  forget(key: string): void {
    this.#waiting.delete(key)
    this.#writing.delete(key)
  }

  /** How many no longer fitted since the last time somebody asked. */
  takeDropped(): number {
    const dropped = this.#dropped
    this.#dropped = 0
    return dropped
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]()
  }

  /** Whether it was still the newest of its key. */
  #answered(key: string, draft: Draft): boolean {
    return this.#writing.get(key) === draft && this.#writing.delete(key)
  }

  #keep(stream: Stream, key: string, draft: Draft): void {
    // What is on its way and older must not come back behind this one.
    this.#writing.delete(key)
    const known = this.#waiting.delete(key)
    if (!known && this.#waiting.size >= waitingMax) this.#dropped += 1
    else this.#waiting.set(key, { stream, draft })
  }

  #writeWaiting(): void {
    if (this.#waiting.size === 0) return
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const [key, { stream, draft }] of waiting) this.write(stream, key, draft)
  }
}
