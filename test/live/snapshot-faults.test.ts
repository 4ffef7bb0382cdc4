import { describe, expect, test } from 'vitest'
import { ConnectionOpened } from '../../events/connection.ts'
import { PoolChanged, PoolCreated } from '../../events/pool.ts'
import { openMemoryLog } from '../support/file-logs.ts'
import { ManualClock, settled } from '../support/manual-clock.ts'
import { MemoryDisk, type DiskCall, type DiskFault } from '../support/memory-disk.ts'
import { draftOf } from '../support/records.ts'
import { everythingOf, foldedFrom, lifeOn, snapshotFolder } from '../support/snapshots.ts'

/** Snapshots on a disk that fails and a machine that dies: the log does not notice, and a start comes to the same state. */

const recordsPerLife = 4

/** One life of a node, in which snapshots and configurations are written, until its orderly end. */
async function live(disk: MemoryDisk, clock: ManualClock): Promise<{ warnings: readonly string[]; state: unknown; available: boolean }> {
  const log = await openMemoryLog(disk, { clock, reserveBytes: 0, reserveMarginBytes: 0 })
  const life = lifeOn(disk, log, { clock, everyRecords: 3, historyEveryRecords: 1, log })
  await life.live.replay()
  life.live.follow()
  for (let index = 0; index < recordsPerLife / 2; index += 1) {
    const { basis, pools, revision } = life.live.routing
    const place = { basis, revision: revision + 1 }
    const change = pools.size === 0
      ? draftOf(PoolCreated, { ...PoolCreated.examples[0], name: 'app' }, place)
      : draftOf(PoolChanged, { ...PoolChanged.examples[0], name: 'app', set: { owner: `owner ${revision}` } }, place)
    await log.append('control', [change], { purpose: 'admission' })
    const { id } = change
    await log.append('connections', [draftOf(ConnectionOpened, { ...ConnectionOpened.examples[0], connection_id: id })], { purpose: 'admission' })
    await settled()
  }
  await life.live.keepSnapshot()
  const available = log.availability().available
  const state = everythingOf(life.live)
  expect(state).toEqual(await foldedFrom(log))
  await life.live.stop()
  await log.close(1_000)
  return { available, state, warnings: life.warnings }
}

function inSnapshots({ path }: DiskCall): boolean {
  return path.startsWith(snapshotFolder)
}

/** The calls that the snapshots of two lives make. */
async function callsOfTwoLives(): Promise<DiskCall['kind'][]> {
  const disk = new MemoryDisk()
  const kinds: DiskCall['kind'][] = []
  disk.plan = (call) => {
    if (inSnapshots(call)) kinds.push(call.kind)
    return null
  }
  const clock = new ManualClock()
  for (let lives = 0; lives < 2; lives += 1) expect((await live(disk, clock)).warnings).toEqual([])
  return kinds
}

function faultsOf(kind: DiskCall['kind']): readonly DiskFault[] {
  if (kind === 'write') return [{ code: 'EIO' }, { code: 'ENOSPC', taken: 9 }, { taken: 7 }]
  return [{ code: 'EIO' }]
}

/** The fault befalls the call of this number among those of snapshots. */
function failing(number: number, fault: DiskFault): (call: DiskCall) => DiskFault | null {
  let calls = 0
  return (call) => (inSnapshots(call) && (calls += 1) === number ? fault : null)
}

describe('each disk call for snapshots fails once', () => {
  test('and neither the log nor a start is any different', async () => {
    const kinds = await callsOfTwoLives()
    expect(new Set(kinds)).toEqual(new Set([
      'close', 'create', 'list', 'makeFolder', 'openToRead', 'read', 'remove', 'rename', 'size', 'space', 'sync', 'syncFolder', 'write',
    ]))
    for (const [index, kind] of kinds.entries()) {
      for (const fault of faultsOf(kind)) {
        const disk = new MemoryDisk()
        const clock = new ManualClock()
        disk.plan = failing(index + 1, fault)
        for (const lives of [1, 2]) {
          const { available, state } = await live(disk, clock)
          expect(available, `${kind} ${index + 1}`).toBe(true)
          expect(state).toMatchObject({ counts: [lives * recordsPerLife / 2, lives * recordsPerLife / 2, 0] })
          clock.advance(60_000)
        }
        expect(disk.names(snapshotFolder).filter((name) => name.endsWith('.tmp')), `${kind} ${index + 1}`).toEqual([])
      }
    }
  })
})

describe('the machine dies at each disk call for snapshots', () => {
  /** With the page cache left; with nothing left that was not synced; with names left and only some of their content. */
  const endings = ['process_only', () => 0, () => 0.6] as const

  test('and the next start comes to the same state', async () => {
    const calls = (await callsOfTwoLives()).length
    for (let number = 1; number <= calls; number += 1) {
      const disk = new MemoryDisk()
      const clock = new ManualClock()
      const dies = failing(number, {})
      disk.plan = (call) => {
        if (dies(call) !== null) disk.crash(endings[number % endings.length]!)
        return null
      }
      const lives = (async () => [await live(disk, clock), await live(disk, clock)])()
      await Promise.race([lives, dead(disk)])
      expect((await live(disk, clock)).available).toBe(true)
    }
  })
})

/** Resolves when the plan is gone, which a crash does: nobody hears the end of a dead process. */
async function dead(disk: MemoryDisk): Promise<void> {
  const { plan } = disk
  while (disk.plan === plan) await settled()
}
