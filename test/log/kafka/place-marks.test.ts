import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ShippedPlaces } from '../../../src/log/kafka/shipping/shipped-places.ts'
import { isMarks, markBefore, marksMax, withMark, type Mark } from '../../../src/log/kafka/shipping/place-marks.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { MemoryDisk } from '../../support/memory-disk.ts'

/** What is remembered of where a node's older records lie in its partition. */

/** Acknowledged in steps: how many records each time, and how many of others between them. */
const steps = fc.array(fc.record({ records: fc.integer({ min: 1, max: 50_000 }), others: fc.nat(1_000) }), { minLength: 1, maxLength: 2_000, size: 'max' })

function marked(all: readonly { readonly records: number; readonly others: number }[]): { readonly marks: readonly Mark[]; readonly placed: Mark[] } {
  let marks: readonly Mark[] = []
  const placed: Mark[] = []
  let [sequence, offset] = [-1, -1]
  for (const { others, records } of all) {
    sequence += records
    offset += records + others
    placed.push([sequence, offset])
    marks = withMark(marks, { offset, sequence })
  }
  return { marks, placed }
}

describe('marks', () => {
  test('are few, in order, of what was acknowledged, and never far apart', () => {
    fc.assert(fc.property(steps, (all) => {
      const { marks, placed } = marked(all)
      expect(isMarks(marks)).toBe(true)
      const offsets = new Map(placed)
      expect(marks.filter(([sequence, offset]) => offsets.get(sequence) !== offset)).toEqual([])
      const span = placed.at(-1)![0] - placed[0]![0]
      // A twentieth of all, and what came at once.
      const far = Math.max(1_000, (12 * span) / marksMax) + 2 * Math.max(...all.map(({ records }) => records))
      for (const [index, [sequence, offset]] of marks.entries()) {
        const before = marks[index - 1]
        if (before === undefined) continue
        if (sequence <= before[0] || offset <= before[1] || sequence - before[0] > far) expect.unreachable(`${before.join(' at ')}, then ${sequence} at ${offset}`)
      }
      expect(placed.at(-1)![0] - marks.at(-1)![0]).toBeLessThanOrEqual(far)
    }), { endOnFailure: true, numRuns: 30 })
  })

  test('find the nearest one before a record', () => {
    const marks: Mark[] = [[10, 100], [2_000, 5_000]]
    expect([9, 10, 1_999, 2_000, 9_999].map((sequence) => markBefore(marks, sequence)?.[1] ?? null)).toEqual([null, 100, 100, 5_000, 5_000])
  })

  test('say nothing any more where the topic, or the end of it, is another one', () => {
    const marks: Mark[] = [[10, 100], [2_000, 5_000], [4_000, 9_000]]
    expect(withMark(marks, { offset: 40, sequence: 5_000 })).toEqual([[5_000, 40]])
    expect(withMark(marks, { offset: 9_500, sequence: 1_500 })).toEqual([[10, 100], [1_500, 9_500]])
    expect(withMark(marks, { offset: 6_000, sequence: 3_500 })).toEqual([[10, 100], [2_000, 5_000], [3_500, 6_000]])
  })
})

describe('places that are kept', () => {
  const place = { leafHash: 'x', offset: 7, partition: 1, sequence: 3, topic: 't' }

  test('have their marks after a start, of the same partition only', async () => {
    const disk = new MemoryDisk().attach()
    await disk.makeFolder('/data')
    const places = await ShippedPlaces.read(disk, new ManualClock(), '/data')
    places.note('connections', place)
    await places.keep()
    const again = await ShippedPlaces.read(disk, new ManualClock(), '/data')
    expect(again.of('connections', 't', 1)).toMatchObject({ offset: 7, sequence: 3 })
    expect([2, 3, 4].map((sequence) => again.offsetBefore('connections', 't', 1, sequence))).toEqual([null, 7, 7])
    expect(again.offsetBefore('connections', 't', 2, 4)).toBeNull()
    expect(again.offsetBefore('connections', 'other', 1, 4)).toBeNull()
    expect(again.offsetBefore('operations', 't', 1, 4)).toBeNull()
    again.forgetMarks('connections')
    expect(again.offsetBefore('connections', 't', 1, 4)).toBeNull()
    expect(again.of('connections', 't', 1)).toMatchObject({ offset: 7, sequence: 3 })
  })

  test.each([
    ['a file of an earlier version', { connections: place }],
    ['marks that are none', { connections: { ...place, marks: [[1]] } }],
    ['more marks than are written', { connections: { ...place, marks: Array.from({ length: marksMax + 1 }, (_, index) => [index, index]) } }],
  ])('are forgotten for %s: the search is longer', async (_what, content) => {
    const memory = new MemoryDisk()
    const disk = memory.attach()
    await disk.makeFolder('/data')
    await using file = await disk.create('/data/kafka.json')
    await file.write(Buffer.from(JSON.stringify(content)), 0)
    const places = await ShippedPlaces.read(disk, new ManualClock(), '/data')
    expect(places.of('connections', 't', 1)).toBeNull()
  })
})
