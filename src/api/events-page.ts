import type { Stream } from '../../events/define.ts'
import type { EventLog, Position } from '../log/event-log.ts'
import type { Positions } from './events-cursor.ts'

/** One bounded answer of records that match: so many, and no more than fits in memory and in a moment. */

export const pageRecordsMax = 1_000
/** Of the answer. One record more may go over it, so that every page gets on. */
const pageBytesMax = 4 * 1024 * 1024
/** Looked through for one page: where few records match, a page may have fewer than asked for, and there is a next one. */
const scannedBytesMax = 256 * 1024 * 1024

export interface Page {
  /** The records' exact bytes, a newline after each. */
  readonly bytes: Buffer
  readonly counts: ReadonlyMap<Stream, number>
  /** Where the next page begins. */
  readonly positions: Positions
  /** False: this is all that there is by now. */
  readonly hasMore: boolean
}

export interface PageWish {
  readonly limit: number
  readonly matches: ((bytes: Uint8Array) => boolean) | null
  readonly signal: AbortSignal
}

const newline = Uint8Array.of(0x0a)

/** Reads one stream after the other, up to their heads as of now. */
export async function pageOfRecords(log: Pick<EventLog, 'head' | 'read'>, from: Positions, wish: PageWish): Promise<Page> {
  const page = new PageInMaking(from, wish)
  const untils = [...from.keys()].map((stream) => ({ stream, until: log.head(stream) }))
  for (const { stream, until } of untils) {
    const after = from.get(stream) ?? null
    if (until === null || until === after) continue
    if (page.isFull || !(await page.take(log, stream, after, until))) return page.done(true)
  }
  return page.done(false)
}

class PageInMaking {
  readonly #wish: PageWish
  readonly #positions: Positions
  readonly #counts = new Map<Stream, number>()
  readonly #parts: Uint8Array[] = []
  #bytes = 0
  #records = 0
  #scanned = 0

  constructor(from: Positions, wish: PageWish) {
    this.#wish = wish
    this.#positions = new Map(from)
  }

  get isFull(): boolean {
    return this.#records >= this.#wish.limit || this.#bytes >= pageBytesMax || this.#scanned >= scannedBytesMax
  }

  /** True when the stream was read to `until`. */
  async take(log: Pick<EventLog, 'read'>, stream: Stream, after: Position | null, until: Position): Promise<boolean> {
    const { matches, signal } = this.#wish
    this.#counts.set(stream, 0)
    for await (const batch of log.read(stream, { after, follow: false, signal })) {
      for (const { bytes, position } of batch) {
        this.#positions.set(stream, position)
        this.#scanned += bytes.length
        if (matches === null || matches(bytes)) this.#add(stream, bytes)
        if (position === until) return true
        if (this.isFull) return false
      }
    }
    return !signal.aborted
  }

  #add(stream: Stream, bytes: Uint8Array): void {
    this.#parts.push(bytes, newline)
    this.#bytes += bytes.length + 1
    this.#records += 1
    this.#counts.set(stream, this.#counts.get(stream)! + 1)
  }

  done(hasMore: boolean): Page {
    return { bytes: Buffer.concat(this.#parts, this.#bytes), counts: this.#counts, hasMore, positions: this.#positions }
  }
}
