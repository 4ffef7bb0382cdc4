import { describe, expect, test } from 'vitest'
import type { FileLog } from '../../src/log/file/file-log.ts'
import type { SpaceLow } from '../../src/log/node-log.ts'
import { draft, labels } from '../support/drafts.ts'
import { openMemoryLog } from '../support/file-logs.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { MemoryDisk } from '../support/memory-disk.ts'

/** A full disk: owed records have their reserve, everything else waits until the reserve is back. */

const admission = { purpose: 'admission' } as const
const owed = { purpose: 'owed' } as const
const reserveBytes = 20_000

interface Full {
  readonly disk: MemoryDisk
  readonly clock: ManualClock
  readonly log: FileLog
}

/** A log whose next write finds no room. */
async function full(): Promise<Full> {
  const disk = new MemoryDisk(100_000)
  const clock = new ManualClock()
  const log = await openMemoryLog(disk, { clock, reserveBytes, reserveMarginBytes: 10_000 })
  await log.append('connections', [draft('before')], admission)
  disk.capacityBytes = disk.usedBytes
  return { disk, clock, log }
}

describe('a full disk', () => {
  test('refuses admissions on every stream, writes what is owed into the reserve', async () => {
    const { disk, clock, log } = await full()
    expect(disk.content('/data/reserve').length).toBe(reserveBytes)
    await expect(log.append('connections', [draft('refused')], admission)).rejects.toMatchObject({ because: 'ENOSPC' })
    expect(disk.names('/data')).not.toContain('reserve')
    await expect(log.append('control', [draft('refused')], admission)).rejects.toMatchObject({ because: 'ENOSPC' })
    expect(log.availability('operations')).toMatchObject({ available: false, code: 'ENOSPC' })
    const closing = log.append('connections', [draft('owed', 2_000)], owed)
    await clock.run(2_000)
    await closing
    await expect(log.append('connections', [draft('refused')], admission)).rejects.toMatchObject({ because: 'ENOSPC' })
    expect(await labels(log, 'connections')).toEqual(['before', 'owed'])
  })

  test('keeps what is owed beyond the reserve until there is room', async () => {
    const { disk, clock, log } = await full()
    let written = 0
    const all = Array.from({ length: 30 }, async (_, index) => {
      await log.append('connections', [draft(`owed ${index}`, 1_000)], owed)
      written += 1
    })
    await clock.run(10_000)
    expect(written).toBeLessThan(30)
    disk.capacityBytes += 100_000
    await clock.run(5_000)
    await Promise.all(all)
    expect(await labels(log, 'connections')).toHaveLength(31)
  })

  test('is over only when the reserve is whole again', async () => {
    const { disk, clock, log } = await full()
    await expect(log.append('connections', [draft('refused')], admission)).rejects.toMatchObject({ because: 'ENOSPC' })
    await clock.run(5_000)
    disk.capacityBytes += 5_000
    await clock.run(5_000)
    expect(log.availability()).toMatchObject({ available: false })
    disk.capacityBytes += 10_000
    await clock.run(5_000)
    expect(log.availability()).toEqual({ available: true })
    expect(disk.content('/data/reserve').length).toBe(reserveBytes)
    await log.append('connections', [draft('after')], admission)
    expect(await labels(log, 'connections')).toEqual(['before', 'after'])
  })

  test('at the start is an unavailable log, not a failed start', async () => {
    const disk = new MemoryDisk(100_000)
    await (await openMemoryLog(disk, { reserveBytes })).close(0)
    await disk.attach().remove('/data/reserve')
    disk.capacityBytes = disk.usedBytes + 1_000
    const log = await openMemoryLog(disk, { reserveBytes })
    expect(log.availability()).toMatchObject({ available: false, code: 'ENOSPC' })
  })

  test('leaves room after a crash: the tail is written again into the reserve', async () => {
    const { disk } = await full()
    disk.crash('process_only')
    const log = await openMemoryLog(disk, { reserveBytes, reserveMarginBytes: 10_000 })
    expect(await labels(log, 'connections')).toEqual(['before'])
  })

  test('puts compression off', async () => {
    const disk = new MemoryDisk(100_000)
    const clock = new ManualClock()
    const log = await openMemoryLog(disk, { clock, reserveBytes, reserveMarginBytes: 10_000, segmentBytes: 1_000 })
    disk.plan = ({ path }) => (path.endsWith('.zst.tmp') ? { code: 'ENOSPC' } : null)
    for (let index = 0; index < 5; index += 1) await log.append('control', [draft('x', 1_000)], admission)
    await log.compressed()
    expect(disk.names('/data/control').filter((name) => name.includes('zst'))).toEqual([])
    disk.plan = () => null
    await clock.run(30_000)
    await log.compressed()
    expect(disk.names('/data/control').filter((name) => name.endsWith('.zst'))).toHaveLength(4)
    expect(await labels(log, 'control')).toHaveLength(5)
  })
})

test('the reserve is of real bytes that do not compress', async () => {
  const disk = new MemoryDisk()
  await openMemoryLog(disk, { reserveBytes: 2_500_000 })
  const { zstdCompressSync } = await import('node:zlib')
  expect(disk.content('/data/reserve').length).toBe(2_500_000)
  expect(zstdCompressSync(disk.content('/data/reserve')).length).toBeGreaterThan(2_400_000)
})

test('low space is told once, early, and again only after it had recovered', async () => {
  const disk = new MemoryDisk(1_000_000)
  const clock = new ManualClock()
  const log = await openMemoryLog(disk, { clock, reserveBytes: 0, spaceLowBytes: 100_000 })
  const told: SpaceLow[] = []
  using _listener = log.onSpaceLow((space) => told.push(space))
  await clock.run(60_000)
  expect(told).toEqual([])
  const { usedBytes } = disk
  disk.capacityBytes = usedBytes + 90_000
  await clock.run(60_000)
  expect(told).toEqual([{ freeBytes: 90_000, thresholdBytes: 100_000, totalBytes: usedBytes + 90_000 }])
  disk.capacityBytes = usedBytes + 105_000
  await clock.run(60_000)
  disk.capacityBytes = usedBytes + 95_000
  await clock.run(60_000)
  expect(told).toHaveLength(1)
  disk.capacityBytes = usedBytes + 200_000
  await clock.run(60_000)
  disk.capacityBytes = usedBytes + 95_000
  await clock.run(60_000)
  expect(told).toHaveLength(2)
  const late: SpaceLow[] = []
  using _late = log.onSpaceLow((space) => late.push(space))
  expect(late).toHaveLength(1)
})
