import { describe, expect, test } from 'vitest'
import { poolsCommand } from '../../src/cli/pools.ts'
import { folder, objects, run, serving, type Ran } from './harness.ts'

function pools(...argv: string[]): Promise<Ran> {
  return run(poolsCommand, argv)
}

describe('pools with a server', () => {
  test('create makes one record with everything in it, and says so', async () => {
    await using data = folder()
    await using api = await serving(data)
    const made = await pools(
      'create', 'payments', '--server-name', 'pay.example.com', '--server-name', '*.pay.example.com', '--listen', '9443',
      '--algorithm', 'round_robin', '--health-check-interval', '5s', '--drain-timeout', '10m', '--owner', 'ops', '--business-need', 'cards',
      '--min-tls-version', 'TLSv1.2', '--reject-ech', '--allow-plaintext',
      '--backend', 'https://10.0.4.11:8443', '--backend', 'https://10.0.4.12:8443,weight=3',
      '--ticket', 'CHG-1', '--reason', 'first', '--requested-by', 'ada', '--approved-by', 'grace', '--data', data.path,
    )
    expect(made).toMatchObject({ error: null, out: 'Pool payments is created, as revision 1.\n' })
    const [record, ...others] = await api.records('control')
    expect(others).toEqual([])
    expect(record).toMatchObject({
      data: {
        algorithm: 'round_robin', allow_plaintext: true, business_need: 'cards', drain_timeout: 600_000, health_check_interval: 5_000, listen: '[::]:9443',
        min_tls_version: 'TLSv1.2', name: 'payments', owner: 'ops', reject_ech: true, server_names: ['pay.example.com', '*.pay.example.com'],
        backends: [{ id: '10.0.4.11:8443', weight: 1 }, { id: '10.0.4.12:8443', weight: 3 }],
        change: { approved_by: 'grace', reason: 'first', requested_by: 'ada', ticket: 'CHG-1' },
      },
    })
  })

  test('list and show are tables for people and objects for programs', async () => {
    await using data = folder()
    await using api = await serving(data)
    await api.post('/api/pools', { name: 'a', owner: 'ops\u001b[31m', backends: [{ url: 'https://10.0.4.11' }] })
    await api.post('/api/pools', { name: 'b', server_names: ['one.example.com'] })
    const listed = await pools('list', '--data', data.path)
    expect(listed.error).toBeNull()
    expect(listed.out.split('\n')).toEqual([
      expect.stringMatching(/^POOL +ALGORITHM +ROUTES +BACKENDS +NOT DOWN +OPEN +BYTES +OWNER +REVISION$/),
      expect.stringMatching(/^a +least_connections +\(default route\) +1 +1 +0 +0 B +ops\\x1b\[31m +1$/),
      expect.stringMatching(/^b +least_connections +one\.example\.com +0 +0 +0 +0 B +- +2$/),
      '',
    ])
    expect(objects((await pools('list', '--json', '--data', data.path)).out)).toMatchObject([{ name: 'a' }, { name: 'b' }])
    const shown = await pools('show', 'a', '--data', data.path)
    expect(shown.out).toMatch(/^algorithm +least_connections$/m)
    expect(shown.out).toMatch(/^least TLS version +any\nrejects ECH +no\nallows plaintext +no$/m)
    expect(shown.out).toMatch(/^10\.0\.4\.11:443 +1 +active +new +0 +0 +0 B +0 B +0$/m)
    expect(objects((await pools('show', 'a', '--json', '--data', data.path)).out)).toMatchObject([{ name: 'a', backends: [{ id: '10.0.4.11:443' }] }])
  })

  test('no pool yet is said; to programs nothing is', async () => {
    await using data = folder()
    await using _api = await serving(data)
    expect((await pools('list', '--data', data.path)).out).toContain('no pool yet')
    expect((await pools('list', '--json', '--data', data.path)).out).toBe('')
  })

  test('change sends only what was named; --unset takes away', async () => {
    await using data = folder()
    await using api = await serving(data)
    await api.post('/api/pools', { name: 'a', owner: 'ops', server_names: ['a.example.com'] })
    const changed = await pools('change', 'a', '--algorithm', 'random', '--unset', 'owner', '--unset', 'server_names', '--data', data.path)
    expect(changed).toMatchObject({ error: null, out: 'Pool a is as asked; its revision is 2.\n' })
    expect((await api.records('control'))[1]).toMatchObject({ data: { set: { algorithm: 'random', owner: null, server_names: [] } } })
    expect((await pools('change', 'a', '--unset', 'name', '--data', data.path)).error).toMatchObject({ name: 'CommanderError' })
  })

  test('what a pool says of TLS is set and taken back', async () => {
    await using data = folder()
    await using api = await serving(data)
    await api.post('/api/pools', { name: 'a' })
    const change = (...argv: string[]) => pools('change', 'a', ...argv, '--data', data.path)
    expect((await change('--allow-plaintext')).error).toMatchObject({ problem: 'business_need_missing' })
    expect((await change('--allow-plaintext', '--business-need', 'terminals', '--reject-ech', '--min-tls-version', 'TLSv1.3')).error).toBeNull()
    expect((await pools('show', 'a', '--data', data.path)).out).toMatch(/^least TLS version +TLSv1\.3\nrejects ECH +yes\nallows plaintext +yes$/m)
    expect((await change('--no-allow-plaintext', '--no-reject-ech', '--unset', 'min_tls_version')).error).toBeNull()
    expect((await api.records('control'))[2]).toMatchObject({ data: { set: { allow_plaintext: false, min_tls_version: null, reject_ech: false } } })
    expect((await change('--min-tls-version', '1.2')).error).toMatchObject({ name: 'CommanderError' })
  })

  test('--dry-run shows what would be different and records nothing', async () => {
    await using data = folder()
    await using api = await serving(data)
    await api.post('/api/pools', { name: 'a', backends: [{ url: 'https://10.0.4.11' }] })
    api.open.set('a 10.0.4.11:443', { connections: 2, bytesToBackend: 0, bytesToClient: 0 })
    const tried = await pools('remove', 'a', '--force', '--dry-run', '--data', data.path)
    expect(tried.error).toBeNull()
    expect(tried.out).toMatch(/^- pools\/a {2}algorithm=least_connections/m)
    expect(tried.out).toMatch(/^- backends\/a\/10\.0\.4\.11:443 {2}weight=1$/m)
    expect(tried.out).toContain('It would touch 2 open connections on this node, 2 of which it would end.')
    const asObject = objects((await pools('change', 'a', '--algorithm', 'random', '--dry-run', '--json', '--data', data.path)).out)
    expect(asObject).toMatchObject([{ dry_run: true, changes: true, differences: [{ subject: 'pools/a', field: 'algorithm' }] }])
    expect((await pools('change', 'a', '--dry-run', '--data', data.path)).out).toBe('Nothing would change.\n')
    expect(await api.records('control')).toHaveLength(1)
  })

  test('--if-match holds off a change of something else; --idempotency-key makes a repeat harmless', async () => {
    await using data = folder()
    await using api = await serving(data)
    const create = ['create', 'a', '--idempotency-key', 'k1', '--data', data.path]
    expect((await pools(...create)).out).toBe('Pool a is created, as revision 1.\n')
    expect((await pools(...create)).out).toBe('Pool a is created, as revision 1. (by an earlier call with the same --idempotency-key)\n')
    const late = await pools('change', 'a', '--algorithm', 'random', '--if-match', '7', '--data', data.path)
    expect(late.error).toMatchObject({ problem: 'revision_mismatch', source: 'network', status: 412 })
    const removed = await pools('remove', 'a', '--if-match', '1', '--ticket', 'CHG-2', '--data', data.path, '--json')
    expect(objects(removed.out)).toEqual([{ removed: 'pools/a' }])
    expect((await api.records('control')).map(({ type }) => type)).toEqual(['dev.waybill.pool.created.v1', 'dev.waybill.pool.removed.v1'])
    expect((await api.records('control'))[1]).toMatchObject({ data: { change: { ticket: 'CHG-2' }, force: false } })
  })

  test('what the API refuses is a sentence with its code and what to do', async () => {
    await using data = folder()
    await using _api = await serving(data)
    const unknown = await pools('show', 'nowhere', '--data', data.path)
    expect(unknown.error).toMatchObject({ source: 'network', status: 404 })
    expect(String(unknown.error)).toMatch(/There is no pool "nowhere"\..* \(pool_unknown\)\n {2}List the pools/)
    const invalid = await pools('create', 'Not A Name', '--data', data.path)
    expect(invalid.error).toMatchObject({ source: 'settings', status: 422 })
  })
})

describe('without a server', () => {
  test('a change says that it needs one', async () => {
    await using data = folder()
    const { error } = await pools('create', 'a', '--data', data.path)
    expect(error).toMatchObject({ code: 'no_server', message: expect.stringContaining('it takes one to create a pool'), source: 'network' })
    expect((await pools('list', '--api', '127.0.0.1:1')).error).toMatchObject({ code: 'no_server' })
  })
})
