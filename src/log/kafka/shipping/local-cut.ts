import { recordTail, timeLength } from '../../../../events/envelope.ts'
import type { CutLocalOptions, LocalCut, NodeStream } from '../../cluster-log.ts'
import { rfc3339 } from '../../../core/clock.ts'
import type { ChainHead } from '../../batch.ts'
import type { FileLog } from '../../file/file-log.ts'
import { aheadMax, ownRecords, patientEnds, patientPlace, type Placed, type SourcePlace } from '../reading/own-records.ts'

/**
 * Removes from a node's disk what Kafka has and nobody needs here any more: whole segments, the oldest first. Nothing goes on
 * the strength of a memory: all of them are looked up in the topic before, and are on record before they go.
 */

export interface CutParts {
  readonly stream: NodeStream
  readonly file: Pick<FileLog, 'beginning' | 'boundaries' | 'cut' | 'read'>
  /** Without a signal and without `onReachable`. */
  readonly place: SourcePlace
  readonly offsetBefore: (sequence: number) => number | null
  /** The last record that the shipper saw in the topic; null: none, or it is not sure that they are in there. */
  readonly shipped: () => Placed | null
  readonly closed: AbortSignal
}

/** Null: there is nothing to cut. Rejects as `record` does and as the disk does; throws a `Fault` when Kafka can't be asked. */
export async function cutStream(parts: CutParts, { beforeMs, record }: CutLocalOptions): Promise<LocalCut | null> {
  const { file, place, shipped, stream } = parts
  const first = file.beginning(stream)
  const beginning = await placeToCut(parts, beforeMs)
  if (beginning === null) return null
  const last = { leafHash: beginning.prevhash, sequence: beginning.sequence - 1 }
  const offset = await offsetInTopic(parts, first, last)
  if (offset === null) return null
  const cut = { first: first.sequence, last: last.sequence, leafHash: last.leafHash, offset, partition: place.partition, stream, topic: place.topic }
  await record(cut)
  // The topic may have been deleted meanwhile, also while it is being looked at.
  if (!(await isStillThere(parts, { ...last, offset })) || !mayGo(shipped(), last.sequence)) return null
  await file.cut(stream, beginning)
  return cut
}

/** The last boundary before which everything is in Kafka and older than that. */
async function placeToCut({ closed, file, shipped, stream }: CutParts, beforeMs: number): Promise<ChainHead | null> {
  const boundaries = new Set(file.boundaries(stream).filter((sequence) => mayGo(shipped(), sequence - 1)))
  const end = Math.max(...boundaries)
  let found: ChainHead | null = null
  if (boundaries.size === 0) return null
  const before = rfc3339(beforeMs)
  for await (const batch of file.read(stream, { after: null, follow: false, signal: closed })) {
    for (const { bytes, leafHash, position } of batch) {
      const next = Number(position) + 1
      const time = timeOf(bytes)
      // Times may be out of order, so each record is looked at.
      if (next > end || time === null || time >= before) return found
      if (boundaries.has(next)) found = { prevhash: leafHash, sequence: next }
    }
  }
  return found
}

/** Of the last record, where the topic has all of them; null: it does not. */
async function offsetInTopic(parts: CutParts, first: ChainHead, last: Last): Promise<number | null> {
  const place = patientPlace(parts.place, false, parts.closed)
  const mark = parts.offsetBefore(first.sequence)
  const marked = mark === null ? null : await endOfRun({ first, last, mayBeginLater: false, place }, mark)
  if (marked !== null) return marked
  // No mark, one of another topic, or its time there is over.
  const { earliest, since } = await patientEnds(place)
  // Brokers remove the oldest: as long as they have what is older than the source, they have removed nothing of it.
  return endOfRun({ first, last, mayBeginLater: earliest > 0 && since === earliest, place }, since)
}

type Last = Pick<Placed, 'leafHash' | 'sequence'>

interface CutRun {
  readonly first: ChainHead
  readonly last: Last
  /** The topic's own retention may have taken the oldest. */
  readonly mayBeginLater: boolean
  readonly place: SourcePlace
}

/** Where the last record of an unbroken run lies; null: the partition does not have the run. */
async function endOfRun({ first, last, mayBeginLater, place }: CutRun, from: number): Promise<number | null> {
  let next: { readonly prevhash: string | null; readonly sequence: number } = first
  let isBegin = mayBeginLater
  for await (const { leafHash, offset, prevhash, sequence } of ownRecords(place, from)) {
    if (isBegin && sequence > next.sequence) next = { prevhash: null, sequence }
    isBegin = false
    if (sequence > next.sequence + aheadMax) return null
    // A repeat, or one that somebody else has put there.
    if (sequence !== next.sequence || (next.prevhash !== null && prevhash !== next.prevhash)) continue
    if (sequence < last.sequence) next = { prevhash: leafHash, sequence: sequence + 1 }
    else if (leafHash === last.leafHash) return offset
  }
  return null
}

/** Looks at that one record again. */
async function isStillThere(parts: CutParts, last: Placed): Promise<boolean> {
  for await (const { leafHash, offset } of ownRecords(patientPlace(parts.place, false, parts.closed), last.offset)) {
    return offset === last.offset && leafHash === last.leafHash
  }
  return false
}

function mayGo(shipped: Placed | null, sequence: number): boolean {
  return shipped !== null && sequence <= shipped.sequence
}

/** Null: it is none of ours. */
function timeOf(bytes: Uint8Array): string | null {
  const record = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const tail = recordTail(record)
  return tail === null ? null : record.toString('latin1', tail.timeStart, tail.timeStart + timeLength)
}
