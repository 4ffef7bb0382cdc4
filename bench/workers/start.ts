import type { Draft } from '../../events/envelope.ts'
import { idMaker } from '../../src/core/ids.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { systemClock } from '../../src/core/system/clock.ts'
import { systemDisk } from '../../src/core/system/disk.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { Live } from '../../src/live/live.ts'
import { HistoryFolder, type Moment } from '../../src/live/snapshots/history.ts'
import { SnapshotKeeper, snapshotsFolder } from '../../src/live/snapshots/keeper.ts'
import { configurationAt } from '../../src/live/time-travel.ts'
import { FileLog } from '../../src/log/file/file-log.ts'
import { StoppedLog } from '../../src/log/file/stopped-log.ts'
import { answer } from './answers.ts'
import { exampleChanges } from './example-changes.ts'
import { exampleRecords } from './example-records.ts'

/** Makes a log folder with the product's own log, starts on it with and without snapshots, and looks back in it. */

export interface Started {
  readonly connectionRecords: number
  readonly open: number
  readonly bytesToClient: number
  readonly revision: number
  readonly spared: number
  readonly troubles: number
  readonly cpuSeconds: number
  readonly maxRssKib: number
}

export interface LookedBack {
  readonly revision: number
  readonly pools: number
  /** From opening the stopped folder to the answer, and of that the folding. */
  readonly ms: number
  readonly foldMs: number
}

const recordsPerAppend = 4_000
const makeId = idMaker(systemClock, systemRandom)
const holder = { pid: process.pid, verb: 'bench' }

function open(folder: string): Promise<FileLog> {
  return FileLog.open({
    disk: systemDisk, clock: systemClock, folder, makeId, holder, cluster: 'bench', node: 'bench', hostname: 'bench',
  })
}

answer({
  /** Resolves with the bytes that all connections carried to their clients, when all closed segments are compressed. */
  generate: async ({ changes, folder, pools, records }: { changes: number; folder: string; pools: number; records: number }) => {
    await using log = await open(folder)
    for (const drafts of exampleChanges(changes, pools, log.writer, makeId)) await log.append('control', drafts, { purpose: 'admission' })
    let bytesToClient = 0
    for (const batch of exampleRecords(records, recordsPerAppend, makeId)) {
      bytesToClient += batch.bytesToClient
      await log.append('connections', batch.drafts as [Draft, ...Draft[]], { purpose: 'admission' })
    }
    await log.compressed()
    return bytesToClient
  },
  /** What a node does before it can route; then it ends in order, as a node does. */
  start: async ({ folder, snapshots }: { folder: string; snapshots: boolean }): Promise<Started> => {
    const log = await open(folder)
    let troubles = 0
    const keeper = new SnapshotKeeper({
      clock: systemClock, disk: systemDisk, folder: snapshotsFolder(folder), freeBytesMin: 0, log, logger: silentLogger,
    })
    const live = new Live(log, () => (troubles += 1), snapshots ? { snapshots: keeper } : {})
    const { spared } = await live.replay()
    const { user, system } = process.cpuUsage()
    const totals = [...live.traffic.pools.values()]
    return {
      connectionRecords: live.count('connections'),
      open: live.openConnections.size,
      bytesToClient: totals.reduce((sum, pool) => sum + pool.bytesToClient, 0),
      revision: live.routing.revision,
      spared,
      troubles,
      cpuSeconds: (user + system) / 1e6,
      maxRssKib: process.resourceUsage().maxRSS,
    }
  },
  /** Folds the log as a start does and leaves the snapshots that a run and its orderly end leave. */
  keep: async ({ folder }: { folder: string }) => {
    await using log = await open(folder)
    const keeper = new SnapshotKeeper({
      clock: systemClock, disk: systemDisk, folder: snapshotsFolder(folder), freeBytesMin: 0, log, logger: silentLogger,
    })
    const live = new Live(log, () => {}, { snapshots: keeper })
    await live.replay()
    await live.keepSnapshot()
    await live.stop()
  },
  lookBack: async ({ folder, history, moment }: { folder: string; history: boolean; moment: Moment }): Promise<LookedBack> => {
    const startedAt = performance.now()
    await using log = await StoppedLog.open({ clock: systemClock, disk: systemDisk, folder, holder })
    const openedAt = performance.now()
    const kept = history ? new HistoryFolder(systemDisk, snapshotsFolder(folder)) : undefined
    const found = await configurationAt(log, moment, kept)
    const now = performance.now()
    if ('unknown' in found) throw new Error(`there is no revision ${found.unknown}; the newest is ${found.newest}`)
    return { revision: found.revision, pools: found.routing.pools.size, ms: now - startedAt, foldMs: now - openedAt }
  },
})
