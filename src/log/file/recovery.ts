import type { Stream } from '../../../events/define.ts'
import { writeFully, type Disk } from '../../core/disk.ts'
import { errnoOf } from '../../core/errors.ts'
import { commitBytesMax } from '../../core/limits.ts'
import type { ChainHead } from '../batch.ts'
import { LogDamaged, type StoredRecord } from '../event-log.ts'
import type { Cut } from '../node-log.ts'
import { readBeginning, removeBefore } from './beginning.ts'
import { BadLine, isJson, missing, RecordScanner, torn } from './record-scanner.ts'
import { compressedBytes, rawBytes } from './segment-bytes.ts'
import { parseSegmentName, segmentName, SegmentList, temporarySuffix, type Segment } from './segments.ts'

/**
 * Brings one stream's folder into the state that an orderly end leaves: no leftovers, whole lines, a tail that is on
 * the medium. Changes nothing but what was never acknowledged; everything else that is wrong stops the start.
 */

export interface RecoverOptions {
  readonly disk: Disk
  readonly folder: string
  readonly stream: Stream
  /** Null: of many. */
  readonly source: string | null
  /** The end before was orderly: then nothing can be torn, and whatever is wrong is damage. */
  readonly endedInOrder: boolean
}

export interface RecoveredStream {
  readonly segments: SegmentList
  readonly head: ChainHead
  /** Length of the last segment's whole records. */
  readonly length: number
  readonly cut: Cut | null
}

export async function recoverStream(options: RecoverOptions): Promise<RecoveredStream> {
  const { disk, folder } = options
  await disk.makeFolder(folder)
  const beginning = await readBeginning(disk, folder)
  const names = await disk.list(folder)
  const found = segmentsAmong(names, beginning)
  for (const name of names) {
    const segment = parseSegmentName(name)
    // A raw segment beside its compressed form: the end came before the raw one was removed. It is made again.
    const superseded = segment?.compressed && found.some((each) => each.first === segment.first && !each.compressed)
    if (superseded || name.endsWith(temporarySuffix)) await disk.remove(`${folder}/${name}`)
  }
  if (found.length === 0 && beginning.sequence === 0) {
    await using _file = await disk.create(`${folder}/${segmentName({ first: 0, compressed: false })}`)
    found.push({ first: 0, compressed: false })
  }
  await disk.syncFolder(folder)
  const tail = await examineTail(options, found, beginning)
  // What a cut left over goes only once it is seen that the stream does begin there.
  await removeBefore(disk, folder, beginning.sequence)
  if (options.endedInOrder || tail.size === 0) return recoveredOf(found, tail, beginning)
  await rewriteTail(options, tail)
  const { first, byte } = tail.rewriteFrom
  const segments = first === tail.last.first ? found : [...found, { first, compressed: false }]
  return recoveredOf(segments, { ...tail, length: tail.length - byte }, beginning)
}

/** What the folder holds, for reading only: nothing is changed, and what a crash left unfinished is not shown. */
export async function examineStream(options: RecoverOptions): Promise<RecoveredStream | null> {
  const names = await options.disk.list(options.folder).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  })
  if (names.length === 0) return null
  const beginning = await readBeginning(options.disk, options.folder)
  const found = segmentsAmong(names, beginning)
  if (found.length === 0 && beginning.sequence === 0) return null
  return recoveredOf(found, await examineTail(options, found, beginning), beginning)
}

interface Tail {
  readonly last: Segment
  readonly head: ChainHead
  /** Bytes of the last segment, and how many of them are whole records. */
  readonly size: number
  readonly length: number
  readonly cut: Cut | null
  /** Where a record begins from which on the bytes may be in the page cache only. */
  readonly rewriteFrom: { readonly first: number; readonly byte: number }
}

function recoveredOf(segments: readonly Segment[], { head, length, cut }: Tail, beginning: ChainHead): RecoveredStream {
  return { segments: new SegmentList(segments, beginning), head, length, cut }
}

/** In order, from the beginning on; of a segment that is there both ways the raw one. */
function segmentsAmong(names: readonly string[], beginning: ChainHead): Segment[] {
  const byFirst = new Map<number, Segment>()
  for (const name of names) {
    const segment = parseSegmentName(name)
    if (segment === null || segment.first < beginning.sequence || (segment.compressed && byFirst.has(segment.first))) continue
    byFirst.set(segment.first, segment)
  }
  return [...byFirst.values()].sort((a, b) => a.first - b.first)
}

/** Checks the last two segments, the open one and the one before it for the place where they meet; and where a cut stream begins. */
async function examineTail(options: RecoverOptions, found: readonly Segment[], beginning: ChainHead): Promise<Tail> {
  const { folder } = options
  const [first] = found
  const last = found.at(-1)
  if (first?.first !== beginning.sequence || last === undefined) {
    const before = first === undefined ? 'all segments' : `the records before ${segmentName(first)}`
    throw new LogDamaged(`${folder}: ${before} are missing. Restore the files from a copy.`)
  }
  if (last.compressed) {
    throw new LogDamaged(`${folder}: the segment after ${segmentName(last)} is missing. Restore the file from a copy.`)
  }
  const before = found.at(-2)
  // Of segments further back the chain is checked when they are read; that the folder begins here is known from a file alone.
  if (beginning.sequence > 0 && found.length > 2) await expectFirst(options, first, beginning)
  const prevhash = before === undefined ? beginning.prevhash : await lastHashOf(options, before, last.first, beginning)
  return examineOpenSegment(options, last, prevhash)
}

