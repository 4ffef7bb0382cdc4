import { describe, expect, test } from 'vitest'
import { listenerCases } from '../../events/values.ts'
import { decideChangeListener } from '../../src/commands/change-listener.ts'
import { noChange } from '../../src/commands/decision.ts'
import { harness, type Harness } from './harness.ts'

/** Listeners: where this node is bound, and what is done with clients that no name leads to a pool. */

const shared = '/api/listeners/shared'
const own = '/api/listeners/pools/a'
const refuseAll = Object.fromEntries(listenerCases.map((what) => [what, 'refuse']))

/** Pool `a` with an own address, and `legacy`, which takes clients that speak no TLS. Revision 2. */
async function withPools(): Promise<Harness> {
  const api = await harness()
  await api.post('/api/pools', { name: 'a', server_names: ['a.example'], listen: 9443 })
  await api.post('/api/pools', {
    name: 'legacy', server_names: ['legacy.example'], allow_plaintext: true, business_need: 'card readers of 2009',
  })
  return api
}
const changes = async (api: Harness): Promise<unknown[]> => (await api.records('control')).slice(2).map(({ data }) => data['set'])

describe('reading', () => {
  test('lists the shared one and those of pools, with where this node is and what they do', async () => {
    await using api = await withPools()
    api.listeners.push({ listener: 'shared', pool: null, address: '[::]:8443', state: 'bound', code: null })
    api.listeners.push({ listener: 'pools/a', pool: 'a', address: '[::]:9443', state: 'failed', code: 'EADDRINUSE' })
    const untouched = { managed_by: 'api', managed_by_file: null, revision: 0, set: [] }
    const ownPolicy = { ...refuseAll, no_sni: { pool: 'a' }, unknown_sni: { pool: 'a' } }
    expect((await api.get('/api/listeners')).json).toEqual({
      listeners: [
        { listener: 'shared', pool: null, address: '[::]:8443', state: 'bound', code: null, policy: refuseAll, ...untouched },
        { listener: 'pools/a', pool: 'a', address: '[::]:9443', state: 'failed', code: 'EADDRINUSE', policy: ownPolicy, ...untouched },
      ],
    })
    expect(await api.get(own)).toMatchObject({ status: 200, headers: { etag: '"0"' }, json: { listener: 'pools/a', state: 'failed' } })
  })

  test('what this node has not come to yet is pending, what is no longer configured is not shown', async () => {
    await using api = await withPools()
    api.listeners.push({ listener: 'pools/gone', pool: 'gone', address: '[::]:1', state: 'bound', code: null })
    const { json } = await api.get('/api/listeners')
    expect(json.listeners).toMatchObject([
      { listener: 'shared', address: null, state: 'pending', code: null },
      { listener: 'pools/a', address: '[::]:9443', state: 'pending', code: null },
    ])
    expect(json.listeners).toHaveLength(2)
  })

  test('the default route is what the shared listener does without and with an unknown name', async () => {
    await using api = await withPools()
    await api.post('/api/pools', { name: 'fallback', default_route: true })
    const read = await api.get(shared)
    expect(read.json).toMatchObject({ policy: { ...refuseAll, no_sni: { pool: 'fallback' }, unknown_sni: { pool: 'fallback' } }, set: [] })
    expect(read.json).not.toHaveProperty('warnings')
    const changed = await api.call('PATCH', shared, { unknown_sni: 'refuse' })
    expect(changed.json).toMatchObject({ policy: { no_sni: { pool: 'fallback' }, unknown_sni: 'refuse' }, set: ['unknown_sni'] })
    expect(changed.json.warnings).toEqual([expect.stringContaining('has unknown_sni set')])
  })

  test('of one that is not there', async () => {
    await using api = await withPools()
    for (const url of ['/api/listeners/pools/legacy', '/api/listeners/pools/none']) {
      for (const [method, body] of [['GET', undefined], ['PATCH', { no_sni: 'refuse' }]] as const) {
        expect(await api.call(method, url, body)).toMatchObject({ status: 404, json: { code: 'listener_unknown' } })
      }
    }
    expect((await api.get('/api/listeners/other')).json.code).toBe('route_unknown')
    expect((await api.get('/api/listeners/pools/NO')).status).toBe(422)
  })
})

