import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ConnectionClosed, ConnectionOpened, ConnectionProgress } from '../../events/connection.ts'
import { streams } from '../../events/define.ts'
import { HealthChanged } from '../../events/health.ts'
import { PoolChanged, PoolCreated } from '../../events/pool.ts'
import { commitBytesMax } from '../../src/core/limits.ts'
import { foldNames, folds, heldStates, initialStates, foldInto } from '../../src/live/folds.ts'
import { jsonPieces, parseMapJson } from '../../src/live/snapshots/map-json.ts'
import { writeSnapshotFile } from '../../src/live/snapshots/snapshot-file.ts'
import { liveText, type LiveSnapshot } from '../../src/live/snapshots/content.ts'
import { openMemoryLog } from '../support/file-logs.ts'
import { movesOf, recordsOf } from '../support/histories.ts'
import { settled } from '../support/manual-clock.ts'
import { MemoryDisk } from '../support/memory-disk.ts'
import { draftOf, madeRecord, RecordChain, recorded } from '../support/records.ts'
import { everythingOf, foldedFrom, lifeOn, logOf, snapshotFolder, type Records } from '../support/snapshots.ts'

const histories: fc.Arbitrary<Records> = fc
  .record({ control: movesOf('control', 12), connections: movesOf('connections', 12), operations: movesOf('operations', 12) })
  .map(({ control, connections, operations }) => ({
    control: recordsOf('control', control),
    connections: recordsOf('connections', connections),
    operations: recordsOf('operations', operations),
  }))

/** A little of everything, and an open connection that has told of its progress. */
function someRecords(owner = 'ada'): Records {
  const [control, connections, operations] = streams.map((stream) => new RecordChain(stream)) as [RecordChain, RecordChain, RecordChain]
  const [opened] = ConnectionOpened.examples
  return {
    control: [
      control.make(PoolCreated, { ...PoolCreated.examples[0], name: 'app' }),
      control.make(PoolChanged, { ...PoolChanged.examples[0], name: 'app', set: { owner } }),
    ],
    connections: [
      connections.make(ConnectionOpened, opened),
      connections.make(ConnectionProgress, { ...ConnectionProgress.examples[0], connection_id: opened.connection_id }),
      connections.make(ConnectionClosed, { ...ConnectionClosed.examples[0], connection_id: '0198c0de-0000-7000-8000-000000000099' }),
    ],
    operations: [operations.make(HealthChanged, HealthChanged.examples[0])],
  }
}

async function keptOn(disk: MemoryDisk, records: Records, upTo = Infinity): Promise<void> {
  const { live, warnings } = lifeOn(disk, logOf(records, upTo).asLog())
  await live.replay()
  await live.keepSnapshot()
  expect(warnings).toEqual([])
}

function namesOn(disk: MemoryDisk): string[] {
  return disk.names(snapshotFolder)
}

