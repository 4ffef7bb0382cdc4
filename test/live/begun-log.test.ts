import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { HealthChanged } from '../../events/health.ts'
import { Live, type LiveTrouble } from '../../src/live/live.ts'
import { Drafts } from '../../src/log/drafts.ts'
import type { EventLog, ReadOptions, StoredRecord } from '../../src/log/event-log.ts'
import { readAll } from '../support/drafts.ts'
import { openMemoryLog } from '../support/file-logs.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { MemoryDisk } from '../support/memory-disk.ts'

/** A log whose oldest records are not kept any more, as those who fold it see it. */

async function written(): Promise<{ readonly all: readonly StoredRecord[]; readonly log: Awaited<ReturnType<typeof openMemoryLog>> }> {
  const log = await openMemoryLog(new MemoryDisk(), { segmentBytes: 1_000, recentBytes: 1 })
  const drafts = new Drafts(new ManualClock(), randomUUID, 'n1')
  for (let index = 0; index < 10; index += 1) {
    await log.append('operations', [drafts.make(HealthChanged, 'backends/app/127.0.0.1:1', HealthChanged.examples[0])], { purpose: 'owed' })
  }
  return { all: await readAll(log, 'operations'), log }
}

async function replayed(log: EventLog): Promise<{ readonly count: number; readonly troubles: readonly LiveTrouble[] }> {
  const troubles: LiveTrouble[] = []
  const live = new Live(log, (trouble) => void troubles.push(trouble))
  await live.replay()
  return { count: live.count('operations'), troubles }
}

test('is folded from its beginning on, and nobody cries that something is missing', async () => {
  const { all, log } = await written()
  const sequence = log.boundaries('operations')[1]!
  await log.cut('operations', { prevhash: all[sequence - 1]!.leafHash, sequence })
  expect(await replayed(log)).toEqual({ count: all.length - sequence, troubles: [] })
})

test('does not hide what is missing behind what was folded', async () => {
  const { all, log } = await written()
  // What a reader gets that was in the middle when more was cut than it had read, and Kafka has lost that.
  const torn = async function* (): AsyncGenerator<readonly StoredRecord[]> {
    yield all.slice(0, 2)
    yield [{ ...all[5]!, begins: true }, ...all.slice(6)]
  }
  const reading = new Proxy(log, {
    get: (target, key) => {
      if (key === 'read') return (stream: 'operations', options: ReadOptions) => (stream === 'operations' ? torn() : target.read(stream, options))
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  const { count, troubles } = await replayed(reading)
  expect(count).toBe(7)
  expect(troubles).toMatchObject([{ kind: 'gap', stream: 'operations' }])
})
