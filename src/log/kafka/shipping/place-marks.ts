import type { Placed } from '../reading/own-records.ts'

/**
 * Where some records of a source lie in its partition, so that an older one is found without reading the partition from its
 * beginning. Whatever comes after the record of a mark in its source, comes after it in the partition as well.
 */

/** Sequence and offset of a record. */
export type Mark = readonly [sequence: number, offset: number]

/** As many as a file holds that is written every second. */
export const marksMax = 256
/** Fewer records are read in no time. */
const apartMin = 1_000

/** With one more acknowledged record. What does not lie before it is of another topic, or was sent again: it says nothing any more. */
export function withMark(marks: readonly Mark[], { offset, sequence }: Pick<Placed, 'offset' | 'sequence'>): readonly Mark[] {
  const newest = marks.at(-1)
  const inOrder = newest === undefined || (newest[0] < sequence && newest[1] < offset)
  const before = inOrder ? marks : marks.filter((mark) => mark[0] < sequence && mark[1] < offset)
  const last = before.at(-1)
  if (last !== undefined && sequence - last[0] < apartMin) return before
  return thinned([...before, [sequence, offset]])
}

/** The nearest one at or before a record; null: none is. */
export function markBefore(marks: readonly Mark[], sequence: number): Mark | null {
  return marks.findLast((mark) => mark[0] <= sequence) ?? null
}

/** Evenly over all of the source once there are too many: half of them. */
function thinned(marks: readonly Mark[]): readonly Mark[] {
  if (marks.length <= marksMax) return marks
  const apart = (2 * (marks.at(-1)![0] - marks[0]![0])) / marksMax
  const kept: Mark[] = []
  for (const mark of marks) {
    const last = kept.at(-1)
    if (last === undefined || mark[0] - last[0] >= apart) kept.push(mark)
  }
  return kept
}

export function isMarks(value: unknown): value is readonly Mark[] {
  return Array.isArray(value) && value.length <= marksMax && value.every(isMark)
}

function isMark(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && value.every((each) => Number.isSafeInteger(each) && (each as number) >= 0)
}
