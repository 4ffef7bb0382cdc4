import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/core/system/clock.ts'
import { systemDisk } from '../../src/core/system/disk.ts'
import { FileLog, type FileLogOptions } from '../../src/log/file/file-log.ts'
import { StoppedLog } from '../../src/log/file/stopped-log.ts'
import { draft, labels, readAll, textOf } from '../support/drafts.ts'

/** The file log on the machine's own disk and locks. */

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-log-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

function optionsOf(more: Partial<FileLogOptions> = {}): FileLogOptions {
  return {
    disk: systemDisk, clock: systemClock, folder, makeId: randomUUID, cluster: null, node: null, hostname: 'host',
    holder: { pid: process.pid, verb: 'test' }, lockWaitMs: 0, reserveBytes: 0, ...more,
  }
}

async function write(log: FileLog, count: number, bytes: number): Promise<void> {
  const appends = Array.from({ length: count }, (_, index) =>
    log.append('connections', [draft(`r${index}`, bytes)], { purpose: 'admission' }),
  )
  await Promise.all(appends)
}

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `r${index}`)

describe('two processes and one folder', () => {
  test('the second one is told who has it; a kill -9 frees it at once; nothing acknowledged is lost', async () => {
    const script = fileURLToPath(new URL('../support/log-holder.ts', import.meta.url))
    const child = spawn(process.execPath, [script, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
    let printed = ''
    child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()))
    while (!printed.includes('\n20\n')) await once(child.stdout, 'data')
    const failed = FileLog.open(optionsOf())
    await expect(failed).rejects.toMatchObject({ code: 'folder_in_use', canRetry: true })
    await expect(failed).rejects.toThrow(new RegExp(`in use by process ${child.pid} \\(waybill serve, since 20`))
    await expect(StoppedLog.open(optionsOf())).rejects.toMatchObject({ code: 'folder_in_use' })
    child.kill('SIGKILL')
    await once(child, 'close')
    const acknowledged = printed.split('\n').slice(0, -1)
    await using log = await FileLog.open(optionsOf())
    const found = await labels(log, 'connections')
    expect(found.slice(0, acknowledged.length)).toEqual(acknowledged.map((index) => `r${index}`))
    expect(found.length - acknowledged.length).toBeLessThanOrEqual(1)
  })

  test('a start waits for a reader to let go', async () => {
    await (await FileLog.open(optionsOf())).close(1_000)
    const reader = await StoppedLog.open(optionsOf())
    const starting = FileLog.open(optionsOf({ lockWaitMs: 60_000 }))
    await reader[Symbol.asyncDispose]()
    await using log = await starting
    expect(log.availability()).toEqual({ available: true })
  })
})

test('compressed segments hold the same bytes, for readers from anywhere and over restarts', async () => {
  const log = await FileLog.open(optionsOf({ segmentBytes: 200_000, recentBytes: 1 }))
  for (let round = 0; round < 10; round += 1) await write(log, 100, 500)
  const before = (await readAll(log, 'connections')).map(textOf)
  await log.compressed()
  const compressed = (await readdir(join(folder, 'connections'))).filter((name) => name.endsWith('.zst'))
  expect(compressed.length).toBeGreaterThan(2)
  const records = await readAll(log, 'connections')
  expect(records.map(textOf)).toEqual(before)
  const middle: string[] = []
  for await (const batch of log.read('connections', { after: records[449]!.position, follow: false })) middle.push(...batch.map(textOf))
  expect(middle).toEqual(before.slice(450))
  await log.close(1_000)
  await using stopped = await StoppedLog.open(optionsOf())
  expect((await readAll(stopped, 'connections')).map(textOf)).toEqual(before)
})

test('a reader goes on while the segments that it reads are compressed and removed', async () => {
  await using log = await FileLog.open(optionsOf({ segmentBytes: 100_000, recentBytes: 1 }))
  await write(log, 100, 500)
  const found: string[] = []
  for await (const batch of log.read('connections', { after: null, follow: false })) {
    if (found.length === 0) {
      for (let round = 0; round < 5; round += 1) await write(log, 100, 500)
      await log.compressed()
    }
    found.push(...batch.map(textOf))
  }
  expect(found).toHaveLength(100)
})

describe('damage', () => {
  async function flip(path: string, at: number): Promise<void> {
    const bytes = await readFile(path)
    bytes[at]! ^= 0x01
    await writeFile(path, bytes)
  }

  test('a flipped bit anywhere in a compressed segment is found, and the file named', async () => {
    const log = await FileLog.open(optionsOf({ segmentBytes: 10_000 }))
    for (let round = 0; round < 3; round += 1) await write(log, 20, 500)
    await log.compressed()
    await log.close(1_000)
    const path = join(folder, 'connections', '00000000000000000000.jsonl.zst')
    const { length, [4]: frameHeader } = await readFile(path)
    expect(frameHeader! & 0x04, 'Content_Checksum_flag, RFC 8878 section 3.1.1.1.1').toBe(0x04)
    for (let at = 0; at < length; at += Math.ceil(length / 50)) {
      await flip(path, at)
      await using stopped = await StoppedLog.open(optionsOf())
      await expect(readAll(stopped, 'connections'), `byte ${at} of ${length}`).rejects.toMatchObject({
        code: 'log_damaged', message: expect.stringContaining(path) as string,
      })
      await flip(path, at)
    }
    const whole = await readFile(path)
    await writeFile(path, whole.subarray(0, length - 1))
    await using stopped = await StoppedLog.open(optionsOf())
    await expect(readAll(stopped, 'connections')).rejects.toMatchObject({ code: 'log_damaged' })
  })

  test('a flipped bit in the middle of a raw segment is found, with file, line and byte', async () => {
    const log = await FileLog.open(optionsOf())
    await write(log, 50, 500)
    await log.close(1_000)
    const path = join(folder, 'connections', '00000000000000000000.jsonl')
    const text = await readFile(path, 'latin1')
    const lineStart = text.indexOf('"r20"') - text.slice(0, text.indexOf('"r20"')).split('\n').at(-1)!.length
    const nextLine = text.indexOf('\n', lineStart) + 1
    await flip(path, lineStart + 40)
    const at = `${path}, line 22, byte ${nextLine}: its prevhash is not the hash of the record before it`
    await expect(FileLog.open(optionsOf())).rejects.toMatchObject({ code: 'log_damaged', message: expect.stringContaining(at) as string })
    // Nothing was changed: the same answer again, and a whole log once the bit is back.
    await expect(FileLog.open(optionsOf())).rejects.toMatchObject({ code: 'log_damaged' })
    await flip(path, lineStart + 40)
    await using log2 = await FileLog.open(optionsOf())
    expect(await labels(log2, 'connections')).toEqual(names(50))
  })
})