async function expectFirst(options: RecoverOptions, first: Segment, beginning: ChainHead): Promise<void> {
  await using scanner = await scannerOf(options, first, beginning)
  if ((await scanner.next(first.first + 1)).length === 0) throw scanner.bad(missing(first.first + 1))
}

/** From a segment's first record on. */
async function scannerOf({ disk, folder, source }: RecoverOptions, segment: Segment, beginning: ChainHead): Promise<RecordScanner> {
  const path = `${folder}/${segmentName(segment)}`
  const bytes = await (segment.compressed ? compressedBytes(disk, path) : rawBytes(disk, path))
  const prevhash = segment.first === beginning.sequence ? beginning.prevhash : null
  return new RecordScanner(bytes, { path, source, sequence: segment.first, prevhash })
}

async function lastHashOf(options: RecoverOptions, segment: Segment, end: number, beginning: ChainHead): Promise<string> {
  await using scanner = await scannerOf(options, segment, beginning)
  while (scanner.sequence < end) {
    if ((await scanner.next(end)).length === 0) throw scanner.bad(missing(end))
  }
  if (segment.compressed) await scanner.expectEnd()
  return scanner.prevhash!
}

async function examineOpenSegment(options: RecoverOptions, last: Segment, prevhash: string): Promise<Tail> {
  const { disk, folder, source, stream, endedInOrder } = options
  const segment = segmentName(last)
  const path = `${folder}/${segment}`
  const size = await sizeOf(disk, path)
  const walk = new TailWalk(last.first, prevhash, Math.max(0, size - commitBytesMax))
  const bytes = await rawBytes(disk, path)
  await using scanner = new RecordScanner(bytes, { path, source, sequence: last.first, prevhash })
  let cut: Cut | null = null
  try {
    for (let records = await scanner.next(Infinity); records.length > 0; records = await scanner.next(Infinity)) {
      if (!walk.take(records)) throw new BadLine(path, walk.line, walk.byte, torn('this is not a record'))
    }
  } catch (error) {
    const mayBeTorn = error instanceof BadLine && error.problem.kind === 'torn' && size - error.byte <= commitBytesMax
    if (!mayBeTorn || endedInOrder) throw error
    cut = { stream, segment, bytesCut: size - error.byte, problem: error.problem.text }
  }
  return { last, size, cut, head: walk.head, length: walk.byte, rewriteFrom: walk.rewriteFrom }
}

/** Walks over the records of the open segment and looks closer at those that a crash may have torn. */
class TailWalk {
  /** Bytes from here on may never have been acknowledged. */
  readonly #untrusted: number
  readonly #first: number
  #sequence: number
  #prevhash: string
  #rewriteFrom: Tail['rewriteFrom'] | null = null
  byte = 0

  constructor(first: number, prevhash: string, untrusted: number) {
    this.#first = first
    this.#sequence = first
    this.#prevhash = prevhash
    this.#untrusted = untrusted
  }

  get head(): ChainHead {
    return { sequence: this.#sequence, prevhash: this.#prevhash }
  }
  get line(): number {
    return this.#sequence - this.#first + 1
  }
  get rewriteFrom(): Tail['rewriteFrom'] {
    return this.#rewriteFrom ?? { first: this.#sequence, byte: this.byte }
  }

  /**
   * False at a record that is torn inside. The chain can't tell: the hash of the last record is in no other, and with a
   * page missing in the middle of a commit the record after the torn one may be whole.
   */
  take(records: readonly StoredRecord[]): boolean {
    for (const { bytes, leafHash } of records) {
      if (this.byte >= this.#untrusted) {
        if (!isJson(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString())) return false
        this.#rewriteFrom ??= { first: this.#sequence, byte: this.byte }
      }
      this.#sequence += 1
      this.#prevhash = leafHash
      this.byte += bytes.length + 1
    }
    return true
  }
}

/**
 * After a failed sync the page cache answers reads with bytes that are not on the medium, and the end of a process
 * changes nothing about that. What may be such bytes is at most one commit, so that much is written again: aside, then
 * renamed, and the segment before counts only up to there.
 */
async function rewriteTail({ disk, folder }: RecoverOptions, { last, length, rewriteFrom }: Tail): Promise<void> {
  const from = `${folder}/${segmentName(last)}`
  const to = `${folder}/${segmentName({ first: rewriteFrom.first, compressed: false })}`
  const temporary = to + temporarySuffix
  {
    await using source = await disk.openToRead(from)
    await using target = await disk.create(temporary)
    const bytes = Buffer.alloc(length - rewriteFrom.byte)
    let taken = 0
    while (taken < bytes.length) {
      const count = await source.read(bytes.subarray(taken), rewriteFrom.byte + taken)
      if (count === 0) throw new LogDamaged(`${from}: the file got shorter while it was read. Stop whatever writes to it.`)
      taken += count
    }
    await writeFully(target, bytes, 0)
    await target.sync()
  }
  await disk.rename(temporary, to)
  await disk.syncFolder(folder)
  if (from !== to) await truncate(disk, from, rewriteFrom.byte)
}

/** Best effort: what is behind the next segment's first record does not count anyway. */
async function truncate(disk: Disk, path: string, length: number): Promise<void> {
  try {
    await using file = await disk.openToWrite(path)
    await file.truncate(length)
  } catch {
    // The bytes stay, and stay ignored.
  }
}

async function sizeOf(disk: Disk, path: string): Promise<number> {
  await using file = await disk.openToRead(path)
  return await file.size()
}
