import { describe } from 'vitest'
import type { Stream } from '../../events/define.ts'
import { eventLogContract } from '../contracts/event-log.ts'
import { openMemoryLog } from '../support/file-logs.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { MemoryDisk, type DiskCall } from '../support/memory-disk.ts'

describe('file log', () => {
  eventLogContract(async () => {
    const clock = new ManualClock()
    const disk = new MemoryDisk()
    const log = await openMemoryLog(disk, { clock })
    const broken = new Set<string>()
    const syncs: Record<Stream, number> = { control: 0, connections: 0, operations: 0 }
    const streamOf = ({ path }: DiskCall): Stream => path.split('/')[2] as Stream
    disk.plan = (call) => {
      if (call.kind === 'sync') syncs[streamOf(call)] += 1
      return broken.has(`${call.kind} ${streamOf(call)}`) ? { code: 'EIO' } : null
    }
    const fail = (what: string): Disposable => {
      broken.add(what)
      return { [Symbol.dispose]: () => void broken.delete(what) }
    }
    return {
      log,
      clock,
      breakWrites: (stream) => fail(`write ${stream}`),
      breakConfirmations: (stream) => fail(`sync ${stream}`),
      stall: () => {
        const { promise, resolve } = Promise.withResolvers<void>()
        disk.gate = promise
        return { [Symbol.dispose]: () => ((disk.gate = null), resolve()) }
      },
      commits: (stream) => syncs[stream],
    }
  })
})
