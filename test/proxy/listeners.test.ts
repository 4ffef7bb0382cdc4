import { expect, test } from 'vitest'
import { routing } from '../../projections/routing.ts'
import { idMaker } from '../../src/core/ids.ts'
import type { Endpoint } from '../../src/core/network.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { Drafts } from '../../src/log/drafts.ts'
import { MemoryLog } from '../../src/log/memory.ts'
import { Notes } from '../../src/log/notes.ts'
import type { Engine } from '../../src/proxy/engine.ts'
import { Listeners } from '../../src/proxy/listeners.ts'
import { readAll, textOf } from '../support/drafts.ts'
import { ManualClock, settled } from '../support/manual-clock.ts'

test('a bind that goes on failing is on record once for each reason, and bound in the end', async () => {
  const clock = new ManualClock()
  const makeId = idMaker(clock, systemRandom)
  const log = new MemoryLog({ clock, makeId, node: 'test' })
  let code: string | null = 'EADDRINUSE'
  let tries = 0
  const engine: Partial<Engine> = {
    listen: (endpoint: Endpoint) => {
      tries += 1
      if (code !== null) return Promise.reject(Object.assign(new Error('no'), { code }))
      return Promise.resolve({ endpoint, [Symbol.asyncDispose]: () => Promise.resolve() })
    },
  }
  const entrance = { gate: () => true, serve: () => {} }
  const listeners = new Listeners(
    engine as Engine, clock, new Notes(log), new Drafts(clock, makeId, 'test'), { ip: '::', port: 8443 }, () => entrance,
  )
  await listeners.update(routing.initial())
  await clock.run(20_000)
  expect(tries).toBe(5)
  expect(listeners.view()).toEqual([{ listener: 'shared', pool: null, address: '[::]:8443', state: 'failed', code: 'EADDRINUSE' }])
  code = 'EACCES'
  await clock.run(10_000)
  code = null
  await clock.run(10_000)
  await listeners.stop()
  await settled()
  const types = (await readAll(log, 'operations')).map((record) => {
    const { type, data } = JSON.parse(textOf(record)) as { type: string; data: { code?: string } }
    return [type.split('.')[3], data.code]
  })
  expect(types).toEqual([['failed', 'EADDRINUSE'], ['failed', 'EACCES'], ['bound', undefined], ['closed', undefined]])
  await clock.run(20_000)
  expect(tries).toBe(8)
})
