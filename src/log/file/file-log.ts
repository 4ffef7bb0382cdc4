import { streams, type Stream } from '../../../events/define.ts'
import type { Draft } from '../../../events/envelope.ts'
import { within } from '../../core/clock.ts'
import type { File } from '../../core/disk.ts'
import { Fault, invariant } from '../../core/errors.ts'
import { commitBytesMax, segmentBytes } from '../../core/limits.ts'
import { batchOf, type ChainHead } from '../batch.ts'
import type {
  Appended, AppendOptions, Availability, EventLog, Position, ReadOptions, StoredRecord,
} from '../event-log.ts'
import type { Pace } from '../commit-pace.ts'
import type { Cut, NodeLog, NodeWriter, SpaceLow } from '../node-log.ts'
import { positionOf, RecentRecords } from '../recent-records.ts'
import { StreamWriter } from '../stream-writer.ts'
import { StreamWriters } from '../stream-writers.ts'
import { cutFolder } from './beginning.ts'
import { Compressor } from './compressor.ts'
import { writeEndMarker } from './folder.ts'
import { naming, openFolder, sourcesOf, streamFolder, type FolderOptions, type OpenedFolder } from './open-folder.ts'
import { SegmentStore } from './segment-store.ts'
import { segmentName } from './segments.ts'
import { SpaceKeeper } from './space-keeper.ts'
import { readStream, type StreamReaderOptions } from './stream-reader.ts'

export interface FileLogOptions extends FolderOptions {
  /** A segment is closed once it is larger. */
  readonly segmentBytes?: number
  /** Kept occupied for what has to be written when the disk is full. */
  readonly reserveBytes?: number
  /** Free besides the reserve before a full disk counts as usable again. */
  readonly reserveMarginBytes?: number
  readonly spaceLowBytes?: number
  /** How commits are spaced so that records share them. Default: every commit at once. */
  readonly pace?: Pace
  /** Newest records of each stream kept in memory for those who follow. */
  readonly recentBytes?: number
}

const reserveBytesDefault = 16 * 1024 * 1024
const spaceLowBytesDefault = 256 * 1024 * 1024
const recentBytesDefault = 4 * 1024 * 1024
/** How long an orderly end waits for owed records when nobody said otherwise. */
const closeTimeoutMs = 5_000
/** How long it waits at least for a disk that has nothing more to write. */
const giveBackMinMs = 2_000

interface StreamParts {
  readonly store: SegmentStore
  readonly reading: StreamReaderOptions
}

/** One node's log in files: a folder per stream, segments of JSON lines, one writer; acknowledged is what is synced. */
export class FileLog implements NodeLog {
  readonly writer: NodeWriter
  readonly cuts: readonly Cut[]
  readonly #options: FileLogOptions
  readonly #lock: AsyncDisposable
  readonly #parts: Readonly<Record<Stream, StreamParts>>
  readonly #writers: StreamWriters
  readonly #space: SpaceKeeper
  readonly #compressor: Compressor
  #cutting: Promise<unknown> = Promise.resolve()
  #closed: Promise<boolean> | null = null

  /**
   * Takes the folder and brings it into order. Throws `folder_in_use`, `folder_of_another_node`, `name_invalid` or
   * `log_folder_unusable` (faults that say what to do), or `LogDamaged`.
   */
  static async open(options: FileLogOptions): Promise<FileLog> {
    const opened = await openFolder(options)
    try {
      return await naming(options.folder, () => FileLog.#start(options, opened))
    } catch (error) {
      await opened.lock[Symbol.asyncDispose]()
      throw error
    }
  }

  static async #start(options: FileLogOptions, opened: OpenedFolder): Promise<FileLog> {
    await using opening = new AsyncDisposableStack()
    const files = {} as Record<Stream, File>
    for (const stream of streams) {
      const name = segmentName(opened.recovered[stream].segments.last)
      files[stream] = opening.use(await options.disk.openToWrite(`${streamFolder(options.folder, stream)}/${name}`))
    }
    const log = new FileLog(options, opened, files)
    await log.#space.start()
    log.#compressor.wake()
    opening.move()
    return log
  }