describe('PATCH', () => {
  test('changes the cases that are there, null gives one back, and the ETag is the revision of the policy', async () => {
    await using api = await withPools()
    const first = await api.call('PATCH', shared, {
      no_sni: { pool: 'a' }, not_tls: { pool: 'legacy' }, timeout: 'refuse', change: { ticket: 'T-1' },
    })
    expect(first).toMatchObject({ status: 200, headers: { etag: '"3"' } })
    expect(first.json).toMatchObject({
      policy: { ...refuseAll, no_sni: { pool: 'a' }, not_tls: { pool: 'legacy' } }, set: ['no_sni', 'not_tls', 'timeout'], revision: 3,
    })
    const second = await api.call('PATCH', shared, { no_sni: null, timeout: null })
    expect(second.json).toMatchObject({ policy: { ...refuseAll, not_tls: { pool: 'legacy' } }, set: ['not_tls'], revision: 4 })
    expect((await api.get(shared)).json).toEqual(second.json)
    expect((await api.get(own)).headers['etag']).toBe('"0"')
    expect((await api.records('control'))[2]).toMatchObject({
      type: 'dev.waybill.listener.changed.v1', subject: 'listeners/shared', revision: 3,
      data: {
        actor: { type: 'local', id: 'loopback' }, change: { ticket: 'T-1' }, listener: 'shared', origin: { via: 'api' },
        set: { no_sni: { pool: 'a' }, not_tls: { pool: 'legacy' }, timeout: 'refuse' },
      },
    })
  })

  test("of a pool's own listener", async () => {
    await using api = await withPools()
    const changed = await api.call('PATCH', own, { unknown_sni: 'refuse', sslv2: { pool: 'a' } })
    expect(changed).toMatchObject({ status: 200, headers: { etag: '"3"' } })
    expect(changed.json.policy).toEqual({ ...refuseAll, no_sni: { pool: 'a' }, sslv2: { pool: 'a' } })
    expect((await api.get(shared)).json.policy).toEqual(refuseAll)
  })

  test('that changes nothing writes nothing', async () => {
    await using api = await withPools()
    for (const body of [{}, { malformed: null }, { change: { ticket: 'T' } }]) {
      expect(await api.call('PATCH', shared, body)).toMatchObject({ status: 200, headers: { etag: '"0"' } })
    }
    expect(await changes(api)).toEqual([])
  })

  test.each([
    ['a case that there is not', { no_snii: 'refuse' }, 422, 'field_invalid', 'no_snii'],
    ['an answer that is none', { no_sni: 'a' }, 422, 'field_invalid', 'no_sni'],
    ['an answer that says too much', { no_sni: { pool: 'a', weight: 1 } }, 422, 'field_invalid', 'no_sni.weight'],
    ['a pool that is no name', { no_sni: { pool: 'A B' } }, 422, 'field_invalid', 'no_sni.pool'],
    ['a pool that is not there', { sslv2: { pool: 'none' } }, 409, 'listener_pool_unknown', 'sslv2.pool'],
    ['a pool that takes TLS only', { not_tls: { pool: 'a' } }, 409, 'plaintext_not_allowed', 'not_tls.pool'],
  ])('with %s', async (_, body, status, code, field) => {
    await using api = await withPools()
    for (const query of ['', '?dry_run=true']) {
      expect(await api.call('PATCH', `${shared}${query}`, body)).toMatchObject({ status, json: { code, field } })
    }
    expect(await changes(api)).toEqual([])
  })

  test('says what an answer has to be', async () => {
    await using api = await withPools()
    const { json } = await api.call('PATCH', shared, { no_sni: 'drop' })
    expect(json.detail).toBe('no_sni must be "refuse" or {"pool": "name"}.')
    const more = await api.call('PATCH', shared, { no_sni: { pool: 'a', weight: 1 } })
    expect(more.json.detail).toBe('no_sni.weight is not a field of this request; it may have pool.')
    expect((await api.call('PATCH', shared)).json.code).toBe('body_invalid')
  })

  test('is held to If-Match', async () => {
    await using api = await withPools()
    const patch = (tag: string, body: object) => api.call('PATCH', shared, body, { 'if-match': tag })
    expect(await patch('"2"', { no_sni: 'refuse' })).toMatchObject({ status: 412, json: { code: 'revision_mismatch', revision: 0 } })
    expect(await patch('"0"', { no_sni: 'refuse' })).toMatchObject({ status: 200, headers: { etag: '"3"' } })
    expect(await patch('"0"', { no_sni: null })).toMatchObject({ status: 412, json: { revision: 3 } })
    expect(await patch('0', {})).toMatchObject({ status: 400, json: { code: 'header_invalid' } })
    expect(await patch('"3"', { no_sni: null })).toMatchObject({ status: 200, headers: { etag: '"4"' } })
  })

  test('can be tried out: what it would do is what it then does', async () => {
    await using api = await withPools()
    const tried = await api.call('PATCH', `${shared}?dry_run=true`, { not_tls: { pool: 'legacy' } })
    expect(tried).toMatchObject({ status: 200, json: { dry_run: true, changes: true, open_connections: 0, ends_connections: 0 } })
    expect(tried.headers).not.toHaveProperty('etag')
    expect(await changes(api)).toEqual([])
    await api.call('PATCH', shared, { not_tls: { pool: 'legacy' } })
    const made = (await api.get('/api/diff?from=2')).json.differences
    expect(tried.json.differences).toEqual(made)
    expect(made).toContainEqual({ kind: 'changed', subject: 'listeners/shared', field: 'not_tls', before: 'refuse', after: { pool: 'legacy' } })
    expect((await api.call('PATCH', `${shared}?dry_run=true`, {})).json).toMatchObject({ changes: false, differences: [] })
  })

  test('with an Idempotency-Key gets the first answer again, whatever happened meanwhile', async () => {
    await using api = await withPools()
    const key = { 'idempotency-key': 'k-1' }
    const first = await api.call('PATCH', own, { no_sni: 'refuse' }, key)
    await api.call('PATCH', own, { no_sni: null })
    await api.call('PATCH', '/api/pools/a', { listen: null })
    const again = await api.call('PATCH', own, { no_sni: 'refuse' }, { ...key, 'if-match': '"99"' })
    expect(again).toMatchObject({ status: 200, json: first.json, headers: { etag: '"3"', 'idempotent-replayed': 'true' } })
    expect(await api.call('PATCH', own, { no_sni: null }, key)).toMatchObject({ status: 422, json: { code: 'idempotency_key_reused' } })
    expect(await changes(api)).toHaveLength(3)
  })
})

