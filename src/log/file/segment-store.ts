import { writeFully, type Disk, type File } from '../../core/disk.ts'
import { errnoOf, invariant } from '../../core/errors.ts'
import type { Batch, CommitFailure, CommitOutcome, CommitStore } from '../commit-store.ts'
import { segmentName, temporarySuffix, type SegmentList } from './segments.ts'

/**
 * Writes commits to the open segment of one stream. Whatever the disk does, the bytes up to `#length` are durable and
 * acknowledged, and nothing behind them counts.
 */

/** Enough to need a block of its own. */
const probeBytes = new Uint8Array(4_096).fill(0x20)

export interface SegmentStoreOptions {
  readonly disk: Disk
  readonly folder: string
  readonly segments: SegmentList
  readonly segmentBytes: number
  /** Told of each failure before it is answered, so that the reserve is free by the next try. */
  readonly onFailure: (failure: CommitFailure) => Promise<void>
  /** A segment was closed and may be compressed. */
  readonly onSegmentClosed: () => void
}

export class SegmentStore implements CommitStore {
  readonly #options: SegmentStoreOptions
  #file: File
  /** Acknowledged bytes of the open segment. */
  #length: number

  constructor(options: SegmentStoreOptions, file: File, length: number) {
    this.#options = options
    this.#file = file
    this.#length = length
  }

  async commit(batch: Batch): Promise<CommitOutcome> {
    if (this.#length >= this.#options.segmentBytes) {
      const failure = await this.#roll(batch.firstSequence)
      if (failure !== null) return { kind: 'not_written', failure }
    }
    try {
      await writeFully(this.#file, batch.bytes, this.#length)
    } catch (error) {
      return this.#takeBack(await this.#failed('write', error))
    }
    try {
      await this.#file.sync()
    } catch (error) {
      return { kind: 'unknown', failure: await this.#failed('fdatasync', error) }
    }
    this.#length += batch.bytes.length
    return { kind: 'durable' }
  }

  /**
   * After a failed sync the page cache answers reads with bytes that may never reach the medium, and a second sync of
   * the same file succeeds without writing them. So the segment ends at what was acknowledged, and the bytes go to a
   * new one, written aside and renamed, so that at no moment a name is missing.
   */
  async settle(batch: Batch): Promise<CommitOutcome> {
    const { disk, folder, segments } = this.#options
    const path = `${folder}/${segmentName({ first: batch.firstSequence, compressed: false })}`
    const temporary = path + temporarySuffix
    let syscall = 'unlink'
    let file: File | null = null
    try {
      await disk.remove(temporary)
      syscall = 'open'
      file = await disk.create(temporary)
      syscall = 'write'
      await writeFully(file, batch.bytes, 0)
      syscall = 'fdatasync'
      await file.sync()
      syscall = 'rename'
      await disk.rename(temporary, path)
      syscall = 'fsync'
      await disk.syncFolder(folder)
    } catch (error) {
      await file?.[Symbol.asyncDispose]()
      return { kind: 'unknown', failure: await this.#failed(syscall, error) }
    }
    await this.#endOpenSegment()
    this.#file = file
    this.#length = batch.bytes.length
    if (segments.last.first !== batch.firstSequence) {
      segments.begin(batch.firstSequence)
      this.#options.onSegmentClosed()
    }
    return { kind: 'durable' }
  }

  async probe(): Promise<CommitOutcome> {
    let syscall = 'write'
    try {
      await writeFully(this.#file, probeBytes, this.#length)
      syscall = 'fdatasync'
      await this.#file.sync()
      syscall = 'ftruncate'
      await this.#file.truncate(this.#length)
      await this.#file.sync()
      return { kind: 'durable' }
    } catch (error) {
      const failure = await this.#failed(syscall, error)
      await this.#file.truncate(this.#length).catch(() => {})
      return { kind: 'not_written', failure }
    }
  }

  /** True when the file ends where the acknowledged bytes end, as a start after an orderly end expects. */
  async close(): Promise<boolean> {
    const exact = await this.#file.size().then((size) => size === this.#length, () => false)
    await this.#file[Symbol.asyncDispose]()
    return exact
  }

  /**
   * Starts the next segment; null when that worked. Once the name may exist nothing more is written to the old one,
   * and `#length` sees to it: every commit comes through here again until it does.
   */
  async #roll(first: number): Promise<CommitFailure | null> {
    const { disk, folder, segments } = this.#options
    invariant(first > segments.last.first, 'a segment that is full has records')
    const path = `${folder}/${segmentName({ first, compressed: false })}`
    let syscall = 'unlink'
    let file: File | null = null
    try {
      await disk.remove(path)
      syscall = 'open'
      file = await disk.create(path)
      syscall = 'fsync'
      await disk.syncFolder(folder)
    } catch (error) {
      await file?.[Symbol.asyncDispose]()
      return this.#failed(syscall, error)
    }
    await this.#file[Symbol.asyncDispose]()
    this.#file = file
    this.#length = 0
    segments.begin(first)
    this.#options.onSegmentClosed()
    return null
  }

  /** Synced as well: the bytes may have reached the medium, and a crash must not bring back what was refused. */
  async #takeBack(failure: CommitFailure): Promise<CommitOutcome> {
    try {
      await this.#file.truncate(this.#length)
      await this.#file.sync()
      return { kind: 'not_written', failure }
    } catch {
      return { kind: 'unknown', failure }
    }
  }

  /** What stands behind the acknowledged bytes is ignored either way; cutting it off spares whoever opens the file a riddle. */
  async #endOpenSegment(): Promise<void> {
    await this.#file.truncate(this.#length).catch(() => {})
    await this.#file[Symbol.asyncDispose]()
  }

  async #failed(syscall: string, cause: unknown): Promise<CommitFailure> {
    const failure = { code: errnoOf(cause), syscall, cause }
    await this.#options.onFailure(failure)
    return failure
  }
}
