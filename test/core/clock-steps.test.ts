import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Clock } from '../../src/core/clock.ts'
import { ClockSteps } from '../../src/core/clock-steps.ts'
import { systemClock } from '../../src/core/system/clock.ts'
import { ManualClock } from '../support/manual-clock.ts'

test('a jump in either direction is told once, with its size', () => {
  const clock = new ManualClock()
  const steps = new ClockSteps(clock, 500)
  expect(steps.look()).toBe(0)
  for (const byMs of [501, -501, 3_600_000, -86_400_000]) {
    clock.advance(1_000)
    clock.step(byMs)
    expect(steps.look()).toBe(byMs)
    expect(steps.look()).toBe(0)
  }
})

test('what is not more than the least is drift, however often it comes', () => {
  const clock = new ManualClock()
  const steps = new ClockSteps(clock, 500)
  for (let times = 0; times < 10; times += 1) {
    clock.step(500)
    expect(steps.look()).toBe(0)
  }
})

test('time that passes is no jump', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1e9, noNaN: true })), (pauses) => {
      const clock = new ManualClock()
      const steps = new ClockSteps(clock, 1)
      for (const ms of pauses) {
        clock.advance(ms)
        expect(steps.look()).toBe(0)
      }
    }),
  )
})

test('a thread that is stopped between two readings reads again', () => {
  const clock = new InterruptedClock()
  const steps = new ClockSteps(clock, 500)
  clock.interruptions = 3
  expect(steps.look()).toBe(0)
  expect(clock.interruptions).toBe(0)
})

test('a reading that takes long says something of its middle', () => {
  const clock = new InterruptedClock()
  const aheadMs = clock.now()
  clock.interruptions = Number.POSITIVE_INFINITY
  expect(new ClockSteps(clock, 500).aheadMs).toBe(aheadMs - 1_500)
})

test('on the clock of this machine: no jump from one look to the next', () => {
  const steps = new ClockSteps(systemClock, 100)
  for (let looks = 0; looks < 1_000; looks += 1) expect(steps.look()).toBe(0)
})

/** Three seconds pass between two readings, as often as it is told to. */
class InterruptedClock extends ManualClock implements Clock {
  interruptions = 0
  override now(): number {
    const now = super.now()
    if (this.interruptions > 0) {
      this.interruptions -= 1
      this.advance(3_000)
    }
    return now
  }
}
