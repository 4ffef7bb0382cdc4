import type { NodeStream } from '../../cluster-log.ts'
import type { ReadOptions, StoredRecord } from '../../event-log.ts'
import type { FileLog } from '../../file/file-log.ts'
import { positionOf, sequenceAfter } from '../../recent-records.ts'
import { aheadMax, ownRecords, patientEnds, patientPlace, type OwnRecord, type SourcePlace } from './own-records.ts'
import { TopicReplaced } from './partition-reader.ts'

/**
 * A node's own stream from wherever its records are: the oldest from Kafka, where they were cut here, and from the first one
 * that this disk has on from this disk. Whoever reads sees one stream.
 */

export interface OwnStream {
  readonly stream: NodeStream
  readonly file: Pick<FileLog, 'beginning' | 'read'>
  /** Without a signal and without `onReachable`: each read has its own. */
  readonly place: SourcePlace
  /** An offset at or before which a record lies; null: nobody knows one. */
  readonly offsetBefore: (sequence: number) => number | null
  readonly closed: AbortSignal
}

/** Handed out at once. */
const batchBytes = 512 * 1024

/** As the port's `read`; besides, one that does not follow throws a `Fault` when it needs Kafka and Kafka is away. */
export async function* readOwnStream(own: OwnStream, { after, follow, signal }: ReadOptions): AsyncGenerator<readonly StoredRecord[]> {
  const { closed, file, stream } = own
  const until = signal === undefined ? closed : AbortSignal.any([closed, signal])
  let next = sequenceAfter(after)
  const fill = async function* (end: number): AsyncGenerator<readonly StoredRecord[]> {
    for await (const batch of fromTopic(own, { end, follow, next, signal: until })) {
      next = Number(batch.at(-1)!.position) + 1
      yield batch
    }
  }
  yield* fill(file.beginning(stream).sequence)
  const options = { after: next === 0 ? null : positionOf(next - 1), follow, ...(signal === undefined ? {} : { signal }) }
  for await (const batch of file.read(stream, options)) {
    const first = Number(batch[0]!.position)
    // Cut while it was being read.
    if (next < first) yield* fill(first)
    if (until.aborted) return
    yield begunAt(batch, next < first)
    next = first + batch.length
  }
  if (!follow) yield* fill(file.beginning(stream).sequence)
}

function begunAt(batch: readonly StoredRecord[], begins: boolean): readonly StoredRecord[] {
  const [first, ...others] = batch
  if (first === undefined || (first.begins === true) === begins) return batch
  const { bytes, leafHash, position, written } = first
  return [{ bytes, leafHash, position, written, ...(begins ? { begins } : {}) }, ...others]
}

interface Wanted {
  readonly next: number
  /** Behind the last one. */
  readonly end: number
  readonly follow: boolean
  readonly signal: AbortSignal
}

/** The records that the topic has of those wanted, in order; behind a hole it goes on, and says so. */
async function* fromTopic(own: OwnStream, { end, follow, next, signal }: Wanted): AsyncGenerator<readonly StoredRecord[]> {
  if (next >= end || signal.aborted) return
  const place = patientPlace(own.place, follow, signal)
  const mark = own.offsetBefore(next)
  let from = mark ?? (await patientEnds(place)).since
  let pass = new Pass(next, end, false)
  let mayTryAgain = mark !== null
  while (!signal.aborted) {
    yield* pass.over(place, from)
    const { behindHole, isDone, next: reached } = pass
    if (isDone) return
    if (mayTryAgain && reached === next) {
      // The mark is of another topic, or its time there is over.
      from = (await patientEnds(place)).since
      pass = new Pass(next, end, false)
    } else if (behindHole === null) return
    else {
      from = behindHole.offset
      pass = new Pass(behindHole.sequence, end, true)
    }
    mayTryAgain = false
  }
}

/** Once over the partition, from an offset to where the run ends. */
class Pass {
  readonly #end: number
  #begins: boolean
  #next: number
  #prevhash: string | null = null
  /** The next record that is there behind one that is not. */
  #ahead: OwnRecord | null = null

  constructor(next: number, end: number, begins: boolean) {
    this.#next = next
    this.#end = end
    this.#begins = begins
  }

  get next(): number {
    return this.#next
  }
  get isDone(): boolean {
    return this.#next >= this.#end
  }
  get behindHole(): OwnRecord | null {
    return this.#ahead !== null && this.#ahead.sequence < this.#end ? this.#ahead : null
  }

  async *over(place: SourcePlace, from: number): AsyncGenerator<readonly StoredRecord[]> {
    let batch: StoredRecord[] = []
    let bytes = 0
    try {
      for await (const record of ownRecords(place, from)) {
        if (this.#isNext(record)) {
          batch.push(this.#taken(record))
          bytes += record.bytes.length
        } else if (record.sequence > this.#next + aheadMax) break
        if (bytes >= batchBytes) {
          yield batch
          batch = []
          bytes = 0
        }
        if (this.isDone) break
      }
    } catch (error) {
      // Gone while it was read: what is missing now, the next record says.
      if (!(error instanceof TopicReplaced)) throw error
    }
    if (batch.length > 0) yield batch
  }

  #isNext(record: OwnRecord): boolean {
    const { prevhash, sequence } = record
    if (sequence > this.#next && (this.#ahead === null || sequence < this.#ahead.sequence)) this.#ahead = record
    // Whoever may write to the topic may have put another one there.
    return sequence === this.#next && (this.#prevhash === null || prevhash === this.#prevhash)
  }

  #taken({ bytes, leafHash, sequence }: OwnRecord): StoredRecord {
    const begins = this.#begins
    this.#begins = false
    this.#next = sequence + 1
    this.#prevhash = leafHash
    if (this.#ahead !== null && this.#ahead.sequence < this.#next) this.#ahead = null
    return { bytes, leafHash, position: positionOf(sequence), ...(begins ? { begins } : {}) }
  }
}
