import { createHash } from 'node:crypto'
import type { Clock, Timer } from '../../core/clock.ts'
import type { Disk, File } from '../../core/disk.ts'
import { chunksOf, compressBytes, compressedBytes } from './segment-bytes.ts'
import { segmentName, temporarySuffix, type PlacedSegment, type SegmentList } from './segments.ts'

/**
 * Compresses closed segments in the background, one at a time over all streams. The raw file goes only when the
 * compressed one is durable and was read back equal.
 */

/** After a failure, mostly a full disk: the raw segment serves as well. */
const retryMs = 30_000

export interface Shelf {
  readonly folder: string
  readonly segments: SegmentList
}

export class Compressor {
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #shelves: readonly Shelf[]
  readonly #mayRun: () => boolean
  readonly #stop = new AbortController()
  #running: Promise<void> | null = null
  #retry: Timer | null = null
  #woken = false

  /** `mayRun` is asked often: false while the space is needed for something else. */
  constructor(disk: Disk, clock: Clock, shelves: readonly Shelf[], mayRun: () => boolean) {
    this.#disk = disk
    this.#clock = clock
    this.#shelves = shelves
    this.#mayRun = mayRun
  }

  /** There may be something to compress. */
  wake(): void {
    if (this.#stop.signal.aborted) return
    this.#woken = true
    this.#running ??= this.#run()
  }

  /** Resolves when nothing is left to compress, or a failure put it off. */
  async idle(): Promise<void> {
    await this.#running
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    this.#retry?.[Symbol.dispose]()
    await this.#running
  }

  async #run(): Promise<void> {
    while (this.#woken && !this.#stop.signal.aborted) {
      this.#woken = false
      const all = await this.#compressAll()
      if (!all && !this.#stop.signal.aborted) this.#retry ??= this.#clock.after(retryMs, this.#again)
    }
    this.#running = null
  }

  async #compressAll(): Promise<boolean> {
    let all = true
    for (const shelf of this.#shelves) {
      for (const segment of shelf.segments.uncompressed()) {
        if (!(await this.#compress(shelf, segment))) all = false
      }
    }
    return all
  }

  readonly #again = (): void => {
    this.#retry = null
    this.wake()
  }

  readonly #proceed = (): boolean => !this.#stop.signal.aborted && this.#mayRun()

  /** True when the segment is compressed now. A damaged one never is: it stays as it was found. */
  async #compress({ folder, segments }: Shelf, segment: PlacedSegment): Promise<boolean> {
    const raw = `${folder}/${segmentName(segment)}`
    const compressed = `${folder}/${segmentName({ ...segment, compressed: true })}`
    const temporary = compressed + temporarySuffix
    try {
      if (!this.#proceed()) return false
      if (!(await this.#writeCompressed(raw, segment, temporary))) {
        await this.#disk.remove(temporary)
        return false
      }
      await this.#disk.rename(temporary, compressed)
      await this.#disk.syncFolder(folder)
    } catch {
      await this.#disk.remove(temporary).catch(() => {})
      return false
    }
    const stillThere = segments.markCompressed(segment.first)
    // Left behind it is only in the way: the next start removes the compressed one and makes it again, or removes both.
    await this.#disk.remove(raw).catch(() => {})
    if (!stillThere) await this.#disk.remove(compressed).catch(() => {})
    return true
  }

  async #writeCompressed(raw: string, segment: PlacedSegment, temporary: string): Promise<boolean> {
    await using from = await this.#disk.openToRead(raw)
    const whole = await measure(from, segment.end! - segment.first)
    if (whole === null) return false
    await this.#disk.remove(temporary)
    await using to = await this.#disk.create(temporary)
    if ((await compressBytes(from, whole.length, to, this.#proceed)) === 'aborted') return false
    await to.sync()
    return (await this.#digestOf(temporary)) === whole.digest
  }

  async #digestOf(compressed: string): Promise<string> {
    await using bytes = await compressedBytes(this.#disk, compressed)
    const digest = createHash('sha256')
    const chunk = Buffer.alloc(256 * 1024)
    let at = 0
    for (let taken = await bytes.read(chunk, at); taken > 0; taken = await bytes.read(chunk, at)) {
      digest.update(chunk.subarray(0, taken))
      at += taken
    }
    return digest.digest('base64')
  }
}

/** Length and digest of the first `records` lines, which may not be all of the file; null when there are fewer. */
async function measure(file: File, records: number): Promise<{ length: number; digest: string } | null> {
  const digest = createHash('sha256')
  let length = 0
  let lines = 0
  for await (const chunk of chunksOf(file, Infinity)) {
    let end = 0
    while (lines < records) {
      const at = chunk.indexOf(0x0a, end)
      if (at < 0) break
      end = at + 1
      lines += 1
    }
    const counted = lines < records ? chunk : chunk.subarray(0, end)
    digest.update(counted)
    length += counted.length
    if (lines === records) return { length, digest: digest.digest('base64') }
  }
  return null
}
