import type { Draft } from '../../events/envelope.ts'
import type { Disk } from '../../src/core/disk.ts'
import { idMaker } from '../../src/core/ids.ts'
import { systemClock } from '../../src/core/system/clock.ts'
import { systemDisk } from '../../src/core/system/disk.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { Live } from '../../src/live/live.ts'
import { FileLog } from '../../src/log/file/file-log.ts'
import { answer } from './answers.ts'
import { exampleRecords } from './example-records.ts'

/** Makes a log folder with the product's own log, and replays one in a fresh process. */

export interface Replayed {
  readonly records: number
  readonly open: number
  readonly bytesToClient: number
  readonly troubles: number
  /** Of the whole process, also of its other threads. */
  readonly cpuSeconds: number
  readonly maxRssKib: number
}

const recordsPerAppend = 4_000
const makeId = idMaker(systemClock, systemRandom)

/** Segments stay raw: what the compressor would write can't be made. It puts that off by itself. */
const diskWithoutCompression: Disk = {
  ...systemDisk,
  create: (path) =>
    path.includes('.zst')
      ? Promise.reject(Object.assign(new Error('no compression in this measure'), { code: 'ENOTSUP' }))
      : systemDisk.create(path),
}

function open(folder: string, raw: boolean): Promise<FileLog> {
  return FileLog.open({
    disk: raw ? diskWithoutCompression : systemDisk,
    clock: systemClock,
    folder,
    makeId,
    holder: { pid: process.pid, verb: 'bench' },
    cluster: 'bench',
    node: 'bench',
    hostname: 'bench',
  })
}

answer({
  /** Resolves with the bytes that all connections carried to their clients. */
  generate: async ({ folder, records }: { folder: string; records: number }) => {
    await using log = await open(folder, true)
    let bytesToClient = 0
    for (const batch of exampleRecords(records, recordsPerAppend, makeId)) {
      bytesToClient += batch.bytesToClient
      await log.append('connections', batch.drafts as [Draft, ...Draft[]], { purpose: 'admission' })
    }
    return bytesToClient
  },
  compress: async ({ folder }: { folder: string }) => {
    await using log = await open(folder, false)
    await log.compressed()
  },
  replay: async ({ folder, raw }: { folder: string; raw: boolean }): Promise<Replayed> => {
    const log = await open(folder, raw)
    let troubles = 0
    const live = new Live(log, () => (troubles += 1))
    await live.replay()
    const { user, system } = process.cpuUsage()
    const pools = [...live.traffic.pools.values()]
    return {
      records: live.count('connections'),
      open: live.openConnections.size,
      bytesToClient: pools.reduce((sum, pool) => sum + pool.bytesToClient, 0),
      troubles,
      cpuSeconds: (user + system) / 1e6,
      maxRssKib: process.resourceUsage().maxRSS,
    }
  },
})
