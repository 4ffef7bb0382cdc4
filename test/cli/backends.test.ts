import { describe, expect, test } from 'vitest'
import { HealthDrainCompleted } from '../../events/health.ts'
import { NodeStarted } from '../../events/node.ts'
import { backendsCommand } from '../../src/cli/backends.ts'
import { sleep } from '../../src/core/clock.ts'
import { systemClock } from '../../src/core/system/clock.ts'
import { Drafts } from '../../src/log/drafts.ts'
import type { Harness } from '../api/harness.ts'
import { folder, makeId, objects, run, Screen, serving, type Ran } from './harness.ts'

const id = '10.0.4.11:8443'

function backends(...argv: string[]): Promise<Ran> {
  return run(backendsCommand, argv)
}

async function withPool(api: Harness): Promise<void> {
  await api.post('/api/pools', { name: 'a', backends: [{ url: `https://${id}`, weight: 2 }] })
}

describe('backends', () => {
  test('list, show, add, change, drain, resume, remove: one record for each change', async () => {
    await using data = folder()
    await using api = await serving(data)
    await withPool(api)
    const said = async (...argv: string[]): Promise<string> => {
      const { error, out } = await backends(...argv, '--data', data.path)
      expect(error).toBeNull()
      return out
    }
    expect(await said('add', 'a', 'https://10.0.4.12:8443', '--weight', '3')).toBe('Backend 10.0.4.12:8443 is in pool a.\n')
    expect(await said('change', 'a', id, '--weight', '5')).toBe(`Backend ${id} of pool a has weight 5.\n`)
    expect(await said('drain', 'a', id, '--ticket', 'CHG-1')).toBe(`Backend ${id} of pool a takes no new connections; 0 open ones go on.\n`)
    expect(await said('list', 'a')).toMatch(/^10\.0\.4\.11:8443 +5 +draining/m)
    expect(await said('show', 'a', id)).toMatch(/^state +draining$/m)
    expect(await said('resume', 'a', id)).toBe(`Backend ${id} of pool a takes new connections.\n`)
    expect(await said('remove', 'a', id, '--force')).toBe(`Backend ${id} is removed from pool a.\n`)
    expect(objects(await said('list', 'a', '--json'))).toMatchObject([{ id: '10.0.4.12:8443', weight: 3 }])
    expect(objects(await said('remove', 'a', '10.0.4.12:8443', '--json'))).toEqual([{ removed: 'backends/a/10.0.4.12:8443' }])
    const types = (await api.records('control')).map(({ type }) => type.split('.').slice(2, 4).join('.'))
    expect(types).toEqual([
      'pool.created', 'backend.added', 'backend.changed', 'backend.drained', 'backend.resumed', 'backend.removed', 'backend.removed',
    ])
  })

  test('a weight that is no number, and one that is missing, are wrong calls', async () => {
    await using data = folder()
    for (const argv of [['change', 'a', id, '--weight', 'heavy'], ['change', 'a', id]]) {
      expect((await backends(...argv, '--data', data.path)).error).toMatchObject({ name: 'CommanderError' })
    }
  })
})

describe('drain --wait', () => {
  test('ends when the node says on record that the last connection is over', async () => {
    await using data = folder()
    await using api = await serving(data)
    await withPool(api)
    api.open.set(`a ${id}`, { connections: 2, bytesToBackend: 0, bytesToClient: 0 })
    const stderr = new Screen()
    const waiting = run(backendsCommand, ['drain', 'a', id, '--wait', '--data', data.path], { stderr })
    await until(() => stderr.text.includes('2 open'))
    api.open.delete(`a ${id}`)
    // Nothing open is not enough: a client may be on its way.
    await until(() => stderr.text.includes('0 open'))
    await recordCompleted(api)
    expect((await waiting).error).toBeNull()
    expect(stderr.text).toBe(`2 open on ${id} ...\n0 open on ${id} ...\nNo connection is open on ${id} any more.\n`)
  })

  test('ends as well when the node was started since: then nobody is connected, and no drain will be completed', async () => {
    await using data = folder()
    await using api = await serving(data)
    await withPool(api)
    expect((await backends('drain', 'a', id, '--data', data.path)).error).toBeNull()
    await sleep(systemClock, 5)
    const drafts = new Drafts(systemClock, makeId, 'memory')
    await api.log.append('operations', [drafts.make(NodeStarted, 'nodes/memory', NodeStarted.examples[0])], { purpose: 'owed' })
    expect((await backends('drain', 'a', id, '--wait', '--data', data.path)).error).toBeNull()
  })

  test('gives up after --timeout, which is a failure', async () => {
    await using data = folder()
    await using api = await serving(data)
    await withPool(api)
    api.open.set(`a ${id}`, { connections: 1, bytesToBackend: 0, bytesToClient: 0 })
    const { error } = await backends('drain', 'a', id, '--wait', '--timeout', '50ms', '--data', data.path)
    expect(error).toMatchObject({ code: 'drain_not_completed', message: expect.stringContaining(`1 connection is still open on ${id} after 50ms`) })
  })

  test.each([
    ['resumed', (api: Harness) => api.post(`/api/pools/a/backends/${encodeURIComponent(id)}/resume`, {})],
    ['removed', (api: Harness) => api.call('DELETE', `/api/pools/a/backends/${encodeURIComponent(id)}`)],
  ] as const)('says when it was %s meanwhile', async (what, meanwhile) => {
    await using data = folder()
    await using api = await serving(data)
    await withPool(api)
    api.open.set(`a ${id}`, { connections: 1, bytesToBackend: 0, bytesToClient: 0 })
    const stderr = new Screen()
    const waiting = run(backendsCommand, ['drain', 'a', id, '--wait', '--data', data.path], { stderr })
    await until(() => stderr.text.includes('1 open'))
    await meanwhile(api)
    expect((await waiting).error).toMatchObject({ code: 'drain_called_off', message: expect.stringContaining(`was ${what}`) })
  })
})

async function recordCompleted(api: Harness): Promise<void> {
  const backend = api.live.routing.pools.get('a')!.backends.get(id)!
  const drafts = new Drafts(systemClock, makeId, 'memory')
  const completed = drafts.make(HealthDrainCompleted, `backends/a/${id}`, {
    backend: id, because: 'finished', connections_at_start: 2, connections_ended: 0, pool: 'a', revision: 2, since: backend.drainingSince!,
  })
  await api.log.append('operations', [completed], { purpose: 'owed' })
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(systemClock, 10)
}
