import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Fault } from '../../src/core/errors.ts'
import type { ChainHead } from '../../src/log/batch.ts'
import { LogDamaged, type Position, type StoredRecord } from '../../src/log/event-log.ts'
import type { FileLog } from '../../src/log/file/file-log.ts'
import { StoppedLog } from '../../src/log/file/stopped-log.ts'
import { draft, labelOf, labels, readAll } from '../support/drafts.ts'
import { fileLogOptions, openMemoryLog } from '../support/file-logs.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { MemoryDisk, type DiskCallKind, type FaultPlan } from '../support/memory-disk.ts'

/** The oldest segments of a stream are cut: what is kept stays whole and readable, whatever breaks in between. */

const settings = { segmentBytes: 1_500, recentBytes: 1 }
const owed = { purpose: 'owed' } as const
const folder = '/data/connections'

async function written(disk: MemoryDisk, count: number): Promise<{ readonly log: FileLog; readonly all: readonly StoredRecord[] }> {
  const log = await openMemoryLog(disk, settings)
  for (let index = 0; index < count; index += 1) await log.append('connections', [draft(`r${index}`, 300)], owed)
  await log.compressed()
  return { all: await readAll(log, 'connections'), log }
}

/** At the boundary of this index. */
function placeAt(log: FileLog, all: readonly StoredRecord[], boundary: number): ChainHead {
  const sequence = log.boundaries('connections')[boundary]!
  return { prevhash: all[sequence - 1]!.leafHash, sequence }
}

function from(all: readonly StoredRecord[], sequence: number): string[] {
  return all.slice(sequence).map(labelOf)
}

async function flagged(log: FileLog, after: Position | null = null): Promise<string[]> {
  const found: string[] = []
  for await (const batch of log.read('connections', { after, follow: false })) {
    for (const record of batch) if (record.begins === true) found.push(record.position)
  }
  return found
}

