import { expect, test } from 'vitest'
import { CommitPace } from '../../src/log/commit-pace.ts'
import { draft } from '../support/drafts.ts'
import { openMemoryLog } from '../support/file-logs.ts'
import { ManualClock, settled } from '../support/manual-clock.ts'
import { MemoryDisk } from '../support/memory-disk.ts'

const pace = { commitGapMs: 2, owedWaitMs: 10 }

async function pass(clock: ManualClock, ms: number): Promise<void> {
  clock.advance(ms)
  await settled()
}

async function turnOf(commits: CommitPace): Promise<{ done: boolean }> {
  const turn = { done: false }
  void commits.turn().then(() => (turn.done = true))
  await settled()
  return turn
}

test('an admission after a pause starts its commit at once; the next one waits for the gap', async () => {
  const clock = new ManualClock()
  const commits = new CommitPace(clock, pace)
  commits.admission()
  expect((await turnOf(commits)).done).toBe(true)
  commits.admission()
  const second = await turnOf(commits)
  await pass(clock, 1)
  expect(second.done).toBe(false)
  await pass(clock, 1)
  expect(second.done).toBe(true)
  await pass(clock, 50)
  commits.admission()
  expect((await turnOf(commits)).done).toBe(true)
})

test('what is owed waits for an admission, and not longer than it may', async () => {
  const clock = new ManualClock()
  const commits = new CommitPace(clock, pace)
  const alone = await turnOf(commits)
  await pass(clock, 9)
  expect(alone.done).toBe(false)
  await pass(clock, 1)
  expect(alone.done).toBe(true)

  await pass(clock, 5)
  const inCompany = await turnOf(commits)
  await pass(clock, 1)
  expect(inCompany.done).toBe(false)
  commits.admission()
  await settled()
  expect(inCompany.done).toBe(true)
})

test('a log that is closing waits for nobody', async () => {
  const clock = new ManualClock()
  const commits = new CommitPace(clock, pace)
  const waiting = await turnOf(commits)
  commits.hurry()
  await settled()
  expect(waiting.done).toBe(true)
  expect((await turnOf(commits)).done).toBe(true)
})

test('a file log keeps to it: owed records share the commit of a later admission, and close writes them at once', async () => {
  const disk = new MemoryDisk()
  const clock = new ManualClock()
  const log = await openMemoryLog(disk, { clock, pace })
  let owed = 0
  for (let count = 0; count < 3; count += 1) {
    void log.append('connections', [draft(String(count))], { purpose: 'owed' }).then(() => (owed += 1))
  }
  await settled()
  await pass(clock, 5)
  expect(owed).toBe(0)
  await log.append('connections', [draft('3')], { purpose: 'admission' })
  expect(owed).toBe(3)

  const last = log.append('connections', [draft('4')], { purpose: 'owed' })
  expect(await log.close(1_000)).toBe(true)
  expect(await last).toHaveLength(1)
})