describe('a start from a snapshot', () => {
  test('comes to what folding everything comes to, wherever it was taken, and reads only what came after', async () => {
    await fc.assert(
      fc.asyncProperty(histories, fc.nat(12), async (records, cut) => {
        const disk = new MemoryDisk()
        await keptOn(disk, records, cut)
        const log = logOf(records)
        const { live, troubles, warnings } = lifeOn(disk, log.asLog())
        const { records: folded, spared } = await live.replay()
        expect(everythingOf(live)).toEqual(await foldedFrom(logOf(records).asLog()))
        const before = streams.reduce((sum, stream) => sum + Math.min(cut, records[stream].length), 0)
        const all = streams.reduce((sum, stream) => sum + records[stream].length, 0)
        expect([spared, folded]).toEqual([before, all - before])
        expect([troubles, warnings]).toEqual([[], []])
        // And the next life goes on from this one's.
        await live.keepSnapshot()
        expect((await lifeOn(disk, logOf(records).asLog()).live.replay()).spared).toBe(all)
        // What the chain has seen is in it too: a repeat is dropped, and the next one is the next.
        live.follow()
        for (const stream of streams) for (const record of records[stream]) log.push(stream, record)
        await settled()
        expect(everythingOf(live)).toEqual(await foldedFrom(logOf(records).asLog()))
        expect(troubles).toEqual([])
        await live.stop()
      }),
      { numRuns: 100 },
    )
  })

  test('tells other bytes under a number that was taken, as the life before would have', async () => {
    const disk = new MemoryDisk()
    const records = someRecords()
    await keptOn(disk, records)
    const log = logOf(records)
    const { live, troubles } = lifeOn(disk, log.asLog())
    await live.replay()
    live.follow()
    const [first] = records.connections
    log.push('connections', madeRecord(first!.text.replace('"time":"2026', '"time":"2025')))
    await settled()
    expect(troubles.map(({ kind }) => kind)).toEqual(['contradiction'])
    await live.stop()
  })

  test('goes on from the one before when the newest is damaged, and then keeps two good ones', async () => {
    const disk = new MemoryDisk()
    const records = someRecords()
    await keptOn(disk, records, 1)
    await keptOn(disk, records, 2)
    const [older, newer] = namesOn(disk)
    disk.tamper(`${snapshotFolder}/${newer}`, (bytes) => bytes.fill(0, 40, 60))
    const { live, warnings } = lifeOn(disk, logOf(records).asLog())
    expect((await live.replay()).spared).toBe(3)
    expect(warnings).toEqual(['a snapshot is not used; the records are folded again: its bytes are not those that were written'])
    await live.keepSnapshot()
    expect(namesOn(disk)).toEqual([older, 'live-0000000000000006.snapshot'])
  })

  test('reads of a long log only its newest segments', async () => {
    const disk = new MemoryDisk()
    const options = { reserveBytes: 0, reserveMarginBytes: 0, segmentBytes: 3_000 }
    const opened: string[] = []
    disk.plan = ({ kind, path }) => {
      if (kind === 'openToRead' && path.startsWith('/data/connections/')) opened.push(path)
      return null
    }
    for (const lives of [1, 2]) {
      const log = await openMemoryLog(disk, options)
      const { live } = lifeOn(disk, log, { log })
      await live.replay()
      live.follow()
      if (lives === 2) {
        const oldest = disk.names('/data/connections').slice(0, -2)
        expect(oldest.length).toBeGreaterThan(5)
        expect(live.count('connections')).toBe(40)
        expect(opened.filter((path) => oldest.some((name) => path.endsWith(name)))).toEqual([])
      }
      for (let index = 0; index < 40; index += 1) await log.append('connections', [draftOf(ConnectionOpened, ConnectionOpened.examples[0])], { purpose: 'admission' })
      await settled()
      await live.keepSnapshot()
      await live.stop()
      await log.compressed()
      await log.close(1_000)
      opened.length = 0
    }
  })

  test('keeps the two newest', async () => {
    const disk = new MemoryDisk()
    const records = someRecords()
    for (const upTo of [1, 2, 3]) await keptOn(disk, records, upTo)
    expect(namesOn(disk)).toEqual(['live-0000000000000005.snapshot', 'live-0000000000000006.snapshot'])
  })
})

