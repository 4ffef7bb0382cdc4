import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Clock } from '../../src/core/clock.ts'
import { idMaker } from '../../src/core/ids.ts'
import type { Random } from '../../src/core/random.ts'
import { systemClock } from '../../src/core/system/clock.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { ManualClock } from '../support/manual-clock.ts'

const many = 100_000
const idsPerMs = 4_096
const shape = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const zeros: Random = { fill: (into) => void into.fill(0), float: () => 0 }
const ones: Random = { fill: (into) => void into.fill(0xff), float: () => 0 }

function timeOf(id: string): number {
  return Number.parseInt(id.replace('-', '').slice(0, 12), 16)
}

function expectIncreasing(ids: readonly string[]): void {
  let broken: string | null = null
  for (let index = 1; index < ids.length; index += 1) if (ids[index]! <= ids[index - 1]!) broken ??= `${ids[index - 1]} then ${ids[index]}`
  expect(broken).toBeNull()
}

describe('idMaker', () => {
  test('makes UUIDs of version 7 that carry the time (RFC 9562, section 5.7)', () => {
    const clock = new ManualClock(0x0123_4567_89ab)
    for (const random of [zeros, ones, systemRandom]) {
      const id = idMaker(clock, random)()
      expect(id).toMatch(shape)
      expect(id.slice(0, 13)).toBe('01234567-89ab')
      expect(z.uuidv7().safeParse(id).success).toBe(true)
    }
    expect(idMaker(clock, zeros)()).toBe('01234567-89ab-7000-8000-000000000000')
    expect(idMaker(clock, ones)()).toBe('01234567-89ab-77ff-bfff-ffffffffffff')
  })

  test('all are different and each is larger than the one before, on the clock of this machine', () => {
    const makeId = idMaker(systemClock, systemRandom)
    const ids = Array.from({ length: many }, makeId)
    expectIncreasing(ids)
    expect(ids.every((id) => shape.test(id))).toBe(true)
    expect(new Set(ids).size).toBe(many)
  })

  test('also while the clock stands still, and then the time in them runs ahead as little as it can', () => {
    const clock = new ManualClock()
    const makeId = idMaker(clock, ones)
    const ids = Array.from({ length: many }, makeId)
    expectIncreasing(ids)
    expect(timeOf(ids.at(-1)!) - clock.now()).toBe(Math.floor((many + 0x7ff - 1) / idsPerMs))
  })

  test('also when the clock steps back, and with the right time again as soon as it has caught up', () => {
    const clock = new ManualClock()
    const makeId = idMaker(clock, systemRandom)
    const ids = [makeId()]
    clock.step(-3_600_000)
    for (let made = 0; made < many; made += 1) ids.push(makeId())
    clock.step(7_200_000)
    ids.push(makeId())
    expectIncreasing(ids)
    expect(timeOf(ids.at(-1)!)).toBe(clock.now())
  })

  test('also over any steps of the clock, forwards and backwards', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: -5_000, max: 5_000 }), fc.integer({ min: 1, max: 5_000 })), { maxLength: 20 }), (steps) => {
        const clock = new ManualClock()
        const makeId = idMaker(clock, systemRandom)
        const ids: string[] = []
        for (const [step, count] of steps) {
          clock.step(step)
          for (let made = 0; made < count; made += 1) ids.push(makeId())
        }
        expectIncreasing(ids)
      }),
      { numRuns: 20 },
    )
  })

  test('asks for randomness once for many ids, and uses no byte twice', () => {
    let asked = 0
    let next = 0
    const counting: Random = {
      fill: (into) => {
        asked += 1
        for (let at = 0; at < into.length; at += 1) into[at] = next++ & 0xff
      },
      float: () => 0,
    }
    const clock: Clock = new ManualClock()
    const makeId = idMaker(clock, counting)
    const tails = Array.from({ length: 64 }, () => makeId().slice(-12))
    expect(asked).toBe(1)
    expect(tails[0]).toBe('040506070809')
    expect(tails[1]).toBe('0e0f10111213')
    makeId()
    expect(asked).toBe(2)
  })
})
