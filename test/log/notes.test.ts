import { expect, test } from 'vitest'
import { idMaker } from '../../src/core/ids.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { MemoryLog } from '../../src/log/memory.ts'
import { Notes } from '../../src/log/notes.ts'
import { draft, labels } from '../support/drafts.ts'
import { ManualClock, settled } from '../support/manual-clock.ts'

class Stand {
  readonly clock = new ManualClock()
  readonly log = new MemoryLog({ clock: this.clock, makeId: idMaker(this.clock, systemRandom), node: 'test' })
  readonly notes = new Notes(this.log)

  write(key: string, label: string): void {
    this.notes.write('operations', key, draft(label))
  }
  written(): Promise<string[]> {
    return labels(this.log, 'operations')
  }
}

test('while the log is down the newest of each key waits, in order, and is written when it is back', async () => {
  const stand = new Stand()
  const broken = stand.log.breakCommits('operations', 'not_written')
  stand.write('a', 'a1')
  stand.write('b', 'b1')
  await settled()
  expect(stand.log.availability('operations').available).toBe(false)
  stand.write('c', 'c1')
  stand.write('a', 'a2')
  stand.notes.forget('b')
  broken[Symbol.dispose]()
  await stand.clock.run(2_000)
  expect(await stand.written()).toEqual(['c1', 'a2'])
})

test('what is forgotten while it is on its way does not come back', async () => {
  const stand = new Stand()
  const stall = stand.log.stallCommits('operations')
  const broken = stand.log.breakCommits('operations', 'not_written')
  stand.write('progress 1', 'late')
  stand.write('kept', 'kept')
  await settled()
  stand.notes.forget('progress 1')
  stall[Symbol.dispose]()
  await settled()
  broken[Symbol.dispose]()
  await stand.clock.run(2_000)
  expect(await stand.written()).toEqual(['kept'])
})

test('keys are bounded; what no longer fits is counted', async () => {
  const stand = new Stand()
  const broken = stand.log.breakCommits('operations', 'not_written')
  stand.write('first', 'first')
  await settled()
  for (let index = 0; index < 4_200; index += 1) stand.write(`key ${index}`, `${index}`)
  expect(stand.notes.takeDropped()).toBe(105)
  expect(stand.notes.takeDropped()).toBe(0)
  broken[Symbol.dispose]()
  await stand.clock.run(2_000)
  expect((await stand.written()).length).toBe(4_096)
})
