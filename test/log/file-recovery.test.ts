import { describe, expect, test } from 'vitest'
import { commitBytesMax } from '../../src/core/limits.ts'
import { LogDamaged, type Position } from '../../src/log/event-log.ts'
import { FileLog } from '../../src/log/file/file-log.ts'
import { StoppedLog } from '../../src/log/file/stopped-log.ts'
import { draft, labels } from '../support/drafts.ts'
import { fileLogOptions, openMemoryLog } from '../support/file-logs.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { MemoryDisk } from '../support/memory-disk.ts'

/** What a start makes of the folder it finds. */

const segment = '/data/control/00000000000000000000.jsonl'
const admission = { purpose: 'admission' } as const

async function diskWith(count: number, end: 'closed' | 'killed', bytes = 10): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  const log = await openMemoryLog(disk)
  for (let index = 0; index < count; index += 1) await log.append('control', [draft(`r${index}`, bytes)], admission)
  if (end === 'closed') await log.close(1_000)
  disk.crash('process_only')
  return disk
}

function endOfLine(bytes: Buffer, line: number): number {
  let at = 0
  for (let count = 0; count < line; count += 1) at = bytes.indexOf(0x0a, at) + 1
  return at
}

describe('a folder', () => {
  test('is new until something is written, and keeps its names and its epoch', async () => {
    const disk = new MemoryDisk()
    const first = await openMemoryLog(disk, { cluster: 'prod', hostname: 'proxy-1' })
    expect(first.writer).toMatchObject({ cluster: 'prod', node: 'proxy-1', isNew: true })
    await first.close(0)
    const second = await openMemoryLog(disk, { hostname: 'renamed' })
    expect(second.writer).toMatchObject({ cluster: 'prod', node: 'proxy-1', epoch: first.writer.epoch, isNew: true })
    expect(second.writer.run).not.toBe(first.writer.run)
    await second.append('operations', [draft('a')], admission)
    await second.close(0)
    const third = await openMemoryLog(disk)
    expect(third.writer.isNew).toBe(false)
  })

  test('of another node is refused, naming both', async () => {
    const disk = new MemoryDisk()
    await (await openMemoryLog(disk, { cluster: 'prod', node: 'a' })).close(0)
    for (const [asked, message] of [
      [{ node: 'b' }, /belongs to node "a", the settings say node "b"/],
      [{ cluster: 'test' }, /belongs to cluster "prod", the settings say cluster "test"/],
    ] as const) {
      await expect(openMemoryLog(disk, asked)).rejects.toMatchObject({ code: 'folder_of_another_node' })
      await expect(openMemoryLog(disk, asked)).rejects.toThrow(message)
    }
    // Refused, and free again.
    await (await openMemoryLog(disk, { cluster: 'prod', node: 'a' })).close(0)
  })

  test('takes no name that a source could not hold', async () => {
    await expect(openMemoryLog(new MemoryDisk(), { node: 'a/b' })).rejects.toMatchObject({ code: 'name_invalid' })
  })

  test('has one user, who is named to the second, and its lock is free again after each', async () => {
    const disk = new MemoryDisk()
    const log = await openMemoryLog(disk, { holder: { pid: 4711, verb: 'serve' } })
    const second = openMemoryLog(disk)
    await expect(second).rejects.toMatchObject({ code: 'folder_in_use' })
    await expect(second).rejects.toThrow(/process 4711 \(waybill serve, since 2026-11-24T08:00:00.000Z\)/)
    await log.close(0)
    expect(disk.names('/data')).not.toContain('holder.json')
    await (await openMemoryLog(disk)).close(0)
  })

  test('without node.json and with records is damaged; a start does not make it another node', async () => {
    const disk = await diskWith(1, 'killed')
    await disk.attach().remove('/data/node.json')
    await expect(openMemoryLog(disk)).rejects.toThrow(/node\.json is missing/)
  })
})