describe('a stream that was cut', () => {
  test('begins at a segment, says so once, and goes on over starts', async () => {
    const disk = new MemoryDisk()
    const { all, log } = await written(disk, 12)
    const beginning = placeAt(log, all, 1)
    await log.cut('connections', beginning)
    expect(log.beginning('connections')).toEqual(beginning)
    expect(await labels(log, 'connections')).toEqual(from(all, beginning.sequence))
    expect(await flagged(log)).toEqual([String(beginning.sequence)])
    expect(await flagged(log, String(beginning.sequence - 1) as Position)).toEqual([])
    expect(await flagged(log, '0' as Position)).toEqual([String(beginning.sequence)])
    const files = disk.names(folder).filter((name) => name.startsWith('0'))
    expect(files.length).toBe(log.boundaries('connections').length + 1)
    expect(Number(files[0]!.slice(0, 20))).toBe(beginning.sequence)

    await log.append('connections', [draft('next')], owed)
    await log.close(1_000)
    const again = await openMemoryLog(disk, settings)
    expect(again.beginning('connections')).toEqual(beginning)
    expect(await labels(again, 'connections')).toEqual([...from(all, beginning.sequence), 'next'])
    await again.close(0)
    const stopped = await StoppedLog.open(fileLogOptions(disk))
    expect(stopped.beginning('connections')).toEqual(beginning)
    expect(await labels(stopped, 'connections')).toEqual([...from(all, beginning.sequence), 'next'])
    expect(stopped.countOwn('connections')).toBe(13 - beginning.sequence)
    expect(stopped.count('connections')).toBe(13 - beginning.sequence)
  })

  test('up to its open segment has that one, also after a start', async () => {
    const disk = new MemoryDisk()
    const { all, log } = await written(disk, 12)
    const last = placeAt(log, all, log.boundaries('connections').length - 1)
    await log.cut('connections', last)
    expect(await labels(log, 'connections')).toEqual(from(all, last.sequence))
    await log.close(1_000)
    const kept = from(all, last.sequence)
    const again = await openMemoryLog(disk, settings)
    expect(await labels(again, 'connections')).toEqual(kept)
  })

  test('is cut where a segment begins, and nowhere else', async () => {
    const disk = new MemoryDisk()
    const { all, log } = await written(disk, 12)
    const sequence = log.boundaries('connections')[0]! + 1
    await expect(log.cut('connections', { prevhash: all[sequence - 1]!.leafHash, sequence })).rejects.toThrow('a stream is cut where a segment begins')
    expect(disk.names(folder)).not.toContain('beginning.json')
    expect(await labels(log, 'connections')).toEqual(from(all, 0))
  })

  test('without the file that says so is damaged, and so is one that begins with another record', async () => {
    const disk = new MemoryDisk()
    const { all, log } = await written(disk, 12)
    await log.cut('connections', placeAt(log, all, 0))
    await log.close(1_000)
    const said = disk.content(`${folder}/beginning.json`)
    for (const wrong of ['', 'null', '{"prevhash":"x"}', '{"prevhash":"x","sequence":"7"}']) {
      disk.tamper(`${folder}/beginning.json`, () => Buffer.from(wrong))
      await expect(openMemoryLog(disk, settings), wrong).rejects.toThrow(/it does not say where the stream begins/)
    }
    const present = disk.names(folder)
    disk.tamper(`${folder}/beginning.json`, () => Buffer.from(said.toString().replace(/"prevhash":"./, '"prevhash":"_')))
    await expect(openMemoryLog(disk, settings)).rejects.toThrow(/its prevhash is not the hash of the record before it/)
    expect(disk.names(folder)).toEqual(present)
    disk.tamper(`${folder}/beginning.json`, () => said)
    const first = disk.names(folder).find((name) => name.startsWith('0'))!
    const kept = disk.content(`${folder}/${first}`)
    await disk.attach().remove(`${folder}/${first}`)
    await expect(openMemoryLog(disk, settings)).rejects.toThrow(/the records before \d+\.jsonl\S* are missing/)
    await using back = await disk.attach().create(`${folder}/${first}`)
    await back.write(kept, 0)
    await (await openMemoryLog(disk, settings)).close(0)
    await disk.attach().remove(`${folder}/beginning.json`)
    await expect(openMemoryLog(disk, settings)).rejects.toThrow(/the records before \d+\.jsonl\S* are missing/)
    expect(disk.names(folder)).toEqual(present.filter((name) => name !== 'beginning.json'))
  })

  test.for(['killed', 'closed'])('whose file names a place that is not its beginning is damaged, and nothing of it is removed (%s)', async (end) => {
    const disk = new MemoryDisk()
    const { all, log } = await written(disk, 12)
    const inside = log.boundaries('connections')[1]! + 1
    const boundary = placeAt(log, all, 2).sequence
    if (end === 'closed') await log.close(1_000)
    else disk.crash('process_only')
    const places = [
      { prevhash: 'x', sequence: 900 },
      { prevhash: all[inside - 1]!.leafHash, sequence: inside },
      // Of another stream.
      { prevhash: 'x', sequence: boundary },
    ]
    {
      await using _file = await disk.attach().create(`${folder}/beginning.json`)
    }
    const present = disk.names(folder)
    for (const place of places) {
      const bytes = Buffer.from(`${JSON.stringify(place)}\n`)
      disk.tamper(`${folder}/beginning.json`, () => bytes)
      await expect(openMemoryLog(disk, settings), String(place.sequence)).rejects.toBeInstanceOf(LogDamaged)
      expect(disk.names(folder)).toEqual(present)
    }
    await disk.attach().remove(`${folder}/beginning.json`)
    expect(await labels(await openMemoryLog(disk, settings), 'connections')).toEqual(from(all, 0))
  })

  test('is whole again with all of its segments and without that file, as a backup has them that forgets nothing', async () => {
    const disk = new MemoryDisk()
    const { all, log } = await written(disk, 12)
    const backup = disk.names(folder).map((name) => [name, disk.content(`${folder}/${name}`)] as const)
    await log.cut('connections', placeAt(log, all, 1))
    await log.close(1_000)
    const present = disk.names(folder)
    for (const [name, bytes] of backup) {
      if (present.includes(name)) continue
      await using file = await disk.attach().create(`${folder}/${name}`)
      await file.write(bytes, 0)
    }
    await disk.attach().remove(`${folder}/beginning.json`)
    const whole = await openMemoryLog(disk, settings)
    expect(whole.beginning('connections').sequence).toBe(0)
    expect(await labels(whole, 'connections')).toEqual(from(all, 0))
  })

  test('while readers are in it: they go on with what is kept, and nobody calls it damage', async () => {
    for (const readFirst of [0, 1, 3]) {
      const { all, log } = await written(new MemoryDisk(), 12)
      const reading = log.read('connections', { after: null, follow: true })[Symbol.asyncIterator]()
      const seen: string[] = []
      const take = async (): Promise<void> => void seen.push(...(await reading.next()).value!.map(labelOf))
      for (let count = 0; count < readFirst; count += 1) await take()
      const beginning = placeAt(log, all, 1)
      await log.cut('connections', beginning)
      while (seen.at(-1) !== 'r11') await take()
      const before = seen.filter((label) => Number(label.slice(1)) < beginning.sequence)
      expect(seen).toEqual([...before, ...from(all, beginning.sequence)])
      await reading.return!(undefined)
      await log.close(0)
    }
  })

  test('while a segment of it is being compressed: neither form of it stays', async () => {
    const disk = new MemoryDisk()
    const log = await openMemoryLog(disk, settings)
    const { promise: held, resolve: go } = Promise.withResolvers<void>()
    disk.plan = ({ kind, path }) => (kind === 'rename' && path.endsWith('.zst.tmp') ? { starts: held } : null)
    for (let index = 0; index < 12; index += 1) await log.append('connections', [draft(`r${index}`, 300)], owed)
    const all = await readAll(log, 'connections')
    const beginning = placeAt(log, all, 0)
    await log.cut('connections', beginning)
    go()
    await log.compressed()
    expect(disk.names(folder).filter((name) => name.startsWith('00000000000000000000'))).toEqual([])
    expect(await labels(log, 'connections')).toEqual(from(all, beginning.sequence))
  })
})

/** Writes, cuts, writes and cuts again; whatever the disk does, what is kept is one unbroken end of what was acknowledged. */
async function run(plan: FaultPlan, end: (disk: MemoryDisk) => void, cuts: readonly number[]): Promise<number> {
  const disk = new MemoryDisk()
  const clock = new ManualClock()
  let { all, log } = await written(disk, 8)
  let least = 0
  let most = 0
  disk.plan = plan
  for (const [round, cut] of cuts.entries()) {
    const boundaries = log.boundaries('connections')
    if (boundaries.length > 0) {
      const sequence = boundaries[cut % boundaries.length]!
      const done = await log.cut('connections', { prevhash: all[sequence - 1]!.leafHash, sequence }).then(() => true, () => false)
      most = sequence
      if (done) least = sequence
    }
    end(disk)
    disk.plan = () => null
    log = await openMemoryLog(disk, { ...settings, clock })
    const { prevhash, sequence } = log.beginning('connections')
    expect(sequence).toBeGreaterThanOrEqual(least)
    expect(sequence).toBeLessThanOrEqual(most)
    least = most = sequence
    if (sequence > 0) expect(prevhash).toBe(all[sequence - 1]!.leafHash)
    const kept = await readAll(log, 'connections')
    expect(kept.map(labelOf)).toEqual(from(all, sequence))
    expect(disk.names(folder).filter((name) => /^\d/.test(name) && Number(name.slice(0, 20)) < sequence)).toEqual([])
    for (let index = 0; index < 5; index += 1) await log.append('connections', [draft(`${round}-${index}`, 300)], owed)
    all = [...all.slice(0, sequence), ...(await readAll(log, 'connections'))]
    disk.plan = plan
  }
  await log.close(1_000)
  return disk.calls
}

/** False: a cut makes fewer such calls. */
async function failsAt(kind: DiskCallKind, count: number, powerLoss: boolean): Promise<boolean> {
  let [isCut, seen] = [true, 0]
  const fails: FaultPlan = (call) => (isCut && call.kind === kind && call.path.includes('/connections') && (seen += 1) === count ? { code: 'EIO' } : null)
  await run(fails, (disk) => {
    isCut = false
    disk.crash(powerLoss ? () => 0 : 'process_only')
  }, [2])
  return seen >= count
}

describe('each call of a cut fails once', () => {
  const kinds: DiskCallKind[] = ['create', 'list', 'remove', 'rename', 'sync', 'syncFolder', 'write']
  test.for(kinds)('%s', async (kind) => {
    for (const powerLoss of [false, true]) {
      let failed = 0
      while (await failsAt(kind, failed + 1, powerLoss)) failed += 1
      expect(failed).toBeGreaterThan(0)
    }
  })
})

test('any crashes between cuts', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(6), { minLength: 1, maxLength: 4 }), fc.nat(30), fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })), async (cuts, failsAfter, stream) => {
      const chance = (): number => stream.next().value
      let calls = 0
      const fails: FaultPlan = () => ((calls += 1) > failsAfter && chance() < 0.2 ? { code: 'EIO' } : null)
      await run(fails, (disk) => disk.crash(chance() < 0.5 ? chance : 'process_only'), cuts)
    }),
    { numRuns: 100 },
  )
})

test('a log that is closed is not cut, and says that it is closed', async () => {
  const { all, log } = await written(new MemoryDisk(), 12)
  const beginning = placeAt(log, all, 0)
  await log.close(0)
  const cut = log.cut('connections', beginning)
  await expect(cut).rejects.toBeInstanceOf(Fault)
  await expect(cut).rejects.not.toBeInstanceOf(LogDamaged)
})