describe('a snapshot that is not to be used means that the log is folded', () => {
  async function expectRebuilt(disk: MemoryDisk, records: Records, because: string): Promise<void> {
    const { live, warnings } = lifeOn(disk, logOf(records).asLog())
    expect((await live.replay()).spared).toBe(0)
    expect(everythingOf(live)).toEqual(await foldedFrom(logOf(records).asLog()))
    expect(warnings.join('\n')).toContain(because)
    // The next one takes its place.
    await live.keepSnapshot()
    expect(namesOn(disk)).toHaveLength(1)
    expect((await lifeOn(disk, logOf(records).asLog()).live.replay()).spared).toBeGreaterThan(0)
  }

  test('damaged at any byte, cut at any length, or longer than it was', async () => {
    const disk = new MemoryDisk()
    const records = someRecords()
    await keptOn(disk, records)
    const path = `${snapshotFolder}/${namesOn(disk)[0]}`
    const whole = Buffer.from(disk.content(path))
    const log = logOf(records).asLog()
    const loaded = async (bytes: Buffer): Promise<LiveSnapshot | null> => {
      disk.tamper(path, () => bytes)
      return lifeOn(disk, log).keeper.load(log)
    }
    expect(await loaded(whole)).not.toBeNull()
    for (let at = 0; at < whole.length; at += 1) {
      const flipped = Buffer.from(whole)
      flipped[at]! ^= 1 << (at % 8)
      expect(await loaded(flipped), `byte ${at} flipped`).toBeNull()
      expect(await loaded(whole.subarray(0, at)), `cut at ${at}`).toBeNull()
    }
    expect(await loaded(Buffer.concat([whole, Buffer.from('x')]))).toBeNull()
    await expectRebuilt(disk, records, 'its bytes are not those that were written')
  })

  test.each(foldNames)('made by another version of %s', async (name) => {
    const disk = new MemoryDisk()
    const records = someRecords()
    await keptOn(disk, records)
    const [file] = namesOn(disk)
    const snapshot = await lifeOn(disk, logOf(records).asLog()).keeper.load(logOf(records).asLog())
    const other = [...liveText(snapshot!)].join('').replace(folds[name].version, `${folds[name].version}0`)
    await writeSnapshotFile(disk.attach(), snapshotFolder, file!, [other], () => Promise.resolve(true))
    await expectRebuilt(disk, records, 'it was made by another version')
  })

  test('of a log that is shorter in one stream', async () => {
    const records = someRecords()
    for (const stream of streams) {
      const disk = new MemoryDisk()
      await keptOn(disk, records)
      const shorter = { ...records, [stream]: records[stream].slice(0, -1) }
      await expectRebuilt(disk, shorter, 'the log does not hold the record that it ends with')
    }
  })

  test('of another log: the same places, other records', async () => {
    const disk = new MemoryDisk()
    await keptOn(disk, someRecords('ada'))
    await expectRebuilt(disk, someRecords('eve'), 'control: the log does not hold the record that it ends with')
  })

  test('on a disk that does not answer', async () => {
    const disk = new MemoryDisk()
    const records = someRecords()
    await keptOn(disk, records)
    disk.plan = ({ kind, path }) => (kind === 'openToRead' && path.startsWith(snapshotFolder) ? { code: 'EIO' } : null)
    const { live, warnings } = lifeOn(disk, logOf(records).asLog())
    expect((await live.replay()).spared).toBe(0)
    expect(warnings.join()).toContain('EIO')
  })
})

