import { expect, test } from 'vitest'
import { idMaker } from '../../src/core/ids.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { Drafts } from '../../src/log/drafts.ts'
import { MemoryLog } from '../../src/log/memory.ts'
import { Notes } from '../../src/log/notes.ts'
import { BackendState } from '../../src/proxy/backends.ts'
import { HealthBook } from '../../src/proxy/health-book.ts'
import { ManualClock } from '../support/manual-clock.ts'

/** What results do to a backend beyond its state, which health-state has. */

function stand() {
  const clock = new ManualClock()
  const makeId = idMaker(clock, systemRandom)
  const log = new MemoryLog({ clock, makeId, node: 'test' })
  const book = new HealthBook(clock, new Notes(log), new Drafts(clock, makeId, 'test'))
  const id = '10.0.0.1:443'
  const backend = new BackendState('app', { addedAt: '', declaration: null, drainingSince: null, host: '10.0.0.1', id, port: 443, weight: 1 })
  return { backend, book, clock, log }
}

test('a result is dated when it said something: a dial says nothing of a backend that only checks can bring up', async () => {
  const { backend, book, clock, log } = stand()
  await using _log = log
  book.dialSucceeded(backend)
  expect(backend).toMatchObject({ checkedAtMs: null, health: { state: 'new' } })
  book.report(backend, true, 'check_succeeded', null)
  const checkedAtMs = clock.now()
  expect(backend).toMatchObject({ checkedAtMs, health: { state: 'up' } })
  clock.advance(1_000)
  book.dialSucceeded(backend)
  expect(backend.checkedAtMs).toBe(checkedAtMs + 1_000)
  clock.advance(1_000)
  book.report(backend, false, 'dial_failed', 'ECONNREFUSED')
  expect(backend).toMatchObject({ checkedAtMs: checkedAtMs + 2_000, health: { state: 'up', against: 1 }, lastCode: 'ECONNREFUSED' })
})

test('a dial that succeeds breaks a row of failures', async () => {
  const { backend, book, log } = stand()
  await using _log = log
  book.report(backend, true, 'check_succeeded', null)
  for (let round = 0; round < 3; round += 1) {
    book.report(backend, false, 'dial_failed', 'ECONNREFUSED')
    book.report(backend, false, 'dial_failed', 'ECONNREFUSED')
    book.dialSucceeded(backend)
  }
  expect(backend.health).toEqual({ state: 'up', against: 0 })
})
