import { describe } from 'vitest'
import { eventLogContract } from '../contracts/event-log.ts'
import { breakable } from '../support/breakable-disk.ts'
import { openMemoryLog } from '../support/file-logs.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { MemoryDisk } from '../support/memory-disk.ts'

describe('file log', () => {
  eventLogContract(async () => {
    const clock = new ManualClock()
    const disk = new MemoryDisk()
    const log = await openMemoryLog(disk, { clock })
    return { clock, log, ...breakable(disk) }
  })
})
