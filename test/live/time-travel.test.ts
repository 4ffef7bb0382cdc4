import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PoolChanged, PoolCreated } from '../../events/pool.ts'
import { routing as projection, type Routing } from '../../projections/routing.ts'
import { rfc3339 } from '../../src/core/clock.ts'
import { Live } from '../../src/live/live.ts'
import { HistoryFolder } from '../../src/live/snapshots/history.ts'
import { configurationAt, type PastConfiguration } from '../../src/live/time-travel.ts'
import { LogDamaged } from '../../src/log/event-log.ts'
import { StoppedLog } from '../../src/log/file/stopped-log.ts'
import { fileLogOptions, openMemoryLog } from '../support/file-logs.ts'
import { movesOf, recordsOf } from '../support/histories.ts'
import { settled } from '../support/manual-clock.ts'
import { MemoryDisk } from '../support/memory-disk.ts'
import { draftOf, exampleTime, RecordChain, type MadeRecord } from '../support/records.ts'
import { ScriptedLog } from '../support/scripted-log.ts'
import { lifeOn, snapshotFolder } from '../support/snapshots.ts'

const startMs = Date.parse(exampleTime)
const timeAt = (ms: number): string => rfc3339(startMs + ms)

/** A history of changes, some of them void, by clocks that stand still, go on or step back. */
const histories = fc.tuple(movesOf('control', 20), fc.array(fc.integer({ min: -3, max: 5 }), { minLength: 20, maxLength: 20 })).map(([moves, steps]) => {
  let ms = 100
  const times = steps.map((step) => (ms += step))
  return { times, records: recordsOf('control', moves, (index) => timeAt(times[index]!)) }
})

const createPool = { ...PoolCreated.examples[0], name: 'app' }
const changePool = (owner: string) => ({ ...PoolChanged.examples[0], name: 'app', set: { owner } })

function logOf(records: readonly MadeRecord[]): ScriptedLog {
  const log = new ScriptedLog()
  for (const record of records) log.push('control', record)
  return log
}

/** What a node published after each record, as it went on; each with the latest time of an effective change so far. */
async function publishedBy(records: readonly MadeRecord[]): Promise<{ routing: Routing; untilMs: number | null; effective: boolean }[]> {
  const log = new ScriptedLog()
  const live = new Live(log.asLog(), () => {})
  live.follow()
  let untilMs: number | null = null
  const published: { routing: Routing; untilMs: number | null; effective: boolean }[] = []
  for (const record of records) {
    const { revision } = live.routing
    log.push('control', record)
    await settled()
    const effective = live.routing.revision > revision
    const ms = Date.parse(record.event.time)
    if (effective) untilMs = Math.max(untilMs ?? ms, ms)
    published.push({ routing: live.routing, untilMs, effective })
  }
  await live.stop()
  return published
}

function past(found: Awaited<ReturnType<typeof configurationAt>>): PastConfiguration {
  if ('unknown' in found) throw new Error(`there is no revision ${found.unknown}`)
  return found
}

/** Folds the whole log once, keeping a configuration every other record. */
async function historyOf(disk: MemoryDisk, log: ScriptedLog): Promise<HistoryFolder> {
  const { live, warnings } = lifeOn(disk, log.asLog(), { historyEveryRecords: 2 })
  await live.replay()
  expect(warnings).toEqual([])
  return new HistoryFolder(disk.attach(), snapshotFolder)
}

describe('configurationAt', () => {
  test('a time: what the node had published then, for any history, also where clocks step back and changes are void', async () => {
    await fc.assert(
      fc.asyncProperty(histories, async ({ records, times }) => {
        const published = await publishedBy(records)
        const log = logOf(records)
        const history = await historyOf(new MemoryDisk(), log)
        for (const ms of new Set([0, ...times.flatMap((each) => [each - 1, each, each + 1]), 1_000])) {
          const atMs = startMs + ms
          const expected = published.findLast(({ effective, untilMs }) => effective && untilMs! <= atMs)
          const answer = past(await configurationAt(log, { at: timeAt(ms) }))
          expect(answer.routing).toEqual(expected?.routing ?? projection.initial())
          expect(answer.revision).toBe(expected?.routing.revision ?? 0)
          expect(answer.time).toBe(expected === undefined ? null : rfc3339(expected.untilMs!))
          expect(past(await configurationAt(log, { at: timeAt(ms) }, history))).toEqual(answer)
        }
      }),
      { numRuns: 40 },
    )
  })

  test('a revision: exactly that one, and none that is not there', async () => {
    await fc.assert(
      fc.asyncProperty(histories, async ({ records }) => {
        const published = await publishedBy(records)
        const log = logOf(records)
        const history = await historyOf(new MemoryDisk(), log)
        const newest = published.at(-1)?.routing.revision ?? 0
        for (let revision = 0; revision <= newest; revision += 1) {
          const expected = published.find(({ routing }) => routing.revision === revision && revision > 0)?.routing ?? projection.initial()
          for (const kept of [undefined, history]) expect(past(await configurationAt(log, { revision }, kept)).routing).toEqual(expected)
        }
        for (const kept of [undefined, history]) {
          expect(await configurationAt(log, { revision: newest + 3 }, kept)).toEqual({ unknown: newest + 3, newest })
        }
      }),
      { numRuns: 40 },
    )
  })

  test('ends where the node stopped following: the same configuration', async () => {
    const chain = new RecordChain('control')
    const created = chain.make(PoolCreated, createPool)
    // Void, so that the one after it would take effect.
    chain.make(PoolChanged, changePool('missing'), { revision: 99 })
    const log = logOf([created, chain.make(PoolChanged, changePool('eve'))])
    const live = new Live(log.asLog(), () => {})
    await live.replay()
    expect(live.frozen).not.toBeNull()
    expect(past(await configurationAt(log, { at: timeAt(1e9) })).routing).toEqual(live.routing)
    expect(await configurationAt(log, { revision: 2 })).toEqual({ unknown: 2, newest: 1 })
  })

  test('drops what came before, and says where bytes are no record', async () => {
    const chain = new RecordChain('control')
    const created = chain.make(PoolCreated, createPool)
    const log = logOf([created, created, chain.make(PoolChanged, changePool('eve'))])
    expect(past(await configurationAt(log, { at: timeAt(0) }))).toMatchObject({ revision: 2, routing: { voided: 0 } })
    log.push('control', { bytes: Buffer.from('{}'), leafHash: '' })
    await expect(configurationAt(log, { at: timeAt(0) })).rejects.toThrow(LogDamaged)
  })
})