describe('after a crash', () => {
  test('a torn tail is cut and reported, and the numbers go on where it was', async () => {
    for (const cutOff of [1, 100, 455]) {
      const disk = await diskWith(3, 'killed')
      disk.tamper(segment, (bytes) => bytes.subarray(0, bytes.length - cutOff))
      const start = endOfLine(disk.content(segment), 2)
      const bytesCut = disk.content(segment).length - start
      const log = await openMemoryLog(disk)
      expect(log.cuts).toEqual([
        { stream: 'control', segment: '00000000000000000000.jsonl', bytesCut, problem: 'the line does not end' },
      ])
      await log.append('control', [draft('next')], admission)
      expect(await labels(log, 'control')).toEqual(['r0', 'r1', 'next'])
      await log.close(0)
      expect((await openMemoryLog(disk)).cuts).toEqual([])
    }
  })

  test('everything from the first torn line on is cut, wherever in the line or the commit the tear is', async () => {
    for (const line of [0, 3, 4]) {
      for (const within of [0, 20, 200, 440]) {
        const disk = await diskWith(5, 'killed')
        disk.tamper(segment, (bytes) => bytes.fill(0, endOfLine(bytes, line) + within, endOfLine(bytes, line) + within + 12))
        const log = await openMemoryLog(disk)
        expect(log.cuts, `line ${line}, byte ${within}`).toMatchObject([{ stream: 'control' }])
        expect(await labels(log, 'control')).toEqual(['r0', 'r1', 'r2', 'r3', 'r4'].slice(0, line))
        await log.append('control', [draft('next')], admission)
        disk.crash('process_only')
        expect(await labels(await openMemoryLog(disk), 'control')).toHaveLength(line + 1)
      }
    }
  })

  test('a whole record that does not continue the chain is damage, also at the very end: no crash does that', async () => {
    const disk = await diskWith(5, 'killed')
    disk.tamper(segment, (bytes) => (bytes.set(Buffer.from('"rX"'), bytes.indexOf('"r3"')), bytes))
    await expect(openMemoryLog(disk)).rejects.toThrow(/line 5, byte \d+: its prevhash is not the hash of the record before it/)
    const without = await diskWith(5, 'killed')
    without.tamper(segment, (bytes) => Buffer.concat([bytes.subarray(0, endOfLine(bytes, 2)), bytes.subarray(endOfLine(bytes, 3))]))
    await expect(openMemoryLog(without)).rejects.toThrow(/line 3, byte \d+: sequence 3 stands where 2 belongs/)
  })

  test('a record that was refused does not come back, even if its bytes reached the medium', async () => {
    const disk = await diskWith(1, 'closed')
    const log = await openMemoryLog(disk)
    disk.plan = ({ kind }) => (kind === 'write' ? { code: 'EIO', taken: 1e9 } : null)
    await expect(log.append('control', [draft('refused')], admission)).rejects.toMatchObject({ code: 'not_written' })
    disk.crash(() => 0.5)
    expect(await labels(await openMemoryLog(disk), 'control')).toEqual(['r0'])
  })

  test('a bad line further away stops the start, which changes nothing', async () => {
    const disk = await diskWith(1, 'killed')
    const log = await openMemoryLog(disk)
    const many = Array.from({ length: Math.ceil(commitBytesMax / 2 / 50_000) }, () => draft('x', 50_000))
    for (let round = 0; round < 3; round += 1) await log.append('control', [many[0]!, ...many.slice(1)], admission)
    disk.crash('process_only')
    disk.tamper(segment, (bytes) => bytes.fill(0, 300, 460))
    const before = Buffer.from(disk.content(segment))
    await expect(openMemoryLog(disk)).rejects.toMatchObject({
      code: 'log_damaged',
      message:
        `${segment}, line 1, byte 0: this is not a record. ` +
        'Nothing was changed. Restore this file from a copy; the records before this line are whole.',
    })
    expect(disk.content(segment).equals(before)).toBe(true)
  })

  test('what only the page cache holds is written again, before anything follows it', async () => {
    const disk = new MemoryDisk()
    const log = await openMemoryLog(disk)
    await log.append('control', [draft('a')], admission)
    disk.plan = ({ kind, path }) => (kind === 'sync' && path.startsWith('/data/control') ? { code: 'EIO' } : null)
    void log.append('control', [draft('b')], { purpose: 'owed' }).catch(() => {})
    await new Promise((resolve) => setImmediate(resolve))
    disk.crash('process_only')
    const second = await openMemoryLog(disk)
    expect(await labels(second, 'control')).toEqual(['a', 'b'])
    disk.crash(() => 0)
    expect(await labels(await openMemoryLog(disk), 'control')).toEqual(['a', 'b'])
  })

  test('what could not be taken back is not refused: it appears', async () => {
    const disk = await diskWith(1, 'closed')
    const clock = new ManualClock()
    const log = await openMemoryLog(disk, { clock })
    disk.plan = ({ kind, path }) => {
      if (kind === 'write' && path === segment) return { code: 'EIO', taken: 1e9 }
      return kind === 'truncate' ? { code: 'EIO' } : null
    }
    const appended = log.append('control', [draft('r1')], admission)
    await clock.run(1_000)
    await expect(appended).resolves.toHaveLength(1)
    expect(await labels(log, 'control')).toEqual(['r0', 'r1'])
    await log.append('control', [draft('r2')], admission)
    disk.crash(() => 0)
    expect(await labels(await openMemoryLog(disk), 'control')).toEqual(['r0', 'r1', 'r2'])
  })

  test('what lies behind the end of a sealed segment is not compressed with it', async () => {
    const disk = await diskWith(2, 'closed')
    const clock = new ManualClock()
    const log = await openMemoryLog(disk, { clock })
    disk.plan = ({ kind, path }) => (path === segment && (kind === 'sync' || kind === 'truncate') ? { code: 'EIO' } : null)
    const appended = log.append('control', [draft('r2')], admission)
    await clock.run(1_000)
    await appended
    await log.compressed()
    expect(disk.names('/data/control')).toEqual(['00000000000000000000.jsonl.zst', '00000000000000000002.jsonl'])
    await log.close(0)
    expect(await labels(await openMemoryLog(disk), 'control')).toEqual(['r0', 'r1', 'r2'])
  })

  test('trying whether the disk works again leaves nothing behind', async () => {
    const disk = await diskWith(1, 'closed')
    const clock = new ManualClock()
    const log = await openMemoryLog(disk, { clock })
    const before = disk.content(segment).length
    let writes = 0
    disk.plan = ({ kind }) => (kind === 'write' && (writes += 1) === 1 ? { code: 'EIO' } : null)
    await expect(log.append('control', [draft('refused')], admission)).rejects.toMatchObject({ code: 'not_written' })
    await clock.run(1_000)
    expect(writes).toBe(2)
    expect(log.availability()).toEqual({ available: true })
    expect(disk.content(segment).length).toBe(before)
  })

  test('a segment begun after a failed sync is there by name as well', async () => {
    const disk = await diskWith(1, 'closed')
    const clock = new ManualClock()
    const log = await openMemoryLog(disk, { clock })
    let failed = false
    disk.plan = ({ kind }) => (kind === 'sync' && !failed ? ((failed = true), { code: 'EIO' }) : null)
    const appended = log.append('control', [draft('r1')], admission)
    await clock.run(1_000)
    await appended
    expect(disk.names('/data/control')).toContain('00000000000000000001.jsonl')
    disk.crash(() => 0)
    expect(await labels(await openMemoryLog(disk), 'control')).toEqual(['r0', 'r1'])
  })

  test('only the last commit of a large segment is written again, and the segment ends before it', async () => {
    const disk = new MemoryDisk()
    const log = await openMemoryLog(disk)
    const many = Array.from({ length: 100 }, () => draft('x', 50_000))
    for (let round = 0; round < 3; round += 1) await log.append('control', [many[0]!, ...many.slice(1)], admission)
    const size = disk.content(segment).length
    disk.crash('process_only')
    const second = await openMemoryLog(disk)
    await second.compressed()
    const [closed, open] = disk.names('/data/control')
    expect(closed).toBe('00000000000000000000.jsonl.zst')
    expect(disk.content(`/data/control/${open}`).length).toBeLessThanOrEqual(commitBytesMax)
    expect(disk.content(`/data/control/${open}`).length).toBeGreaterThan(commitBytesMax - 60_000)
    expect(size).toBeGreaterThan(14_000_000)
    expect(await labels(second, 'control')).toHaveLength(300)
  })
})