test('cases that a declaration file sets are its own, the others are free', async () => {
  await using api = await withPools()
  const by = { actor: { authn: 'none', id: 'x', type: 'local' }, origin: { ip: null, port: null, via: 'internal' } } as const
  const file = '/etc/w.yaml'
  await api.desk.run(decideChangeListener, {
    ...by, change: noChange, file, idempotency: null, ifMatch: null, listener: 'shared',
    set: { declaration: { fields: ['no_sni', 'timeout'], file }, no_sni: { pool: 'a' } },
  })
  expect((await api.get(shared)).json).toMatchObject({ managed_by: 'file', managed_by_file: file })
  for (const body of [{ no_sni: 'refuse' }, { no_sni: null }, { sslv2: 'refuse', timeout: 'refuse' }]) {
    const field = 'no_sni' in body ? 'no_sni' : 'timeout'
    expect(await api.call('PATCH', shared, body)).toMatchObject({ status: 409, json: { code: 'managed_by_file', field, file } })
  }
  expect((await api.call('PATCH', shared, { no_sni: { pool: 'a' }, sslv2: 'refuse' })).json).toMatchObject({ set: ['no_sni', 'sslv2'] })
})

describe('pools', () => {
  test('show the new settings, take them in PATCH, and are held to them', async () => {
    await using api = await withPools()
    expect((await api.get('/api/pools/a')).json).toMatchObject({ allow_plaintext: false, min_tls_version: null, reject_ech: false })
    const changed = await api.call('PATCH', '/api/pools/a', { min_tls_version: 'TLSv1.2', reject_ech: true })
    expect(changed.json).toMatchObject({ allow_plaintext: false, min_tls_version: 'TLSv1.2', reject_ech: true })
    expect((await api.call('PATCH', '/api/pools/a', { min_tls_version: null })).json).toMatchObject({ min_tls_version: null, reject_ech: true })
    expect(await api.call('PATCH', '/api/pools/a', { min_tls_version: 'SSLv3' })).toMatchObject({ status: 422, json: { field: 'min_tls_version' } })
    for (const body of [{ reject_ech: null }, { allow_plaintext: null }]) expect((await api.call('PATCH', '/api/pools/a', body)).status).toBe(422)
  })

  test('take plaintext only with a business need, and while no listener sends them any, none', async () => {
    await using api = await withPools()
    const missing = { status: 422, json: { code: 'business_need_missing', field: 'allow_plaintext' } }
    expect(await api.post('/api/pools', { name: 'b', allow_plaintext: true })).toMatchObject(missing)
    expect(await api.call('PATCH', '/api/pools/a', { allow_plaintext: true })).toMatchObject(missing)
    expect(await api.call('PATCH', '/api/pools/legacy', { business_need: null })).toMatchObject({ status: 422, json: { field: 'business_need' } })
    await api.call('PATCH', own, { not_tls: { pool: 'legacy' } })
    for (const [method, body] of [['PATCH', { allow_plaintext: false }], ['DELETE', undefined]] as const) {
      expect(await api.call(method, '/api/pools/legacy', body)).toMatchObject({
        status: 409, json: { code: 'pool_named_by_listener', listener: 'pools/a', case: 'not_tls', pool: 'legacy' },
      })
    }
    await api.call('DELETE', '/api/pools/a')
    expect((await api.call('DELETE', '/api/pools/legacy')).status).toBe(204)
  })

  test('show names of other scripts as they are read, too', async () => {
    await using api = await withPools()
    const created = await api.post('/api/pools', { name: 'b', server_names: ['**.Bücher.example', 'b.example', '::1'] })
    expect(created.json).toMatchObject({
      server_names: ['**.xn--bcher-kva.example', 'b.example', '::1'], server_names_unicode: ['**.bücher.example', 'b.example', '::1'],
    })
    expect((await api.get('/api/pools/a')).json).not.toHaveProperty('server_names_unicode')
    expect(await api.post('/api/pools', { name: 'c', server_names: ['**.bücher.example'] })).toMatchObject({
      status: 409, json: { code: 'server_name_taken', pool: 'b', server_name: '**.xn--bcher-kva.example' },
    })
  })

  test('that only a listener sends clients to have no warning', async () => {
    await using api = await withPools()
    await api.post('/api/pools', { name: 'b', default_route: false })
    expect((await api.get('/api/pools/b')).json.warnings).toHaveLength(1)
    await api.call('PATCH', shared, { too_large: { pool: 'b' } })
    expect((await api.get('/api/pools/b')).json).not.toHaveProperty('warnings')
  })
})