describe('kept configurations', () => {
  function changes(count: number): MadeRecord[] {
    const chain = new RecordChain('control')
    const first = chain.make(PoolCreated, createPool)
    return [first, ...Array.from({ length: count - 1 }, (_, index) => chain.make(PoolChanged, changePool(`owner ${index}`), { time: timeAt(index) }))]
  }

  function revisionsOn(disk: MemoryDisk): number[] {
    return disk.names(snapshotFolder).filter((name) => name.startsWith('routing-')).map((name) => Number(name.slice(8, 24)))
  }

  test('make the fold short: it begins at the nearest one', async () => {
    const disk = new MemoryDisk()
    const log = logOf(changes(20))
    const history = await historyOf(disk, log)
    expect(revisionsOn(disk)).toEqual([2, 4, 6, 8, 10, 12, 14, 16, 18, 20])
    log.readFrom.length = 0
    expect(past(await configurationAt(log, { revision: 13 }, history)).revision).toBe(13)
    // One look at the record that the kept one ends with, then on from there.
    expect(log.readFrom).toEqual([['control', 'at-11'], ['control', 'at-12']])
  })

  test('that are damaged, or of another log, are passed over', async () => {
    const disk = new MemoryDisk()
    const log = logOf(changes(20))
    const history = await historyOf(disk, log)
    for (const name of disk.names(snapshotFolder).filter((each) => /0{13}1[02]-/.test(each))) {
      disk.tamper(`${snapshotFolder}/${name}`, (bytes) => bytes.fill(0, 30))
    }
    log.readFrom.length = 0
    expect(past(await configurationAt(log, { revision: 13 }, history)).routing.pools.get('app')?.owner).toBe('owner 11')
    expect(log.readFrom.at(-1)).toEqual(['control', 'at-8'])
    const other = new RecordChain('control')
    const others = logOf([other.make(PoolCreated, { ...createPool, name: 'other' }), other.make(PoolCreated, { ...createPool, name: 'more' })])
    expect([...past(await configurationAt(others, { revision: 2 }, history)).routing.pools.keys()]).toEqual(['other', 'more'])
  })

  test('are bounded, and cover the past evenly', async () => {
    const disk = new MemoryDisk()
    const kept = new HistoryFolder(disk.attach(), snapshotFolder, 5)
    disk.makeFolder(snapshotFolder)
    for (let revision = 10; revision <= 400; revision += 10) {
      const routing = { ...projection.initial(), revision, changedAt: timeAt(revision) }
      await kept.keep({ intake: { count: revision, last: null, previous: null, chain: new Map() }, routing }, () => Promise.resolve(true))
    }
    const revisions = revisionsOn(disk)
    expect(revisions).toHaveLength(5)
    expect([revisions[0], revisions.at(-1)]).toEqual([10, 400])
    const gaps = revisions.slice(1).map((revision, index) => revision - revisions[index]!)
    expect(Math.max(...gaps)).toBeLessThanOrEqual(200)
  })

  test('are made anew when the log is folded from its beginning', async () => {
    const disk = new MemoryDisk()
    const log = logOf(changes(6))
    await historyOf(disk, log)
    const before = revisionsOn(disk)
    const [name] = disk.names(snapshotFolder)
    disk.tamper(`${snapshotFolder}/${name}`, () => Buffer.from('nothing'))
    await historyOf(disk, log)
    expect(revisionsOn(disk)).toEqual(before)
    expect(disk.content(`${snapshotFolder}/${name}`).toString()).not.toBe('nothing')
  })

  test('serve a running log and the same folder once nobody serves it', async () => {
    const disk = new MemoryDisk()
    const log = await openMemoryLog(disk)
    const { live } = lifeOn(disk, log, { historyEveryRecords: 2 })
    live.follow()
    for (let index = 0; index < 6; index += 1) {
      const { basis, revision } = live.routing
      const place = { basis, revision: revision + 1, time: timeAt(index) }
      const draft = index === 0 ? draftOf(PoolCreated, createPool, place) : draftOf(PoolChanged, changePool(`owner ${index}`), place)
      using outcome = live.outcomeOf(draft.id)
      await log.append('control', [draft], { purpose: 'admission' })
      expect(await outcome).toBe('effective')
    }
    await settled()
    const history = new HistoryFolder(disk.attach(), snapshotFolder)
    const running = past(await configurationAt(log, { at: timeAt(4) }, history))
    expect(running).toMatchObject({ revision: 5, time: timeAt(4) })
    await live.stop()
    await log.close(1_000)
    await using stopped = await StoppedLog.open(fileLogOptions(disk))
    expect(past(await configurationAt(stopped, { at: timeAt(4) }, history))).toEqual(running)
    expect(past(await configurationAt(stopped, { at: timeAt(4) }))).toEqual(running)
  })
})