describe('after an orderly end', () => {
  test('nothing is cut: a bad tail is damage', async () => {
    const disk = await diskWith(3, 'closed')
    disk.tamper(segment, (bytes) => bytes.subarray(0, bytes.length - 1))
    await expect(openMemoryLog(disk)).rejects.toThrow(/line 3, byte \d+: the line does not end/)
    // The start that failed has not forgotten it.
    await expect(openMemoryLog(disk)).rejects.toBeInstanceOf(LogDamaged)
  })

  test('a tail that is whole but shorter is damage as well', async () => {
    const disk = await diskWith(3, 'closed')
    disk.tamper(segment, (bytes) => bytes.subarray(0, endOfLine(bytes, 2)))
    await expect(openMemoryLog(disk)).rejects.toThrow(/closed in order with 3 records and now ends after 2/)
  })

  test('the next crash is one again', async () => {
    const disk = await diskWith(3, 'closed')
    const log = await openMemoryLog(disk)
    await log.append('control', [draft('r3')], admission)
    disk.crash(() => 0)
    expect(await labels(await openMemoryLog(disk), 'control')).toEqual(['r0', 'r1', 'r2', 'r3'])
  })
})

describe('segments', () => {
  async function severalSegments(): Promise<MemoryDisk> {
    const disk = new MemoryDisk()
    const log = await openMemoryLog(disk, { segmentBytes: 1_000 })
    for (let index = 0; index < 8; index += 1) await log.append('control', [draft(`r${index}`, 300)], admission)
    await log.compressed()
    await log.close(0)
    disk.crash('process_only')
    return disk
  }

  test('one that is there raw and compressed counts as raw and is compressed again', async () => {
    const disk = await severalSegments()
    const [first] = disk.names('/data/control')
    const raw = first!.replace('.zst', '')
    const { zstdDecompressSync } = await import('node:zlib')
    const file = await disk.attach().create(`/data/control/${raw}`)
    await file.write(zstdDecompressSync(disk.content(`/data/control/${first}`)), 0)
    await file.sync()
    disk.tamper(`/data/control/${first}`, () => Buffer.from('not what was written'))
    const log = await openMemoryLog(disk)
    await log.compressed()
    expect(disk.names('/data/control')).toContain(first)
    expect(disk.names('/data/control')).not.toContain(raw)
    expect(await labels(log, 'control')).toHaveLength(8)
  })

  test('a compressed one that holds more than its records is damage', async () => {
    const disk = await severalSegments()
    const [first] = disk.names('/data/control')
    const { zstdCompressSync, zstdDecompressSync } = await import('node:zlib')
    disk.tamper(`/data/control/${first}`, (bytes) => zstdCompressSync(Buffer.concat([zstdDecompressSync(bytes), Buffer.from('more')])))
    const log = await openMemoryLog(disk)
    await expect(labels(log, 'control')).rejects.toThrow(/there is more than the next segment leaves room for/)
  })

  test('leftovers are removed', async () => {
    const disk = await severalSegments()
    await disk.attach().create('/data/control/00000000000000000004.jsonl.tmp')
    await openMemoryLog(disk)
    expect(disk.names('/data/control').filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  test('a missing first, last or middle one is damage', async () => {
    for (const [index, message] of [
      [0, /the records before 0+\d+\.jsonl\.zst are missing/],
      [-1, /the segment after 0+\d+\.jsonl\.zst is missing/],
    ] as const) {
      const disk = await severalSegments()
      await disk.attach().remove(`/data/control/${disk.names('/data/control').at(index)}`)
      await expect(openMemoryLog(disk)).rejects.toThrow(message)
    }
    const disk = await severalSegments()
    const names = disk.names('/data/control')
    expect(names.length).toBeGreaterThan(3)
    await disk.attach().remove(`/data/control/${names[1]}`)
    const log = await openMemoryLog(disk)
    await expect(labels(log, 'control')).rejects.toThrow(/the segment ends before sequence \d+, records are missing/)
  })
})

test('a reader of the open segment sees nothing that is written and not durable', async () => {
  const disk = new MemoryDisk()
  const log = await openMemoryLog(disk, { recentBytes: 1 })
  for (const label of ['a', 'b', 'c']) await log.append('control', [draft(label)], admission)
  disk.plan = ({ kind }) => (kind === 'sync' ? { code: 'EIO' } : null)
  void log.append('control', [draft('d')], { purpose: 'owed' }).catch(() => {})
  await new Promise((resolve) => setImmediate(resolve))
  expect(disk.content(segment).toString()).toContain('"d"')
  expect(await labels(log, 'control')).toEqual(['a', 'b', 'c'])
})

test('what is no position of this log is said to be none', async () => {
  const log = await openMemoryLog(new MemoryDisk())
  for (const position of ['', '-1', 'abc', '1.5', '01']) {
    const reading = log.read('control', { after: position as Position, follow: false })[Symbol.asyncIterator]()
    await expect(reading.next(), position).rejects.toMatchObject({ code: 'position_invalid' })
  }
})

describe('reading a folder that nobody serves', () => {
  test('shows whole records, changes nothing, and gives the folder back', async () => {
    const disk = await diskWith(3, 'killed')
    disk.tamper(segment, (bytes) => bytes.subarray(0, bytes.length - 1))
    const before = [...disk.names('/data/control'), disk.content(segment).toString()]
    {
      await using stopped = await StoppedLog.open(fileLogOptions(disk))
      expect(await labels(stopped, 'control')).toEqual(['r0', 'r1'])
      expect(stopped.head('control')).toBe('1')
      await expect(FileLog.open(fileLogOptions(disk))).rejects.toMatchObject({ code: 'folder_in_use' })
    }
    expect([...disk.names('/data/control'), disk.content(segment).toString()]).toEqual(before)
    await (await openMemoryLog(disk)).close(0)
  })

  test('leaves no trace where there is no log', async () => {
    const disk = new MemoryDisk()
    disk.makeFolder('/data')
    await expect(StoppedLog.open(fileLogOptions(disk))).rejects.toMatchObject({ code: 'no_log_here' })
    expect(disk.names('/data')).toEqual([])
  })
})
