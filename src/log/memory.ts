import { zeroHash } from '../../events/chain.ts'
import type { Stream } from '../../events/define.ts'
import { sourceOf, type Draft } from '../../events/envelope.ts'
import type { Clock } from '../core/clock.ts'
import type { MakeId } from '../core/ids.ts'
import type { CommitOutcome, CommitStore } from './commit-store.ts'
import type { Appended, AppendOptions, Availability, Position, ReadOptions, StoredRecord } from './event-log.ts'
import type { NodeLog, NodeWriter } from './node-log.ts'
import { positionOf, RecentRecords, sequenceAfter } from './recent-records.ts'
import { StreamWriter } from './stream-writer.ts'
import { StreamWriters } from './stream-writers.ts'

export interface MemoryLogOptions {
  readonly clock: Clock
  readonly makeId: MakeId
  readonly cluster?: string
  readonly node?: string
}

/** How long an orderly end waits for owed records when nobody said otherwise. */
const closeTimeoutMs = 5_000

/**
 * A log that keeps everything in memory, for tests and simulation: the same queue, chain and obligations as the file
 * log, with a medium that fails only when told to.
 */
export class MemoryLog implements NodeLog {
  readonly writer: NodeWriter
  readonly cuts = []
  readonly #recent: Readonly<Record<Stream, RecentRecords>>
  readonly #stores: Readonly<Record<Stream, MemoryStore>>
  readonly #writers: StreamWriters

  constructor({ clock, makeId, cluster = 'default', node = 'memory' }: MemoryLogOptions) {
    this.writer = { cluster, node, epoch: makeId(), run: makeId(), isNew: true }
    const { epoch, run } = this.writer
    const recent = (): RecentRecords => new RecentRecords(Infinity, 0)
    this.#recent = { control: recent(), connections: recent(), operations: recent() }
    this.#stores = { control: new MemoryStore(), connections: new MemoryStore(), operations: new MemoryStore() }
    this.#writers = new StreamWriters(
      (stream, onAvailability) =>
        new StreamWriter({
          stream,
          clock,
          onAvailability,
          writer: { source: sourceOf(cluster, node, epoch, stream), run },
          store: this.#stores[stream],
          head: { sequence: 0, prevhash: zeroHash },
          recent: this.#recent[stream],
        }),
    )
  }

  append(stream: Stream, drafts: readonly [Draft, ...Draft[]], options: AppendOptions): Promise<readonly Appended[]> {
    return this.#writers.of(stream).append(drafts, options)
  }

  async *read(stream: Stream, { after, follow, signal }: ReadOptions): AsyncGenerator<readonly StoredRecord[]> {
    const recent = this.#recent[stream]
    let next = sequenceAfter(after)
    // Without `follow` it ends at the head of now: a busy stream would otherwise keep an export going for ever.
    const end = follow ? Infinity : recent.next
    while (next < end && !signal?.aborted && !recent.closed) {
      const records = recent.from(next)
      if (records !== null) {
        next += records.length
        yield records
      } else await recent.changed(signal)
    }
  }

  head(stream: Stream): Position | null {
    const { next } = this.#recent[stream]
    return next === 0 ? null : positionOf(next - 1)
  }

  availability(stream?: Stream): Availability {
    return this.#writers.availability(stream)
  }
  onAvailability(listener: (stream: Stream, now: Availability) => void): Disposable {
    return this.#writers.onAvailability(listener)
  }
  onSpaceLow(): Disposable {
    return { [Symbol.dispose]: () => {} }
  }

  /** Test control: every commit of the stream ends this way until disposed. */
  breakCommits(stream: Stream, kind: 'not_written' | 'unknown', code = 'EIO'): Disposable {
    const store = this.#stores[stream]
    store.outcome = { kind, failure: { code, syscall: kind === 'unknown' ? 'fdatasync' : 'write' } }
    return { [Symbol.dispose]: () => void (store.outcome = { kind: 'durable' }) }
  }

  /** Test control: commits of the stream begin and do not end until disposed. */
  stallCommits(stream: Stream): Disposable {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#stores[stream].gate = promise
    return { [Symbol.dispose]: resolve }
  }

  /** Test control: commits of the stream so far. */
  commits(stream: Stream): number {
    return this.#stores[stream].commits
  }

  async close(timeoutMs: number): Promise<boolean> {
    const written = await this.#writers.close(timeoutMs)
    for (const recent of Object.values(this.#recent)) recent.close()
    return written
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(closeTimeoutMs)
  }
}

class MemoryStore implements CommitStore {
  outcome: CommitOutcome = { kind: 'durable' }
  gate: Promise<void> = Promise.resolve()
  commits = 0

  async commit(): Promise<CommitOutcome> {
    this.commits += 1
    await this.gate
    return this.outcome
  }
  settle(): Promise<CommitOutcome> {
    return this.commit()
  }
  probe(): Promise<CommitOutcome> {
    return this.commit()
  }
}
