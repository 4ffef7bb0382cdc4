import { describe, expect, test } from 'vitest'
import { zeroHash } from '../../events/chain.ts'
import { ChainCheck } from '../../events/chain-check.ts'

const kept = 1_024

/** A chain of numbers: the hash of record n is `hn`. */
const hashOf = (sequence: number): string => `h${sequence}`
const linkOf = (sequence: number, source = 's') => ({ sequence, source, prevhash: sequence === 0 ? zeroHash : hashOf(sequence - 1) })

function checkAfter(...sequences: number[]): (sequence: number, hash?: string) => ReturnType<ChainCheck['judge']> {
  const check = new ChainCheck()
  const judge = (sequence: number, hash = hashOf(sequence)) => check.judge(linkOf(sequence), hash)
  for (const sequence of sequences) judge(sequence)
  return judge
}

const upTo = (end: number): number[] => Array.from({ length: end }, (_, index) => index)

describe('ChainCheck', () => {
  test('a chain from its beginning: next, next, next', () => {
    const judge = checkAfter()
    expect(upTo(5).map((sequence) => judge(sequence))).toEqual(upTo(5).map(() => 'next'))
  })

  test('a first record that says it has one before it: contradiction', () => {
    expect(new ChainCheck().judge({ ...linkOf(0), prevhash: hashOf(7) }, hashOf(0))).toBe('contradiction')
  })

  test('a record that builds on others than those seen: contradiction, and the chain goes on from those seen', () => {
    const check = new ChainCheck()
    check.judge(linkOf(0), hashOf(0))
    expect(check.judge({ ...linkOf(1), prevhash: 'other' }, 'other')).toBe('contradiction')
    expect(check.judge(linkOf(1), hashOf(1))).toBe('next')
  })

  test('the same again: duplicate; other bytes under its number: contradiction, as often as they come', () => {
    const judge = checkAfter(...upTo(3))
    expect([judge(1), judge(1, 'other'), judge(1, 'other'), judge(1)]).toEqual(['duplicate', 'contradiction', 'contradiction', 'duplicate'])
    expect(judge(3)).toBe('next')
  })

  test('bytes are compared for as long as their hashes are kept; what is older is taken for a duplicate', () => {
    const judge = checkAfter(...upTo(kept + 10))
    expect(judge(10, 'other')).toBe('contradiction')
    expect(judge(9, 'other')).toBe('duplicate')
  })

  test('missing ones: gap, and then on from there', () => {
    const judge = checkAfter(0, 1)
    expect([judge(5), judge(6), judge(5)]).toEqual(['gap', 'next', 'duplicate'])
  })

  test('a source that begins in its middle: gap', () => {
    expect(checkAfter()(3)).toBe('gap')
  })

  test('a source that is kept from its middle on: next, from there, and whoever comes before that is late', () => {
    const check = new ChainCheck()
    check.begin(linkOf(3))
    expect(check.next('s')).toBe(3)
    expect([3, 4, 2, 4].map((sequence) => check.judge(linkOf(sequence), hashOf(sequence)))).toEqual(['next', 'next', 'late', 'duplicate'])
    expect(check.judge({ ...linkOf(5), prevhash: 'other' }, hashOf(5))).toBe('contradiction')
    // Only at the beginning: what is missing behind what was seen is missing.
    check.begin(linkOf(9))
    expect(check.judge(linkOf(9), hashOf(9))).toBe('gap')
  })

  test('one that was missing is never taken for a duplicate, however far the chain has come', () => {
    const judge = checkAfter(0, 1, 5)
    expect([judge(2), judge(4), judge(1), judge(5)]).toEqual(['late', 'late', 'duplicate', 'duplicate'])
    for (let sequence = 6; sequence < 3 * kept; sequence += 1) judge(sequence)
    expect([judge(2), judge(1), judge(6)]).toEqual(['late', 'duplicate', 'duplicate'])
  })

  test('also when more went missing later', () => {
    const judge = checkAfter(0, 1, 5, 6, 9)
    expect([judge(3), judge(8), judge(5)]).toEqual(['late', 'late', 'duplicate'])
  })

  test('a gap forgets what as many records would have: memory stays bounded', () => {
    const judge = checkAfter(0, 1, 2 * kept)
    expect([judge(0, 'other'), judge(2 * kept, 'other')]).toEqual(['duplicate', 'contradiction'])
  })

  test('a number far ahead does not make what comes after it look like repeats', () => {
    const judge = checkAfter(0, Number.MAX_SAFE_INTEGER - 1)
    expect([judge(1), judge(2), judge(0)]).toEqual(['late', 'late', 'duplicate'])
  })

  test('sources are told apart', () => {
    const check = new ChainCheck()
    expect([check.judge(linkOf(0, 'one'), 'x'), check.judge(linkOf(0, 'other'), 'y')]).toEqual(['next', 'next'])
    expect(check.judge(linkOf(0, 'one'), 'y')).toBe('contradiction')
  })
})
