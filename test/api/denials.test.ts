import { expect, test } from 'vitest'
import { Denials, type DeniedCall } from '../../src/api/denials.ts'
import { OperationsNotes } from '../../src/api/operations-notes.ts'
import { idMaker } from '../../src/core/ids.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import type { Draft } from '../../events/envelope.ts'
import { ManualClock } from '../support/manual-clock.ts'

type Origin = DeniedCall['origin']

function denials() {
  const clock = new ManualClock()
  const drafts: Draft[] = []
  const log = {
    append: async (_stream: string, more: readonly Draft[]) => {
      drafts.push(...more)
      return []
    },
  }
  const notes = new OperationsNotes({ log, clock, makeId: idMaker(clock, systemRandom), logger: silentLogger, node: 'n', appendTimeoutMs: 1 })
  return { clock, drafts, denials: new Denials(notes), written: () => drafts.map(({ data }) => data as DeniedCall & { count: number }) }
}

function call(origin: Partial<Origin> = {}, more: Partial<DeniedCall> = {}): DeniedCall {
  return {
    actor: { authn: 'none', id: 'loopback', type: 'local' }, because: 'host_not_ours', method: 'GET',
    origin: { ip: '127.0.0.1', port: 1, via: 'api', ...origin }, path: '/', status: 421, ...more,
  }
}

test('one call keeps its port, a record of several names none', async () => {
  const { denials: it, written } = denials()
  it.count(call({ port: 7 }))
  await it.flush()
  it.count(call({ port: 8 }))
  it.count(call({ port: 9 }))
  await it.flush()
  expect(written().map(({ count, origin }) => [count, origin.port])).toEqual([[1, 7], [2, null]])
})

test('from more addresses than are told apart: counted without one, exactly', async () => {
  const { denials: it, written } = denials()
  for (let index = 0; index < 3_000; index += 1) it.count(call({ ip: `127.0.${index >> 8}.${index & 255}` }))
  await it.flush()
  expect(written()).toHaveLength(1_001)
  expect(written().reduce((sum, { count }) => sum + count, 0)).toBe(3_000)
  expect(written().filter(({ origin }) => origin.ip === null).map(({ count }) => count)).toEqual([2_000])
})

test('a path is cut, and nothing is written when nothing was denied', async () => {
  const { clock, denials: it, drafts, written } = denials()
  await clock.run(10_000)
  expect(drafts).toEqual([])
  it.count(call({}, { path: `/${'x'.repeat(2_000)}` }))
  await clock.run(1_000)
  expect(written()[0]?.path).toHaveLength(512)
  await it[Symbol.asyncDispose]()
  expect(clock.pending).toBe(0)
})
