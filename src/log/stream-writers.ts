import { streams, type Stream } from '../../events/define.ts'
import type { Availability } from './event-log.ts'
import type { CommitFailure } from './commit-store.ts'
import type { StreamWriter } from './stream-writer.ts'

type AvailabilityListener = (stream: Stream, now: Availability) => void

/** The writers of all streams of one log, and who is told when one of them stops or starts to take records. */
export class StreamWriters {
  readonly #writers: Readonly<Record<Stream, StreamWriter>>
  readonly #listeners = new Set<AvailabilityListener>()

  constructor(make: (stream: Stream, onAvailability: (now: Availability) => void) => StreamWriter) {
    const one = (stream: Stream): StreamWriter => make(stream, (now) => this.#tell(stream, now))
    this.#writers = { control: one('control'), connections: one('connections'), operations: one('operations') }
  }

  of(stream: Stream): StreamWriter {
    return this.#writers[stream]
  }

  /** Of one stream, or the one that has been unavailable for longest. */
  availability(stream?: Stream): Availability {
    if (stream !== undefined) return this.#writers[stream].availability
    let worst: Availability = { available: true }
    for (const each of streams) {
      const now = this.#writers[each].availability
      if (!now.available && (worst.available || now.sinceMs < worst.sinceMs)) worst = now
    }
    return worst
  }

  onAvailability(listener: AvailabilityListener): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  hold(reason: CommitFailure): void {
    for (const stream of streams) this.#writers[stream].hold(reason)
  }

  release(): void {
    for (const stream of streams) this.#writers[stream].release()
  }

  /** True when everything that was appended is durable. */
  async close(timeoutMs: number): Promise<boolean> {
    const written = await Promise.all(streams.map((stream) => this.#writers[stream].close(timeoutMs)))
    return !written.includes(false)
  }

  get idle(): boolean {
    return streams.every((stream) => this.#writers[stream].idle)
  }

  #tell(stream: Stream, now: Availability): void {
    for (const listener of this.#listeners) listener(stream, now)
  }
}