  private constructor(options: FileLogOptions, opened: OpenedFolder, files: Record<Stream, File>) {
    const { lock, identity, recovered } = opened
    const { disk, clock, folder, makeId } = options
    const isNew = streams.every((stream) => recovered[stream].head.sequence === 0)
    const sources = sourcesOf(identity)
    this.#options = options
    this.#lock = lock
    this.writer = { ...identity, run: makeId(), isNew }
    this.cuts = streams.flatMap((stream) => recovered[stream].cut ?? [])
    this.#space = new SpaceKeeper({
      disk, clock, folder,
      reserveBytes: options.reserveBytes ?? reserveBytesDefault,
      marginBytes: options.reserveMarginBytes ?? commitBytesMax,
      spaceLowBytes: options.spaceLowBytes ?? spaceLowBytesDefault,
      onFull: (failure) => this.#writers.hold(failure),
      onRoom: () => {
        this.#writers.release()
        this.#compressor.wake()
      },
    })
    const part = (stream: Stream): StreamParts => {
      const { segments, head, length } = recovered[stream]
      const recent = new RecentRecords(options.recentBytes ?? recentBytesDefault, head.sequence)
      const at = streamFolder(folder, stream)
      const store = new SegmentStore(
        {
          disk, segments,
          folder: at,
          segmentBytes: options.segmentBytes ?? segmentBytes,
          onFailure: (failure) => this.#space.noteFailure(failure),
          onSegmentClosed: () => this.#compressor.wake(),
        },
        files[stream],
        length,
      )
      return { store, reading: { disk, folder: at, source: sources[stream], segments, recent } }
    }
    this.#parts = { control: part('control'), connections: part('connections'), operations: part('operations') }
    const shelves = streams.map((stream) => this.#parts[stream].reading)
    this.#compressor = new Compressor(disk, clock, shelves, () => !this.#space.full)
    this.#writers = new StreamWriters(
      (stream, onAvailability) =>
        new StreamWriter({
          stream, clock, onAvailability,
          writer: { source: sources[stream], run: this.writer.run },
          store: this.#parts[stream].store,
          head: recovered[stream].head,
          recent: this.#parts[stream].reading.recent,
          pace: options.pace,
        }),
    )
  }

  append(stream: Stream, drafts: readonly [Draft, ...Draft[]], options: AppendOptions): Promise<readonly Appended[]> {
    return this.#writers.of(stream).append(drafts, options)
  }

  read(stream: Stream, options: ReadOptions): AsyncIterable<readonly StoredRecord[]> {
    return readStream(this.#parts[stream].reading, options)
  }

  head(stream: Stream): Position | null {
    const { next } = this.#parts[stream].reading.recent
    return next === 0 ? null : positionOf(next - 1)
  }

  availability(stream?: Stream): Availability {
    return this.#writers.availability(stream)
  }
  onAvailability(listener: Parameters<EventLog['onAvailability']>[0]): Disposable {
    return this.#writers.onAvailability(listener)
  }
  onSpaceLow(listener: (space: SpaceLow) => void): Disposable {
    return this.#space.onSpaceLow(listener)
  }

  /** Where the next record of a stream goes. */
  end(stream: Stream): ChainHead {
    return this.#writers.of(stream).head
  }

  /** Place of the first record of a stream that is still here. */
  beginning(stream: Stream): ChainHead {
    return this.#parts[stream].reading.segments.beginning
  }

  /** Sequences at which a stream may be cut, in order. */
  boundaries(stream: Stream): readonly number[] {
    return this.#parts[stream].reading.segments.boundaries()
  }

  /**
   * Removes what is before one of the `boundaries`: somebody else has it. Readers that are there go on with the first record
   * that is kept. Rejects as the disk does; then it may be cut already, and the rest goes at the next cut or start.
   */
  cut(stream: Stream, beginning: ChainHead): Promise<void> {
    if (this.#closed !== null) return Promise.reject(new Fault('closed', 'log', 'the log is closed'))
    const { disk, folder, segments } = this.#parts[stream].reading
    const work = this.#cutting.then(() => {
      // Before it is written down: what is on the disk has to begin there.
      invariant(segments.boundaries().includes(beginning.sequence), 'a stream is cut where a segment begins')
      return cutFolder(disk, folder, beginning, () => segments.cut(beginning))
    })
    this.#cutting = work.catch(() => {})
    return work
  }

  /**
   * Stores again what this folder has lost and somebody else has kept, right behind its end and byte-equal. Only before
   * the first append. Throws a `Fault` when the disk does not take it.
   */
  async takeBack(stream: Stream, lost: readonly Pick<StoredRecord, 'bytes' | 'leafHash'>[]): Promise<void> {
    const outcome = await this.#writers.of(stream).adopt(batchOf(this.end(stream).sequence, lost))
    if (outcome.kind === 'durable') return
    const { cause, code, syscall } = outcome.failure
    const message = `records that Kafka has can't be written back to ${this.#options.folder} (${syscall}: ${code}). Make room or mend the disk; then start again.`
    throw new Fault('log_folder_unusable', 'disk', message, { canRetry: true, cause })
  }

  /** Resolves when no closed segment waits to be compressed, or a failure put that off. */
  compressed(): Promise<void> {
    return this.#compressor.idle()
  }

  close(timeoutMs: number): Promise<boolean> {
    this.#closed ??= this.#close(timeoutMs)
    return this.#closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(closeTimeoutMs)
  }

  async #close(timeoutMs: number): Promise<boolean> {
    const { clock } = this.#options
    const untilMs = clock.monotonicMs() + timeoutMs
    const written = await this.#writers.close(timeoutMs)
    this.#space.stop()
    for (const stream of streams) this.#parts[stream].reading.recent.close()
    // A disk that answers nothing must not keep the process: its end gives the folder back.
    const inTime = await within(clock, Math.max(giveBackMinMs, untilMs - clock.monotonicMs()), this.#giveBack(written))
    return written && inTime
  }

  async #giveBack(written: boolean): Promise<void> {
    await this.#compressor.stop()
    await this.#cutting
    // A call that the disk never answers may still write: then only the end of the process gives the folder back.
    if (!this.#writers.idle) return
    const exact = await Promise.all(streams.map((stream) => this.#parts[stream].store.close()))
    if (written && !exact.includes(false)) await this.#markEnd()
    await this.#lock[Symbol.asyncDispose]()
  }

  /** Failing to write it is no harm: the next start then checks and rewrites the tail as after a crash. */
  async #markEnd(): Promise<void> {
    const end = (stream: Stream): { records: number; leaf_hash: string } => {
      const { sequence, prevhash } = this.#writers.of(stream).head
      return { leaf_hash: prevhash, records: sequence }
    }
    const marker = { connections: end('connections'), control: end('control'), operations: end('operations') }
    await writeEndMarker(this.#options.disk, this.#options.folder, marker).catch(() => {})
  }
}
