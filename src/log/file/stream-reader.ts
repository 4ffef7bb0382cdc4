import type { Disk } from '../../core/disk.ts'
import { errnoOf, Fault, messageOf } from '../../core/errors.ts'
import { LogDamaged, type ReadOptions, type StoredRecord } from '../event-log.ts'
import { sequenceAfter, type RecentRecords } from '../recent-records.ts'
import { missing, RecordScanner } from './record-scanner.ts'
import { compressedBytes, rawBytes } from './segment-bytes.ts'
import { segmentName, type PlacedSegment, type SegmentList } from './segments.ts'

/** Reads one stream from wherever its records are: compressed segments, raw ones, or memory for the newest. */

export interface StreamReaderOptions {
  readonly disk: Disk
  readonly folder: string
  /** Null: of many. */
  readonly source: string | null
  readonly segments: SegmentList
  readonly recent: RecentRecords
}

export async function* readStream(
  options: StreamReaderOptions,
  { after, follow, signal }: ReadOptions,
): AsyncGenerator<readonly StoredRecord[]> {
  const { recent } = options
  // Without `follow` it ends at the head of now: a busy stream would otherwise keep an export going for ever.
  const end = follow ? Infinity : recent.next
  await using files = new FileCursor(options, sequenceAfter(after))
  while (files.sequence < end && !signal?.aborted && !recent.closed) {
    if (files.sequence >= recent.next) {
      await recent.changed(signal)
      continue
    }
    const kept = recent.from(files.sequence)
    if (kept !== null) {
      yield files.passOver(kept)
      continue
    }
    const records = await readable(options.folder, files.next(recent.next))
    if (records.length > 0) yield records
  }
}

async function readable<Result>(folder: string, reading: Promise<Result>): Promise<Result> {
  try {
    return await reading
  } catch (cause) {
    if (cause instanceof LogDamaged || !(cause instanceof Error) || errnoOf(cause) === 'EUNKNOWN') throw cause
    const message = `${folder} can't be read (${messageOf(cause)}). Look at the disk, then read again.`
    throw new Fault('log_unreadable', 'disk', message, { canRetry: true, cause })
  }
}

/** Where one reader is. Keeps the segment open between reads, so that going on costs no second look at its start. */
class FileCursor implements AsyncDisposable {
  readonly #options: StreamReaderOptions
  #sequence: number
  /** Leaf hash of the record before; null when this reader has not seen it. */
  #prevhash: string | null
  #open: { readonly segment: PlacedSegment; readonly scanner: RecordScanner } | null = null
  /** Records that it came for were cut, and the next one has to say so. */
  #passedCut = false

  constructor(options: StreamReaderOptions, sequence: number) {
    const { beginning } = options.segments
    this.#options = options
    this.#sequence = sequence
    this.#prevhash = sequence === beginning.sequence ? beginning.prevhash : null
  }

  /** Of the next record. */
  get sequence(): number {
    return this.#sequence
  }

  /** These come next, from memory or a file. Answers them as the reader gets them. */
  passOver(records: readonly StoredRecord[]): readonly StoredRecord[] {
    this.#sequence += records.length
    this.#prevhash = records.at(-1)!.leafHash
    if (!this.#passedCut) return records
    this.#passedCut = false
    return records.map((record, index) => (index === 0 ? { ...record, begins: true } : record))
  }

  /** The next records before `durable`; none where they were cut meanwhile: then it goes on with what is kept. */
  async next(durable: number): Promise<readonly StoredRecord[]> {
    this.#passOverCut()
    if (this.#sequence >= durable) return []
    const segment = this.#options.segments.holding(this.#sequence)
    const limit = Math.min(segment.end ?? durable, durable)
    const scanner = await this.#scannerOf(segment)
    if (scanner === null) return []
    await scanner.skipTo(this.#sequence)
    const records = await scanner.next(limit)
    if (records.length === 0) throw scanner.bad(missing(limit))
    // Only at its end does a compressed segment show whether its checksum holds: before its last records are believed.
    if (segment.compressed && scanner.sequence === segment.end) await scanner.expectEnd()
    return this.passOver(records)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const open = this.#open
    this.#open = null
    await open?.scanner[Symbol.asyncDispose]()
  }

  /** Also in the middle of a segment: its file may be gone. */
  #passOverCut(): void {
    const { prevhash, sequence } = this.#options.segments.beginning
    if (this.#sequence >= sequence) return
    this.#sequence = sequence
    this.#prevhash = prevhash
    this.#passedCut = true
  }

  /** Null: the segment was cut. */
  async #scannerOf(segment: PlacedSegment): Promise<RecordScanner | null> {
    if (this.#open?.segment.first === segment.first) return this.#open.scanner
    await this[Symbol.asyncDispose]()
    const scanner = await this.#openSegment(segment)
    if (scanner !== null) this.#open = { segment, scanner }
    return scanner
  }

  async #openSegment(segment: PlacedSegment): Promise<RecordScanner | null> {
    const { disk, folder, source, segments } = this.#options
    const path = `${folder}/${segmentName(segment)}`
    const prevhash = segment.first === this.#sequence ? this.#prevhash : null
    try {
      const bytes = await (segment.compressed ? compressedBytes(disk, path) : rawBytes(disk, path))
      return new RecordScanner(bytes, { path, source, sequence: segment.first, prevhash })
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error
      if (segment.first < segments.beginning.sequence) return null
      // Compressed since we looked: the raw file is gone, its successor is there.
      const now = segments.holding(segment.first)
      if (now.compressed !== segment.compressed) return this.#openSegment(now)
      throw new LogDamaged(`${path}: the segment is missing. Restore this file from a copy.`, error)
    }
  }
}
