import { describe, expect, test } from 'vitest'
import { PoolChanged, PoolCreated } from '../../events/pool.ts'
import { backendsCommand } from '../../src/cli/backends.ts'
import { diffCommand } from '../../src/cli/diff.ts'
import { listenersCommand } from '../../src/cli/listeners.ts'
import { poolsCommand } from '../../src/cli/pools.ts'
import { stateCommand } from '../../src/cli/state.ts'
import type { EventLog } from '../../src/log/event-log.ts'
import { draftOf } from '../support/records.ts'
import { fileLog, folder, objects, run, serving, type Folder } from './harness.ts'

/** Two changes: pool `a` at 08:00, its owner at 09:00. */
async function change(log: Pick<EventLog, 'append'>): Promise<void> {
  const backends = [{ declaration: null, host: '10.0.4.11', id: '10.0.4.11:8443', port: 8443, weight: 1 }]
  const pool = { ...PoolCreated.examples[0], name: 'a', owner: null, backends }
  const [first] = await log.append('control', [draftOf(PoolCreated, pool, { revision: 1, time: '2026-11-24T08:00:00.000Z' })], { purpose: 'owed' })
  const changed = { ...PoolChanged.examples[0], name: 'a', set: { owner: 'ops' } }
  const second = draftOf(PoolChanged, changed, { basis: first!.leafHash, revision: 2, time: '2026-11-24T09:00:00.000Z' })
  await log.append('control', [second], { purpose: 'owed' })
}

async function written(data: Folder): Promise<void> {
  const log = await fileLog(data)
  await change(log)
  await log.close(5_000)
}

describe.each(['a server', 'files'] as const)('from %s', (from) => {
  async function source(data: Folder): Promise<AsyncDisposable> {
    if (from === 'files') {
      await written(data)
      return { [Symbol.asyncDispose]: async () => {} }
    }
    const api = await serving(data)
    await change(api.log)
    while (api.live.routing.revision < 2) await new Promise((resolve) => setImmediate(resolve))
    return api
  }

  test('state shows the configuration now, at a moment, and by revision', async () => {
    await using data = folder()
    await using _source = await source(data)
    const stateOf = async (...argv: string[]): Promise<Record<string, unknown>> => {
      const { error, out } = await run(stateCommand, ['--json', ...argv, '--data', data.path])
      expect(error).toBeNull()
      return objects(out)[0]!
    }
    expect(await stateOf()).toMatchObject({ configuration: { pools: [{ name: 'a', owner: 'ops' }] }, moment: { revision: 2 } })
    expect(await stateOf('--at', '2026-11-24T09:59:00+01:00')).toMatchObject({
      configuration: { pools: [{ name: 'a', owner: null }] }, moment: { revision: 1, time: '2026-11-24T08:00:00.000Z' },
    })
    expect((await stateOf('--revision', '1'))['configuration']).toEqual((await stateOf('--at', '2026-11-24T08:00:00Z'))['configuration'])
    expect(await stateOf('--revision', '0')).toMatchObject({ configuration: { pools: [] }, moment: { revision: 0, time: null } })
    const shown = await run(stateCommand, ['--data', data.path])
    expect(shown.out).toMatch(/^Revision 2, in force since 2026-11-24T09:00:00\.000Z\.\n\npool +a\n/)
    expect(shown.out).toMatch(/^10\.0\.4\.11:8443 +1 +active$/m)
    expect((await run(stateCommand, ['--revision', '7', '--data', data.path])).error).toMatchObject({ message: expect.stringContaining('no revision 7') })
  })

  test('diff shows what is different between two moments', async () => {
    await using data = folder()
    await using _source = await source(data)
    const compared = await run(diffCommand, ['--from', '1', '--to', '2', '--data', data.path])
    expect(compared.out).toBe(
      'From revision 1 (2026-11-24T08:00:00.000Z) to revision 2 (2026-11-24T09:00:00.000Z):\n~ pools/a  owner: nothing -> ops\n',
    )
    expect(objects((await run(diffCommand, ['--from', '0', '--json', '--data', data.path])).out)).toMatchObject([
      { kind: 'added', subject: 'pools/a' }, { kind: 'added', subject: 'backends/a/10.0.4.11:8443' }, { field: 'default_route', subject: 'routes' },
      { field: 'no_sni', subject: 'listeners/shared' }, { field: 'unknown_sni', subject: 'listeners/shared' },
    ])
    expect((await run(diffCommand, ['--from', '2', '--data', data.path])).out).toContain('Nothing is different.')
  })

  test('moments that are none, or two at once, are wrong calls', async () => {
    await using data = folder()
    await using _source = await source(data)
    for (const argv of [['--at', 'noon'], ['--revision', 'one'], ['--at', 'now', '--revision', '1']]) {
      expect((await run(stateCommand, [...argv, '--data', data.path])).error).toMatchObject({ source: 'settings' })
    }
    expect((await run(diffCommand, ['--from', 'noon', '--data', data.path])).error).toMatchObject({ code: 'moment_invalid' })
    expect((await run(diffCommand, ['--data', data.path])).error).toMatchObject({ name: 'CommanderError' })
  })
})

describe('pools, backends and listeners from files', () => {
  test('are shown without statistics and health, and that is said', async () => {
    await using data = folder()
    await written(data)
    const listed = await run(poolsCommand, ['list', '--data', data.path])
    expect(listed.out).toMatch(/^a +least_connections +\(default route\) +1 +- +- +- +ops +2$/m)
    expect(listed.said).toContain('without statistics and health')
    expect(objects((await run(poolsCommand, ['show', 'a', '--json', '--data', data.path])).out)).toMatchObject([{ backends: [{ weight: 1 }], owner: 'ops' }])
    expect((await run(backendsCommand, ['list', 'a', '--data', data.path])).out).toMatch(/^10\.0\.4\.11:8443 +1 +active +- +- +- +- +- +-$/m)
    expect((await run(backendsCommand, ['show', 'a', '10.0.4.11:8443', '--data', data.path])).error).toBeNull()
    expect((await run(listenersCommand, ['list', '--data', data.path])).out).toMatch(/^shared +- +- +no_sni: a, unknown_sni: a +0$/m)
    expect((await run(listenersCommand, ['show', 'shared', '--data', data.path])).out).toMatch(/^no_sni +pool a \(default\)$/m)
    expect((await run(listenersCommand, ['show', 'pools/a', '--data', data.path])).error).toMatchObject({ code: 'listener_unknown', source: 'settings' })
    expect((await run(poolsCommand, ['show', 'b', '--data', data.path])).error).toMatchObject({ code: 'pool_unknown' })
    expect((await run(backendsCommand, ['show', 'a', 'b:1', '--data', data.path])).error).toMatchObject({ code: 'backend_unknown' })
  })
})
