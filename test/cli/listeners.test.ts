import { describe, expect, test } from 'vitest'
import { listenersCommand } from '../../src/cli/listeners.ts'
import { stateCommand } from '../../src/cli/state.ts'
import type { Harness } from '../api/harness.ts'
import { folder, objects, run, serving, type Ran } from './harness.ts'

function listeners(...argv: string[]): Promise<Ran> {
  return run(listenersCommand, argv)
}

/** Pool `legacy` takes plaintext; pool `pay` has an address of its own. */
async function pools(api: Harness): Promise<void> {
  await api.post('/api/pools', { name: 'legacy', allow_plaintext: true, business_need: 'terminals', default_route: false })
  await api.post('/api/pools', { name: 'pay', listen: 9_443 })
  api.listeners.push({ address: '[::]:8443', code: null, listener: 'shared', pool: null, state: 'bound' })
  api.listeners.push({ address: '[::]:9443', code: 'EACCES', listener: 'pools/pay', pool: 'pay', state: 'failed' })
}

describe('listeners with a server', () => {
  test('list and show are tables for people and objects for programs', async () => {
    await using data = folder()
    await using api = await serving(data)
    await pools(api)
    expect((await listeners('list', '--data', data.path)).out.split('\n')).toEqual([
      expect.stringMatching(/^LISTENER +ADDRESS +STATE +CLIENTS WITHOUT A ROUTE +REVISION$/),
      expect.stringMatching(/^shared +\[::\]:8443 +bound +refuses them all +0$/),
      expect.stringMatching(/^pools\/pay +\[::\]:9443 +failed \(EACCES\) +no_sni: pay, unknown_sni: pay +0$/),
      '',
    ])
    expect(objects((await listeners('list', '--json', '--data', data.path)).out)).toMatchObject([{ listener: 'shared' }, { listener: 'pools/pay', code: 'EACCES' }])
    const shown = (await listeners('show', 'pools/pay', '--data', data.path)).out
    expect(shown).toMatch(/^no_sni +pool pay \(default\)$/m)
    expect(shown).toMatch(/^not_tls +refuse \(default\)$/m)
    expect(objects((await listeners('show', 'shared', '--json', '--data', data.path)).out)).toMatchObject([{ listener: 'shared', set: [] }])
  })

  test('change sends only what was named, in one record with its ticket', async () => {
    await using data = folder()
    await using api = await serving(data)
    await pools(api)
    const changed = await listeners(
      'change', 'shared', '--malformed', 'refuse', '--no-sni', 'pool:legacy', '--not-tls', 'pool:legacy', '--sslv2', 'pool:legacy',
      '--timeout', 'pool:legacy', '--too-large', 'pool:legacy', '--unknown-sni', 'pool:pay', '--ticket', 'CHG-1', '--if-match', '0', '--data', data.path,
    )
    expect(changed).toMatchObject({ error: null, out: 'Listener shared is as asked; its revision is 3.\n' })
    const legacy = { pool: 'legacy' }
    expect((await api.records('control'))[2]).toMatchObject({
      subject: 'listeners/shared',
      data: {
        change: { ticket: 'CHG-1' },
        set: { malformed: 'refuse', no_sni: legacy, not_tls: legacy, sslv2: legacy, timeout: legacy, too_large: legacy, unknown_sni: { pool: 'pay' } },
      },
    })
    expect((await listeners('change', 'shared', '--timeout', 'default', '--data', data.path)).error).toBeNull()
    expect((await api.records('control'))[3]).toMatchObject({ data: { set: { timeout: null } } })
    expect((await run(stateCommand, ['--data', data.path])).out).toMatch(
      /^LISTENER +CLIENTS WITHOUT A ROUTE +DECLARED IN +REVISION\nshared +no_sni: legacy, not_tls: legacy, .*unknown_sni: pay +- +4$/m,
    )
    expect((await listeners('change', 'pools/pay', '--unknown-sni', 'refuse', '--data', data.path)).out).toBe('Listener pools/pay is as asked; its revision is 5.\n')
  })

  test('--dry-run shows what would be different and records nothing', async () => {
    await using data = folder()
    await using api = await serving(data)
    await pools(api)
    const tried = await listeners('change', 'shared', '--no-sni', 'pool:legacy', '--dry-run', '--data', data.path)
    expect(tried.error).toBeNull()
    expect(tried.out).toMatch(/^~ listeners\/shared {2}no_sni: refuse -> \{"pool":"legacy"\}$/m)
    expect(await api.records('control')).toHaveLength(2)
  })

  test('what is no answer, no listener or not allowed is said', async () => {
    await using data = folder()
    await using api = await serving(data)
    await pools(api)
    expect((await listeners('change', 'shared', '--no-sni', 'legacy', '--data', data.path)).error).toMatchObject({
      name: 'CommanderError', message: expect.stringContaining('Write refuse, pool:NAME, or default.'),
    })
    expect((await listeners('show', 'pay', '--data', data.path)).error).toMatchObject({ code: 'listener_unknown', source: 'settings' })
    expect((await listeners('show', 'pools/legacy', '--data', data.path)).error).toMatchObject({ problem: 'listener_unknown', status: 404 })
    const refused = await listeners('change', 'shared', '--not-tls', 'pool:pay', '--data', data.path)
    expect(refused.error).toMatchObject({ problem: 'plaintext_not_allowed' })
    expect((await listeners('change', 'shared', '--no-sni', 'refuse', '--if-match', '7', '--data', data.path)).error).toMatchObject({ status: 412 })
  })
})

test('without a server a change says that it needs one', async () => {
  await using data = folder()
  const { error } = await listeners('change', 'shared', '--no-sni', 'refuse', '--data', data.path)
  expect(error).toMatchObject({ code: 'no_server', message: expect.stringContaining('it takes one to change a listener') })
})
