import { describe, expect, test } from 'vitest'
import { readRecord } from '../../events/catalog.ts'
import { ClockObserved, ClockStepped } from '../../events/clock.ts'
import { idMaker } from '../../src/core/ids.ts'
import type { Logger } from '../../src/core/logger.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { ClockWatch } from '../../src/live/clock-watch.ts'
import type { BrokerClock } from '../../src/log/cluster-log.ts'
import { Drafts } from '../../src/log/drafts.ts'
import { MemoryLog } from '../../src/log/memory.ts'
import { Notes } from '../../src/log/notes.ts'
import { readAll, textOf } from '../support/drafts.ts'
import { ManualClock } from '../support/manual-clock.ts'

/** What the watch sees of the brokers' clock; the test plays it. */
class PlayedBrokerClock implements BrokerClock {
  skewMs: number | null = null
  uncertaintyMs: number | null = null
  readonly listeners = new Set<() => void>()

  onEstimate(listener: () => void): Disposable {
    this.listeners.add(listener)
    return { [Symbol.dispose]: () => void this.listeners.delete(listener) }
  }

  estimate(skewMs: number, uncertaintyMs = 1): void {
    Object.assign(this, { skewMs, uncertaintyMs })
    for (const listener of this.listeners) listener()
  }

  forget(): void {
    Object.assign(this, { skewMs: null, uncertaintyMs: null })
  }
}

class Stand implements Disposable {
  readonly clock = new ManualClock()
  readonly broker = new PlayedBrokerClock()
  readonly log = new MemoryLog({ clock: this.clock, makeId: idMaker(this.clock, systemRandom), node: 'test' })
  readonly lines: string[] = []
  readonly watch: ClockWatch

  constructor({ shared = true }: { shared?: boolean } = {}) {
    const tell = (level: string) => (): void => void this.lines.push(level)
    const logger: Logger = { debug: tell('debug'), error: tell('error'), info: tell('info'), warn: tell('warn') }
    this.watch = new ClockWatch({
      brokerClock: shared ? this.broker : null,
      clock: this.clock,
      drafts: new Drafts(this.clock, idMaker(this.clock, systemRandom), 'test'),
      logger,
      notes: new Notes(this.log),
    })
  }

  /** Everything on record, read as whoever reads the log does. */
  async recorded(type?: string): Promise<object[]> {
    await this.clock.run(0)
    const events = (await readAll(this.log, 'operations')).map((record) => {
      const reading = readRecord(textOf(record))
      if (reading.kind !== 'event') throw new Error(JSON.stringify(reading))
      return reading.event
    })
    return events.filter((event) => type === undefined || event.type === type).map(({ data }) => data)
  }

  observed(): Promise<object[]> {
    return this.recorded(ClockObserved.type)
  }

  [Symbol.dispose](): void {
    this.watch[Symbol.dispose]()
  }
}

const hourMs = 3_600_000

describe('how far the clock is off', () => {
  test('is on record at the first estimate and every hour, and as long as nothing is known it is not', async () => {
    using stand = new Stand()
    await stand.clock.run(hourMs)
    expect(await stand.recorded()).toEqual([])
    stand.broker.estimate(-7, 3)
    const first = { allowed_ms: 2_000, skew_ms: -7, uncertainty_ms: 3, within: true }
    expect(await stand.recorded()).toEqual([first])
    stand.broker.estimate(12, 4)
    await stand.clock.run(hourMs - 1_000)
    expect(await stand.recorded()).toEqual([first])
    await stand.clock.run(1_000)
    expect(await stand.recorded()).toEqual([first, { allowed_ms: 2_000, skew_ms: 12, uncertainty_ms: 4, within: true }])
    expect(stand.lines).toEqual([])
  })

  test('an hour that ends while nothing is known waits for the next estimate', async () => {
    using stand = new Stand()
    stand.broker.estimate(1)
    stand.broker.forget()
    await stand.clock.run(2 * hourMs)
    expect(await stand.observed()).toHaveLength(1)
    stand.broker.estimate(2)
    expect(await stand.observed()).toMatchObject([{ skew_ms: 1 }, { skew_ms: 2 }])
  })
})

