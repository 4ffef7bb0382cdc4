import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { leafHash, zeroHash } from '../../events/chain.ts'
import { streams, type Stream } from '../../events/define.ts'
import { formatSequence } from '../../events/envelope.ts'
import { InvariantViolation } from '../../src/core/errors.ts'
import { commitBytesMax, controlRecordBytesMax, recordBytesMax } from '../../src/core/limits.ts'
import { NotWritten, Unsettled, type Appended, type Availability } from '../../src/log/event-log.ts'
import type { NodeLog } from '../../src/log/node-log.ts'
import { draft, labelOf, labels, readAll, textOf } from '../support/drafts.ts'
import type { ManualClock } from '../support/manual-clock.ts'

/** What every adapter of the log port owes to its callers: one test for each sentence of the port. */

export interface LogUnderTest {
  readonly log: NodeLog
  readonly clock: ManualClock
  /** Every write of the stream fails cleanly until disposed. */
  breakWrites(stream: Stream): Disposable
  /** Every write of the stream ends without anybody knowing what was stored, until disposed. */
  breakConfirmations(stream: Stream): Disposable
  /** What is handed to the medium stays on its way until disposed. */
  stall(stream: Stream): Disposable
  /** How many commits the stream has made. */
  commits(stream: Stream): number
}

const admission = { purpose: 'admission' } as const
const owed = { purpose: 'owed' } as const

/** What became of an append, without waiting for it. */
function outcome(append: Promise<readonly Appended[]>): { now: 'pending' | 'stored' | 'not_written' | 'unsettled' } {
  const result: ReturnType<typeof outcome> = { now: 'pending' }
  append.then(
    () => (result.now = 'stored'),
    (error: unknown) => {
      if (error instanceof NotWritten) result.now = 'not_written'
      else if (error instanceof Unsettled) result.now = 'unsettled'
      else throw error
    },
  )
  return result
}

