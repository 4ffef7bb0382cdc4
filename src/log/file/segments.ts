import { sequenceDigits } from '../../../events/envelope.ts'
import { invariant } from '../../core/errors.ts'
import type { ChainHead } from '../batch.ts'

/**
 * What a stream's folder holds: segments named by the sequence of their first record. A segment counts only up to the
 * first record of the next one; whatever bytes lie beyond that were never acknowledged.
 */

const rawSuffix = '.jsonl'
const compressedSuffix = '.jsonl.zst'
export const temporarySuffix = '.tmp'

export interface Segment {
  /** Sequence of its first record. */
  readonly first: number
  readonly compressed: boolean
}

/** A segment with its end: the sequence after its last record, null while it is the one being written. */
export interface PlacedSegment extends Segment {
  readonly end: number | null
}

export function segmentName({ first, compressed }: Segment): string {
  return String(first).padStart(sequenceDigits, '0') + (compressed ? compressedSuffix : rawSuffix)
}

/** Null for names that are not a segment's. */
export function parseSegmentName(name: string): Segment | null {
  const match = /^(\d{20})\.jsonl(\.zst)?$/.exec(name)
  if (match === null) return null
  return { first: Number(match[1]), compressed: match[2] !== undefined }
}

/** The segments of one stream in order. Changed by the writer, the compressor and whoever cuts; asked by every reader. */
export class SegmentList {
  #segments: Segment[]
  #beginning: ChainHead

  /** `beginning`: the place of the first record that the stream still has. */
  constructor(segments: readonly Segment[], beginning: ChainHead) {
    this.#segments = [...segments]
    this.#beginning = beginning
  }

  get beginning(): ChainHead {
    return this.#beginning
  }

  get last(): Segment {
    return this.#segments.at(-1)!
  }

  /** First sequences of the segments behind the oldest one, in order: where the stream may be cut. */
  boundaries(): readonly number[] {
    return this.#segments.slice(1).map(({ first }) => first)
  }

  /** The stream begins with another segment from now on. */
  cut(beginning: ChainHead): void {
    this.#segments = this.#segments.filter(({ first }) => first >= beginning.sequence)
    invariant(this.#segments[0]?.first === beginning.sequence, 'a stream begins where a segment does')
    this.#beginning = beginning
  }

  /** The segment that holds (or will hold) the record with this sequence; the oldest one for a sequence before it. */
  holding(sequence: number): PlacedSegment {
    let index = this.#segments.length - 1
    while (index > 0 && this.#segments[index]!.first > sequence) index -= 1
    return this.#placed(index)
  }

  /** Segments that are closed and not compressed yet, oldest first. */
  uncompressed(): readonly PlacedSegment[] {
    const placed = this.#segments.map((_, index) => this.#placed(index))
    return placed.filter((segment) => !segment.compressed && segment.end !== null)
  }

  /** A new segment to write to; the one before it ends there. */
  begin(first: number): void {
    invariant(this.#segments.length === 0 || first > this.last.first, 'segments begin in order')
    this.#segments.push({ first, compressed: false })
  }

  /** False when the segment was cut meanwhile. */
  markCompressed(first: number): boolean {
    if (first < this.#beginning.sequence) return false
    const index = this.#segments.findIndex((segment) => segment.first === first)
    invariant(index >= 0 && index < this.#segments.length - 1, 'only a closed segment is compressed')
    this.#segments[index] = { first, compressed: true }
    return true
  }

  #placed(index: number): PlacedSegment {
    return { ...this.#segments[index]!, end: this.#segments[index + 1]?.first ?? null }
  }
}