describe('changes are refused', () => {
  test.each([
    ['ahead', 3_140, 'The clock of this node is 3.2 s ahead of the brokers\', and 2 s are allowed: '],
    ['behind', -86_400_000, 'The clock of this node is 86400 s behind the brokers\', and 2 s are allowed: '],
    ['just over', 2_002, 'The clock of this node is 2.1 s ahead of the brokers\', and 2 s are allowed: '],
  ])('while the clock is certainly too far off: %s', async (_what, skewMs, because) => {
    using stand = new Stand()
    expect(stand.watch.off()).toBeNull()
    stand.broker.estimate(0)
    expect(stand.watch.off()).toBeNull()
    stand.broker.estimate(skewMs)
    expect(stand.watch.off()).toContain(because)
    stand.broker.estimate(0)
    expect(stand.watch.off()).toBeNull()
    expect(await stand.observed()).toMatchObject([{ within: true }, { skew_ms: skewMs, within: false }, { skew_ms: 0, within: true }])
    expect(stand.lines).toEqual(['error', 'info'])
  })

  test('from the first estimate on', async () => {
    using stand = new Stand()
    stand.broker.estimate(5_000)
    expect(stand.watch.off()).toContain('5 s ahead')
    expect(await stand.observed()).toMatchObject([{ within: false }])
    expect(stand.lines).toEqual(['error'])
  })

  test('as soon as the broker clock says so: nobody has to wait for the next check', () => {
    using stand = new Stand()
    stand.broker.skewMs = 5_000
    stand.broker.uncertaintyMs = 1
    expect(stand.watch.off()).toContain('5 s ahead')
  })

  test('not while it may be right after all', async () => {
    using stand = new Stand()
    for (const [skewMs, uncertaintyMs] of [[2_000, 0], [2_001, 1], [-5_000, 3_000], [10_000, 8_000]] as const) {
      stand.broker.estimate(skewMs, uncertaintyMs)
      expect(stand.watch.off()).toBeNull()
    }
    expect(await stand.observed()).toHaveLength(1)
  })

  test('until it is certainly well within what is allowed, with one record for each way', async () => {
    using stand = new Stand()
    stand.broker.estimate(2_500)
    for (const [skewMs, uncertaintyMs] of [[1_999, 1], [2_003, 1], [-1_801, 0], [1_000, 801], [0, 5_000]] as const) {
      stand.broker.estimate(skewMs, uncertaintyMs)
      expect(stand.watch.off()).not.toBeNull()
    }
    stand.broker.forget()
    expect(stand.watch.off()).not.toBeNull()
    stand.broker.estimate(-1_700, 100)
    expect(stand.watch.off()).toBeNull()
    expect(await stand.observed()).toMatchObject([{ within: false }, { skew_ms: -1_700, uncertainty_ms: 100, within: true }])
  })

  test('never where the log is this node\'s alone', async () => {
    using stand = new Stand({ shared: false })
    stand.clock.step(hourMs)
    await stand.clock.run(hourMs)
    expect(stand.watch.off()).toBeNull()
    expect(await stand.observed()).toEqual([])
  })
})

describe('a jump of the clock', () => {
  test.each([{ shared: true }, { shared: false }])('is on record within a second, with its size: %j', async (options) => {
    using stand = new Stand(options)
    await stand.clock.run(10_250)
    stand.clock.step(-hourMs)
    await stand.clock.run(1_000)
    expect(await stand.recorded(ClockStepped.type)).toEqual([
      { by_ms: -hourMs, from: '2026-11-24T08:00:11.000Z', noticed_after_ms: 1_000, to: '2026-11-24T07:00:11.000Z' },
    ])
    expect(stand.lines).toEqual(['warn'])
  })

  test('of half a second or less is none', async () => {
    using stand = new Stand()
    for (const ms of [500, -500, 499]) {
      stand.clock.step(ms)
      await stand.clock.run(1_000)
    }
    expect(await stand.recorded()).toEqual([])
    stand.clock.step(501)
    await stand.clock.run(1_000)
    expect(await stand.recorded()).toMatchObject([{ by_ms: 501 }])
  })

  test('waits while the log is down; of many the newest are kept', async () => {
    using stand = new Stand()
    const broken = stand.log.breakCommits('operations', 'not_written')
    for (let by = 1_001; by <= 1_040; by += 1) {
      stand.clock.step(by)
      await stand.clock.run(1_000)
    }
    broken[Symbol.dispose]()
    await stand.clock.run(5_000)
    const expected = Array.from({ length: 16 }, (_, index) => ({ by_ms: 1_025 + index }))
    expect(await stand.recorded(ClockStepped.type)).toMatchObject(expected)
  })
})

test('when it is over nothing goes on', async () => {
  const stand = new Stand()
  const { pending } = stand.clock
  stand.watch[Symbol.dispose]()
  expect(stand.clock.pending).toBe(pending - 1)
  expect(stand.broker.listeners.size).toBe(0)
  await stand.clock.run(0)
})
