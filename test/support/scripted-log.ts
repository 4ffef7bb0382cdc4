import type { Stream } from '../../events/define.ts'
import type { EventLog, Position, ReadOptions, StoredRecord } from '../../src/log/event-log.ts'

/** A log that hands out whatever a test gives it, also what no real log would: repeats, gaps, forgeries, broken bytes. */
export class ScriptedLog {
  readonly #streams: Record<Stream, { readonly batches: StoredRecord[][]; wake: () => void; failure: Error | null }> = {
    control: { batches: [], wake: () => {}, failure: null },
    connections: { batches: [], wake: () => {}, failure: null },
    operations: { batches: [], wake: () => {}, failure: null },
  }
  #handedOut = 0
  /** Where each reader began, in the order of the calls. */
  readonly readFrom: [Stream, string | null][] = []

  /** One batch. Positions are given here: they mean nothing to whoever reads. */
  push(stream: Stream, ...records: Pick<StoredRecord, 'bytes' | 'leafHash'>[]): void {
    const script = this.#streams[stream]
    script.batches.push(records.map(({ bytes, leafHash }) => ({ bytes, leafHash, position: `at-${(this.#handedOut += 1)}` as Position })))
    script.wake()
  }

  /** Reading the stream fails from its end on. */
  fail(stream: Stream, failure: Error): void {
    this.#streams[stream].failure = failure
    this.#streams[stream].wake()
  }

  async *read(stream: Stream, { after, follow, signal }: ReadOptions): AsyncGenerator<readonly StoredRecord[]> {
    this.readFrom.push([stream, after])
    const script = this.#streams[stream]
    let next = after === null ? 0 : script.batches.findIndex((batch) => batch.at(-1)!.position === after) + 1
    while (!signal?.aborted) {
      const batch = script.batches[next]
      if (batch !== undefined) {
        next += 1
        yield batch
      } else if (script.failure !== null) throw script.failure
      else if (!follow) return
      else {
        await new Promise<void>((resolve) => {
          script.wake = resolve
          signal?.addEventListener('abort', () => resolve(), { once: true })
        })
      }
    }
  }

  asLog(): EventLog {
    return this as unknown as EventLog
  }
}