export function eventLogContract(open: () => Promise<LogUnderTest>): void {
  let under: LogUnderTest
  let log: NodeLog
  let clock: ManualClock

  beforeEach(async () => {
    under = await open()
    ;({ log, clock } = under)
  })
  afterEach(async () => {
    const closing = log.close(0)
    await clock.run(5_000)
    await closing
  })

  describe('append', () => {
    test('resolves with one entry for each draft, which reads back with that position and hash', async () => {
      const appended = await log.append('control', [draft('a'), draft('b')], admission)
      const records = await readAll(log, 'control')
      expect(records.map(labelOf)).toEqual(['a', 'b'])
      expect(records.map(({ position, leafHash: hash }) => ({ position, leafHash: hash }))).toEqual(appended)
      expect(records.map((record) => leafHash(record.bytes))).toEqual(appended.map((each) => each.leafHash))
    })

    test('stores the exact RFC 8785 bytes: keys in code-unit order, nothing between', async () => {
      const data = { a: 'ü\u{1f600} "quoted" \\ \u0007', b: 1e21, c: [0.1, -0, null] }
      await log.append('operations', [{ ...draft('x'), data }], admission)
      const [record] = await readAll(log, 'operations')
      const value = JSON.parse(textOf(record!)) as Record<string, unknown>
      const sorted = Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      expect(textOf(record!)).toBe(JSON.stringify(sorted))
      expect(value['data']).toEqual({ ...data, c: [0.1, 0, null] })
    })

    test('numbers each stream without a gap and chains it by prevhash', async () => {
      for (const stream of streams) {
        for (const label of ['a', 'b', 'c']) await log.append(stream, [draft(label)], admission)
        let prevhash = zeroHash
        for (const [index, record] of (await readAll(log, stream)).entries()) {
          const value = JSON.parse(textOf(record)) as Record<string, unknown>
          expect(value).toMatchObject({
            prevhash, sequence: formatSequence(index), run: log.writer.run,
            source: `/clusters/${log.writer.cluster}/nodes/${log.writer.node}/${log.writer.epoch}/${stream}`,
          })
          prevhash = record.leafHash
        }
      }
    })

    test('keeps the order of the calls', async () => {
      const names = Array.from({ length: 500 }, (_, index) => `r${index}`)
      await Promise.all(names.map((label) => log.append('connections', [draft(label)], admission)))
      expect(await labels(log, 'connections')).toEqual(names)
    })

    test('lets appends that arrive during a commit share the next one', async () => {
      const stalled = under.stall('connections')
      const first = log.append('connections', [draft('first')], admission)
      await clock.settled()
      const before = under.commits('connections')
      const rest = Array.from({ length: 100 }, (_, index) => log.append('connections', [draft(`r${index}`)], admission))
      stalled[Symbol.dispose]()
      await Promise.all([first, ...rest])
      expect(under.commits('connections') - before).toBeLessThanOrEqual(2)
    })

    test('lets appends of one turn share a commit', async () => {
      await Promise.all(['a', 'b', 'c'].map((label) => log.append('control', [draft(label)], admission)))
      expect(under.commits('control')).toBe(1)
    })

    test('commits at most so many bytes at once, whole calls only', async () => {
      const big = (label: string): Promise<readonly Appended[]> =>
        log.append('connections', [draft(label, 30_000), draft(label, 30_000)], admission)
      const calls = Math.ceil((commitBytesMax * 1.5) / 60_000)
      await Promise.all(Array.from({ length: calls }, (_, index) => big(`r${index}`)))
      expect(under.commits('connections')).toBe(2)
      expect(await readAll(log, 'connections')).toHaveLength(2 * calls)
    })

    test('takes a violation for a draft larger than its stream allows', () => {
      expect(() => log.append('control', [draft('x', controlRecordBytesMax)], owed)).toThrow(InvariantViolation)
      expect(() => log.append('connections', [draft('x', recordBytesMax)], owed)).toThrow(InvariantViolation)
      const many = Array.from({ length: 300 }, () => draft('x', 30_000))
      expect(() => log.append('connections', [many[0]!, ...many], owed)).toThrow(InvariantViolation)
    })

    test('is taken whenever it comes, also in the moment in which the log falls idle', async () => {
      for (let turns = 0; turns < 40; turns += 1) {
        await log.append('control', [draft('a')], admission)
        for (let turn = 0; turn < turns; turn += 1) await Promise.resolve()
        const one = outcome(log.append('control', [draft('b')], admission))
        await clock.settled()
        expect(one.now, `after ${turns} turns`).toBe('stored')
      }
    })

    test('is not disturbed by what its caller does to the data afterwards', async () => {
      const one = { ...draft('x'), data: { label: 'before' } }
      const appended = log.append('control', [one], admission)
      one.data.label = 'after'
      await appended
      expect(await labels(log, 'control')).toEqual(['before'])
    })
  })

  describe('a write that fails cleanly', () => {
    test('rejects admissions as NotWritten, all of a call, and their sequence is free again', async () => {
      await log.append('connections', [draft('a')], admission)
      {
        using _broken = under.breakWrites('connections')
        const failing = log.append('connections', [draft('lost'), draft('lost too')], admission)
        await expect(failing).rejects.toMatchObject({ code: 'not_written', because: 'EIO', canRetry: true })
      }
      await clock.run(5_000)
      const [next] = await log.append('connections', [draft('b')], admission)
      const records = await readAll(log, 'connections')
      expect(records.map(labelOf)).toEqual(['a', 'b'])
      expect(records[1]!.position).toBe(next!.position)
      expect(textOf(records[1]!)).toContain(`"sequence":"${formatSequence(1)}"`)
    })

    test('refuses admissions at once from then on, those that wait as well', async () => {
      using broken = under.breakWrites('connections')
      const stalled = under.stall('connections')
      const first = outcome(log.append('connections', [draft('a')], admission))
      await clock.settled()
      const waiting = outcome(log.append('connections', [draft('b')], admission))
      stalled[Symbol.dispose]()
      await clock.settled()
      expect([first.now, waiting.now]).toEqual(['not_written', 'not_written'])
      await expect(log.append('connections', [draft('c')], admission)).rejects.toBeInstanceOf(NotWritten)
      broken[Symbol.dispose]()
    })

    test('keeps what is owed until it is written, in order', async () => {
      const broken = under.breakWrites('connections')
      const one = outcome(log.append('connections', [draft('one')], owed))
      await clock.run(3_000)
      const two = outcome(log.append('connections', [draft('two')], owed))
      await clock.run(3_000)
      expect([one.now, two.now]).toEqual(['pending', 'pending'])
      broken[Symbol.dispose]()
      await clock.run(3_000)
      expect([one.now, two.now]).toEqual(['stored', 'stored'])
      expect(await labels(log, 'connections')).toEqual(['one', 'two'])
    })

    test('leaves the other streams alone', async () => {
      using _broken = under.breakWrites('connections')
      await expect(log.append('connections', [draft('a')], admission)).rejects.toBeInstanceOf(NotWritten)
      await log.append('control', [draft('b')], admission)
      expect(log.availability('control')).toEqual({ available: true })
    })
  })

  describe('a write of which nobody knows', () => {
    test('stays pending, and appears once when the medium works again', async () => {
      const broken = under.breakConfirmations('control')
      const one = outcome(log.append('control', [draft('one')], admission))
      await clock.run(3_000)
      expect(one.now).toBe('pending')
      expect(await labels(log, 'control')).toEqual([])
      broken[Symbol.dispose]()
      await clock.run(3_000)
      expect(one.now).toBe('stored')
      expect(await labels(log, 'control')).toEqual(['one'])
    })

    test('is Unsettled at its timeout and appears all the same, before everything later', async () => {
      const broken = under.breakConfirmations('control')
      const one = outcome(log.append('control', [draft('one')], { ...admission, timeoutMs: 1_000 }))
      await clock.run(2_000)
      expect(one.now).toBe('unsettled')
      const two = outcome(log.append('control', [draft('two')], owed))
      broken[Symbol.dispose]()
      await clock.run(3_000)
      expect(two.now).toBe('stored')
      expect(await labels(log, 'control')).toEqual(['one', 'two'])
    })

    test('that was promised by Unsettled appears even if it turns out not to be written', async () => {
      const stalled = under.stall('control')
      const broken = under.breakWrites('control')
      const one = outcome(log.append('control', [draft('one')], { ...admission, timeoutMs: 1_000 }))
      await clock.run(2_000)
      expect(one.now).toBe('unsettled')
      stalled[Symbol.dispose]()
      await clock.run(2_000)
      broken[Symbol.dispose]()
      await clock.run(3_000)
      expect(await labels(log, 'control')).toEqual(['one'])
    })
  })

  describe('timeouts', () => {
    test('an append that no commit took by its deadline is NotWritten and never appears', async () => {
      const stalled = under.stall('connections')
      const first = outcome(log.append('connections', [draft('first')], admission))
      await clock.settled()
      const late = outcome(log.append('connections', [draft('late')], { ...admission, timeoutMs: 500 }))
      const patient = outcome(log.append('connections', [draft('patient')], { ...admission, timeoutMs: 60_000 }))
      await clock.run(499)
      expect(late.now).toBe('pending')
      await clock.run(1)
      expect([first.now, late.now, patient.now]).toEqual(['pending', 'not_written', 'pending'])
      stalled[Symbol.dispose]()
      await clock.settled()
      expect([first.now, patient.now]).toEqual(['stored', 'stored'])
      expect(await labels(log, 'connections')).toEqual(['first', 'patient'])
    })

    test('no commit takes an append whose deadline has passed', async () => {
      const stalled = under.stall('connections')
      const first = outcome(log.append('connections', [draft('first')], admission))
      await clock.settled()
      const one = outcome(log.append('connections', [draft('one')], { ...admission, timeoutMs: 500 }))
      const two = outcome(log.append('connections', [draft('two')], { ...admission, timeoutMs: 503 }))
      await clock.run(504)
      stalled[Symbol.dispose]()
      await clock.run(100)
      expect([first.now, one.now, two.now]).toEqual(['stored', 'not_written', 'not_written'])
      expect(await labels(log, 'connections')).toEqual(['first'])
    })

    test('bound what is owed as well', async () => {
      using _broken = under.breakWrites('connections')
      const one = outcome(log.append('connections', [draft('one')], { ...owed, timeoutMs: 2_000 }))
      await clock.run(1_999)
      expect(one.now).toBe('pending')
      await clock.run(100)
      expect(one.now).toBe('not_written')
    })

    test('without one an append waits', async () => {
      const stalled = under.stall('connections')
      const one = outcome(log.append('connections', [draft('one')], admission))
      await clock.run(3_600_000)
      expect(one.now).toBe('pending')
      stalled[Symbol.dispose]()
      await clock.settled()
      expect(one.now).toBe('stored')
    })
  })

  describe('availability', () => {
    test('says what failed and since when, calls back on each change, and recovers by itself', async () => {
      const heard: [Stream, Availability][] = []
      using _listener = log.onAvailability((stream, now) => heard.push([stream, now]))
      expect(log.availability()).toEqual({ available: true })
      const broken = under.breakWrites('connections')
      const sinceMs = clock.now()
      await expect(log.append('connections', [draft('a')], admission)).rejects.toBeInstanceOf(NotWritten)
      const down = { available: false, code: 'EIO', syscall: 'write', sinceMs }
      expect(log.availability('connections')).toEqual(down)
      expect(log.availability()).toEqual(down)
      await clock.run(3_000)
      broken[Symbol.dispose]()
      await clock.run(3_000)
      expect(log.availability()).toEqual({ available: true })
      expect(heard).toEqual([['connections', down], ['connections', { available: true }]])
    })

    test('a disposed listener hears nothing', async () => {
      const heard: Stream[] = []
      log.onAvailability((stream) => heard.push(stream))[Symbol.dispose]()
      using _broken = under.breakWrites('connections')
      await expect(log.append('connections', [draft('a')], admission)).rejects.toBeInstanceOf(NotWritten)
      expect(heard).toEqual([])
    })
  })

  describe('read', () => {
    test('begins after a position, and ends at the head', async () => {
      const appended = await log.append('control', [draft('a'), draft('b'), draft('c')], admission)
      const after = async (position: Appended['position'] | null): Promise<string[]> => {
        const found: string[] = []
        for await (const batch of log.read('control', { after: position, follow: false })) found.push(...batch.map(labelOf))
        return found
      }
      expect(await after(null)).toEqual(['a', 'b', 'c'])
      expect(await after(appended[0]!.position)).toEqual(['b', 'c'])
      expect(await after(appended[2]!.position)).toEqual([])
      expect(log.head('control')).toBe(appended[2]!.position)
      expect(log.head('operations')).toBeNull()
    })

    test('follows: waits at the head for more, gives no batch without records, ends when the signal aborts', async () => {
      await log.append('control', [draft('a')], admission)
      const stop = new AbortController()
      const found: string[] = []
      const following = (async () => {
        for await (const batch of log.read('control', { after: null, follow: true, signal: stop.signal })) {
          expect(batch.length).toBeGreaterThan(0)
          found.push(...batch.map(labelOf))
        }
      })()
      await clock.settled()
      expect(found).toEqual(['a'])
      await log.append('control', [draft('b'), draft('c')], admission)
      await clock.settled()
      expect(found).toEqual(['a', 'b', 'c'])
      stop.abort()
      await following
    })

    test('ends quietly when the log is closed', async () => {
      const following = (async () => {
        for await (const _batch of log.read('control', { after: null, follow: true })) continue
      })()
      await clock.settled()
      await log.close(1_000)
      await following
    })

    test('shows nothing that is not durable yet', async () => {
      const stalled = under.stall('control')
      const one = log.append('control', [draft('a')], admission)
      await clock.settled()
      expect(log.head('control')).toBeNull()
      stalled[Symbol.dispose]()
      await one
      expect(await labels(log, 'control')).toEqual(['a'])
    })
  })

  describe('close', () => {
    test('waits for what it has, takes no more, and says that all is written', async () => {
      const stalled = under.stall('control')
      const one = outcome(log.append('control', [draft('a')], owed))
      await clock.settled()
      const closing = log.close(10_000)
      await expect(log.append('control', [draft('b')], owed)).rejects.toMatchObject({ because: 'closed' })
      stalled[Symbol.dispose]()
      expect(await closing).toBe(true)
      expect(one.now).toBe('stored')
    })

    test('gives up after its time, settles every append, and says that something is missing', async () => {
      using _broken = under.breakWrites('control')
      const one = outcome(log.append('control', [draft('a')], owed))
      const closing = log.close(10_000)
      await clock.run(12_000)
      expect(await closing).toBe(false)
      expect(one.now).toBe('not_written')
    })
  })
}