describe('when a snapshot is written', () => {
  const opened = (chain: RecordChain, index: number) =>
    chain.make(ConnectionOpened, { ...ConnectionOpened.examples[0], connection_id: `0198c0de-0000-7000-8000-${String(index).padStart(12, '0')}` })

  function following(options: Parameters<typeof lifeOn>[2] = {}) {
    const disk = new MemoryDisk()
    const log = logOf({ control: [], connections: [], operations: [] })
    const life = lifeOn(disk, log.asLog(), { everyRecords: 3, ...options })
    const chain = new RecordChain('connections')
    let made = 0
    life.live.follow()
    const take = async (count: number): Promise<void> => {
      for (let index = 0; index < count; index += 1) log.push('connections', opened(chain, (made += 1)))
      await settled()
    }
    return { ...life, disk, log, take }
  }

  test('every so many records, while records go on coming', async () => {
    const { disk, live, take } = following()
    await take(2)
    expect(namesOn(disk)).toEqual([])
    await take(1)
    expect(namesOn(disk)).toEqual(['live-0000000000000003.snapshot'])
    await take(7)
    expect(namesOn(disk).length).toBe(2)
    await live.stop()
  })

  test('not once something was wrong with the records: the next start has to find it again', async () => {
    const { disk, live, log, take, troubles } = following()
    log.push('connections', { bytes: Buffer.from('{}'), leafHash: '' })
    await take(10)
    await live.keepSnapshot()
    expect(troubles).toHaveLength(1)
    expect(namesOn(disk)).toEqual([])
    await live.stop()
  })

  test('not while the log can not be written, and not when the disk has little room: the log comes first', async () => {
    let available = false
    const log = { availability: () => (available ? { available } as const : { available, code: 'EIO', syscall: 'write', sinceMs: 0 } as const) }
    const { clock, disk, live, take, warnings } = following({ log, freeBytesMin: 1_000 })
    await take(6)
    expect(disk.calls).toBe(0)
    available = true
    disk.capacityBytes = disk.usedBytes + 1_000 + commitBytesMax
    await take(1)
    expect(namesOn(disk)).toEqual([])
    disk.capacityBytes = Infinity
    await take(1)
    expect(namesOn(disk), 'not again so soon').toEqual([])
    clock.advance(60_000)
    await take(1)
    expect(namesOn(disk)).toHaveLength(1)
    expect(warnings).toEqual([])
    await live.stop()
  })

  test('a failure is said, and it is tried again a minute later', async () => {
    const { clock, disk, live, take, warnings } = following()
    disk.plan = ({ kind }) => (kind === 'sync' ? { code: 'EIO' } : null)
    await take(4)
    expect(namesOn(disk)).toEqual([])
    expect(warnings).toEqual(['a snapshot could not be written; a start would take longer'])
    disk.plan = () => null
    clock.advance(59_999)
    await take(1)
    expect(namesOn(disk)).toEqual([])
    clock.advance(1)
    await take(1)
    expect(namesOn(disk)).toHaveLength(1)
    await live.stop()
  })

  test('it ends half-way when the log can not be written any more, and leaves nothing behind', async () => {
    let available = true
    const log = { availability: () => (available ? { available } as const : { available, code: 'EIO', syscall: 'write', sinceMs: 0 } as const) }
    const { disk, live, take, warnings } = following({ log })
    disk.plan = ({ kind }) => {
      if (kind === 'create') available = false
      return null
    }
    await take(3)
    expect(disk.calls).toBeGreaterThan(0)
    expect(namesOn(disk)).toEqual([])
    expect(warnings).toEqual([])
    await live.stop()
  })

  test('it ends half-way when the node stops, and leaves nothing behind', async () => {
    const { disk, live, take } = following()
    const { promise, resolve } = Promise.withResolvers<void>()
    disk.plan = ({ kind }) => (kind === 'create' ? { starts: promise } : null)
    await take(3)
    await live.stop()
    resolve()
    await settled()
    expect(namesOn(disk)).toEqual([])
  })
})

describe('what it is made of', () => {
  test('states held for it stay as they are while the folds go on', () => {
    fc.assert(
      fc.property(histories, fc.nat(12), (records, cut) => {
        const states = initialStates()
        for (const stream of streams) for (const each of records[stream].slice(0, cut)) foldInto(states, stream, recorded(each))
        const held = heldStates(states)
        const before = structuredClone(held)
        expect(held).toEqual(states)
        for (const stream of streams) for (const each of records[stream].slice(cut)) foldInto(states, stream, recorded(each))
        expect(held).toEqual(before)
      }),
      { numRuns: 200 },
    )
  })

  test('any value of maps, lists and objects comes back', () => {
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.oneof(fc.string({ unit: 'binary' }), fc.double({ noDefaultInfinity: true, noNaN: true }).filter((each) => !Object.is(each, -0)), fc.boolean(), fc.constant(null)),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(fc.string().filter((key) => key !== '__proto__' && key !== '$map'), tie('value'), { maxKeys: 3, noNullPrototype: true }),
        fc.array(fc.tuple(fc.oneof(fc.string(), fc.nat()), tie('value')), { maxLength: 3 }).map((entries) => new Map(entries)),
      ),
    }))
    fc.assert(
      fc.property(value, (each) => {
        expect(parseMapJson([...jsonPieces(each)].join(''))).toEqual(each)
      }),
      { numRuns: 1_000 },
    )
  })
})
