import { randomUUID } from 'node:crypto'
import { describe } from 'vitest'
import { MemoryLog } from '../../src/log/memory.ts'
import { eventLogContract } from '../contracts/event-log.ts'
import { ManualClock } from '../support/manual-clock.ts'

describe('memory log', () => {
  eventLogContract(async () => {
    const clock = new ManualClock()
    const log = new MemoryLog({ clock, makeId: randomUUID })
    return {
      log,
      clock,
      breakWrites: (stream) => log.breakCommits(stream, 'not_written'),
      breakConfirmations: (stream) => log.breakCommits(stream, 'unknown'),
      stall: (stream) => log.stallCommits(stream),
      commits: (stream) => log.commits(stream),
    }
  })
})
