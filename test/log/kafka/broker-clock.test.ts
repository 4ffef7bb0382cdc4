import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SampledBrokerClock } from '../../../src/log/kafka/broker-clock.ts'
import { ManualClock } from '../../support/manual-clock.ts'

/** A node's clock and a broker's that runs `aheadMs` before it and at another pace; sends that take their time. */
class Stand {
  readonly clock = new ManualClock(Date.UTC(2026, 10, 24, 8))
  readonly measured = new SampledBrokerClock(this.clock)
  readonly #brokerStartMs: number
  readonly #pace: number

  constructor({ aheadMs, pace = 1 }: { aheadMs: number; pace?: number }) {
    this.#brokerStartMs = this.clock.now() + aheadMs
    this.#pace = pace
  }

  /** The broker's time, not cut to milliseconds. */
  get brokerMs(): number {
    return this.#brokerStartMs + this.clock.monotonicMs() * this.#pace
  }

  /** What our clock really is ahead by; `now` is cut, this is not. */
  get trueSkewMs(): number {
    return this.clock.now() + (this.clock.monotonicMs() % 1) - this.brokerMs
  }

  send(thereMs: number, backMs: number, meanwhile: () => void = () => {}): void {
    const sentMonotonicMs = this.clock.monotonicMs()
    this.clock.advance(thereMs)
    const storedMs = Math.floor(this.brokerMs)
    meanwhile()
    this.clock.advance(backMs)
    this.measured.sample({ ackedMonotonicMs: this.clock.monotonicMs(), sentMonotonicMs, storedMs })
  }

  get estimate(): { skewMs: number | null; uncertaintyMs: number | null } {
    const { skewMs, uncertaintyMs } = this.measured
    return { skewMs, uncertaintyMs }
  }

  expectTruth(): void {
    const { skewMs, uncertaintyMs } = this.estimate
    if (skewMs === null || uncertaintyMs === null) throw new Error('nothing was measured')
    expect(Math.abs(skewMs - this.trueSkewMs), `${skewMs} ± ${uncertaintyMs} for ${this.trueSkewMs}`).toBeLessThanOrEqual(uncertaintyMs)
  }
}

const delay = fc.double({ min: 0, max: 10_000, noNaN: true })
const send = fc.record({
  backMs: delay,
  pauseMs: fc.oneof(fc.double({ min: 0, max: 5_000, noNaN: true }), fc.double({ min: 0, max: 100_000, noNaN: true })),
  stepMs: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: -20_000, max: 20_000 }), fc.integer({ min: -100, max: 100 })),
  stepIn: fc.constantFrom('flight', 'pause'),
  thereMs: delay,
})
const broker = fc.record({ aheadMs: fc.double({ min: -1e8, max: 1e8, noNaN: true }), pace: fc.double({ min: 0.9995, max: 1.0005, noNaN: true }) })

describe('the true skew lies within the uncertainty', () => {
  test('whatever the delays on the way there and back, the pace of the clocks, and the steps of ours', () => {
    let measured = 0
    fc.assert(
      fc.property(broker, fc.array(send, { minLength: 1, maxLength: 30 }), (its, sends) => {
        const stand = new Stand(its)
        for (const { backMs, pauseMs, stepIn, stepMs, thereMs } of sends) {
          stand.send(thereMs, backMs, () => stepIn === 'flight' && stand.clock.step(stepMs))
          stand.clock.advance(pauseMs)
          if (stepIn === 'pause') stand.clock.step(stepMs)
          if (stand.estimate.skewMs === null) continue
          measured += 1
          stand.expectTruth()
        }
      }),
      { numRuns: 500 },
    )
    expect(measured).toBeGreaterThan(1_000)
  })

  test('the estimate is as good as the best send of the last minute', () => {
    fc.assert(
      fc.property(broker, fc.array(fc.tuple(delay, delay), { minLength: 1, maxLength: 5 }), (its, sends) => {
        const stand = new Stand(its)
        for (const [thereMs, backMs] of sends) stand.send(thereMs / 2, backMs / 2)
        const best = Math.min(...sends.map(([thereMs, backMs]) => (thereMs + backMs) / 4))
        // Half a round trip, what cutting to milliseconds costs, and what clocks part in a minute.
        expect(stand.estimate.uncertaintyMs).toBeLessThanOrEqual(Math.ceil(best + 2 + 30))
      }),
    )
  })
})

describe('samples', () => {
  test('none: nothing is known', () => {
    expect(new Stand({ aheadMs: 7_000 }).estimate).toEqual({ skewMs: null, uncertaintyMs: null })
  })

  test('a topic that has no LogAppendTime says nothing', () => {
    const { clock, measured } = new Stand({ aheadMs: 0 })
    let told = 0
    using _listening = measured.onEstimate(() => (told += 1))
    for (const storedMs of [-1, Number.NaN]) measured.sample({ ackedMonotonicMs: clock.monotonicMs(), sentMonotonicMs: 0, storedMs })
    expect([measured.skewMs, told]).toEqual([null, 0])
  })

  test('the shortest round trip counts, not the newest', () => {
    const stand = new Stand({ aheadMs: 3_000 })
    stand.send(1, 1)
    stand.send(4_000, 0)
    expect(stand.estimate).toEqual({ skewMs: -3_000, uncertaintyMs: 6 })
  })

  test('after a minute without sends nothing is known', () => {
    const stand = new Stand({ aheadMs: 3_000 })
    stand.send(1, 1)
    stand.clock.advance(60_000)
    expect(stand.estimate.skewMs).toBe(-3_000)
    stand.clock.advance(1)
    expect(stand.estimate).toEqual({ skewMs: null, uncertaintyMs: null })
  })

  test('a sleep of the machine: what was measured before it is forgotten, what was on its way says nothing', () => {
    const stand = new Stand({ aheadMs: 0 })
    const sleep = (): void => stand.clock.step(100_000)
    stand.send(1, 1)
    sleep()
    expect(stand.estimate.skewMs).toBeNull()
    stand.send(1, 1, sleep)
    expect(stand.estimate.skewMs).toBeNull()
    stand.send(1, 1)
    expect(stand.estimate.skewMs).toBe(200_000)
  })

  test('each is told, until nobody listens any more', () => {
    const stand = new Stand({ aheadMs: 0 })
    const seen: (number | null)[] = []
    const listening = stand.measured.onEstimate(() => seen.push(stand.measured.skewMs))
    stand.send(0, 0)
    stand.send(500, 0)
    listening[Symbol.dispose]()
    stand.send(0, 0)
    expect(seen).toEqual([0, 0])
  })

  test('a busy hour costs no more than a quiet one', () => {
    const stand = new Stand({ aheadMs: 0, pace: 1.0001 })
    for (let sends = 0; sends < 200_000; sends += 1) stand.send(5, 3)
    // Only that it comes to an end, and right: every answer looks at what is kept.
    stand.expectTruth()
  })
})
