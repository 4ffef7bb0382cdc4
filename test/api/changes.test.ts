import { describe, expect, test } from 'vitest'
import { decideChangePool } from '../../src/commands/change-pool.ts'
import { noChange } from '../../src/commands/decision.ts'
import { ManualClock, settled } from '../support/manual-clock.ts'
import { harness, type Harness } from './harness.ts'

/** Changes of pools and backends: by whom, on which revision, and once. Trying them out: dry-run.test.ts. */

const id = '10.0.0.1:8443'
const backend = `/api/pools/a/backends/${encodeURIComponent(id)}`

async function withPool(): Promise<Harness> {
  const api = await harness()
  await api.post('/api/pools', {
    name: 'a', server_names: ['a.example'], owner: 'ada',
    backends: [{ url: 'https://10.0.0.1:8443' }, { url: 'https://10.0.0.2:8443', weight: 3 }],
  })
  return api
}
const types = async (api: Harness): Promise<string[]> =>
  (await api.records('control')).map(({ type }) => type.replace('dev.waybill.', '').replace('.v1', ''))

describe('pools', () => {
  test('are created with their backends in one record', async () => {
    await using api = await withPool()
    expect(await types(api)).toEqual(['pool.created'])
    const { json } = await api.get('/api/pools/a')
    expect(json.backends.map((each: { id: string; weight: number }) => [each.id, each.weight])).toEqual([[id, 1], ['10.0.0.2:8443', 3]])
  })

  test('PATCH changes what is there, clears what is null, and leaves the rest', async () => {
    await using api = await withPool()
    const patched = await api.call('PATCH', '/api/pools/a', { algorithm: 'random', owner: null, drain_timeout: 5_000, change: { ticket: 'T-1' } })
    expect(patched).toMatchObject({ status: 200, headers: { etag: '"2"' } })
    expect(patched.json).toMatchObject({ algorithm: 'random', owner: null, drain_timeout: 5_000, server_names: ['a.example'], revision: 2 })
    expect((await api.records('control'))[1]).toMatchObject({
      type: 'dev.waybill.pool.changed.v1',
      data: { change: { ticket: 'T-1' }, set: { algorithm: 'random', drain_timeout: 5_000, owner: null } },
    })
  })

  test('a PATCH that changes nothing writes nothing', async () => {
    await using api = await withPool()
    expect(await api.call('PATCH', '/api/pools/a', { owner: 'ada', server_names: ['A.example'] })).toMatchObject({ status: 200, headers: { etag: '"1"' } })
    expect(await types(api)).toEqual(['pool.created'])
  })

  test.each([
    ['an unknown field', { ownr: 'x' }, 422, 'field_invalid'],
    ['another name', { name: 'b' }, 422, 'field_invalid'],
    ['null where nothing may be empty', { algorithm: null }, 422, 'field_invalid'],
    ['termination', { ssl_mode: 'terminate' }, 422, 'never_decrypts'],
    ['a name that is none', { server_names: ['ex ample'] }, 422, 'server_name_invalid'],
    ['the port of the API', { listen: '127.0.0.1:4000' }, 409, 'listen_taken'],
  ])('PATCH with %s', async (_, body, status, code) => {
    await using api = await withPool()
    expect(await api.call('PATCH', '/api/pools/a', body)).toMatchObject({ status, json: { code } })
    expect(await types(api)).toEqual(['pool.created'])
  })

  test('DELETE: gone, with the reason from the query; a second one finds nothing', async () => {
    await using api = await withPool()
    expect(await api.call('DELETE', '/api/pools/a?force=true&ticket=T-9&reason=over')).toMatchObject({ status: 204, body: '' })
    expect((await api.records('control'))[1]).toMatchObject({ data: { force: true, change: { reason: 'over', ticket: 'T-9' } } })
    expect(await api.call('DELETE', '/api/pools/a')).toMatchObject({ status: 404, json: { code: 'pool_unknown' } })
  })

  test('are listed by name, in pages', async () => {
    await using api = await harness()
    for (const name of ['c', 'a', 'b']) await api.post('/api/pools', { name, server_names: [`${name}.example`] })
    const first = await api.get('/api/pools?limit=2')
    expect(first.json).toMatchObject({ pools: [{ name: 'a' }, { name: 'b' }], revision: 3, next_cursor: 'b' })
    expect((await api.get('/api/pools?limit=2&cursor=b')).json).toMatchObject({ pools: [{ name: 'c' }], next_cursor: null })
    await api.call('DELETE', '/api/pools/b')
    expect((await api.get(`/api/pools?limit=2&cursor=${first.json.next_cursor}`)).json).toMatchObject({ pools: [{ name: 'c' }], next_cursor: null })
    for (const limit of ['0', '1001', '1e9', 'x', '']) expect((await api.get(`/api/pools?limit=${limit}`)).status).toBe(422)
  })
})

test('pools that a declaration file owns are listed apart', async () => {
  await using api = await harness()
  const by = { actor: { authn: 'none', id: 'x', type: 'local' }, origin: { ip: null, port: null, via: 'internal' } } as const
  await api.post('/api/pools', { name: 'a' })
  await api.desk.run(decideChangePool, {
    ...by, change: noChange, file: '/etc/w.yaml', idempotency: null, ifMatch: null, name: 'a',
    set: { declaration: { fields: ['owner'], file: '/etc/w.yaml' } },
  })
  await api.post('/api/pools', { name: 'b' })
  const names = async (owner: string): Promise<string[]> =>
    (await api.get(`/api/pools?managed_by=${owner}`)).json.pools.map(({ name }: { name: string }) => name)
  expect([await names('api'), await names('file')]).toEqual([['b'], ['a']])
  expect((await api.get('/api/pools/a')).json).toMatchObject({ managed_by: 'file', managed_by_file: '/etc/w.yaml' })
  const refused = await api.call('PATCH', '/api/pools/a', { owner: 'x' })
  expect(refused).toMatchObject({ status: 409, json: { code: 'managed_by_file', field: 'owner', file: '/etc/w.yaml' } })
  expect((await api.call('PATCH', '/api/pools/a', { algorithm: 'random' })).status).toBe(200)
})

describe('backends', () => {
  test('weight, drain, resume, delete', async () => {
    await using api = await withPool()
    expect((await api.call('PATCH', backend, { weight: 9 })).json).toMatchObject({ weight: 9, state: 'active', draining_since: null })
    const drained = await api.call('POST', `${backend}/drain`)
    expect(drained).toMatchObject({ status: 200, headers: { etag: '"3"' }, json: { state: 'draining', draining_since: expect.stringMatching(/Z$/) } })
    expect((await api.call('POST', `${backend}/drain`, {})).status).toBe(200)
    expect((await api.call('POST', `${backend}/drain`, { force: true, change: { ticket: 'T' } })).status).toBe(200)
    expect((await api.call('POST', `${backend}/resume`)).json).toMatchObject({ state: 'active' })
    expect((await api.call('DELETE', backend)).status).toBe(204)
    expect(await types(api)).toEqual(['pool.created', 'backend.changed', 'backend.drained', 'backend.drained', 'backend.resumed', 'backend.removed'])
    for (const [method, url] of [['GET', backend], ['PATCH', backend], ['DELETE', backend], ['POST', `${backend}/drain`], ['POST', `${backend}/resume`]] as const) {
      expect(await api.call(method, url, method === 'PATCH' ? { weight: 2 } : undefined)).toMatchObject({ status: 404, json: { code: 'backend_unknown' } })
    }
  })

  test('an IPv6 backend is addressed by its encoded id', async () => {
    await using api = await withPool()
    const { headers } = await api.post('/api/pools/a/backends', { url: 'https://[0:0::1]:443' })
    expect(headers['location']).toBe('/api/pools/a/backends/%5B%3A%3A1%5D%3A443')
    expect((await api.call('PATCH', String(headers['location']), { weight: 4 })).json).toMatchObject({ id: '[::1]:443', weight: 4 })
  })
})

describe('If-Match', () => {
  const writes = [
    ['PATCH', '/api/pools/a', { owner: 'x' }], ['DELETE', '/api/pools/a', undefined],
    ['POST', '/api/pools/a/backends', { url: 'https://new' }], ['PATCH', backend, { weight: 5 }],
    ['POST', `${backend}/drain`, undefined], ['DELETE', backend, undefined],
  ] as const
  test.each(writes)('%s %s with an old revision changes nothing', async (method, url, body) => {
    await using api = await withPool()
    const old = await api.call(method, url, body, { 'if-match': '"7"' })
    expect(old).toMatchObject({ status: 412, json: { code: 'revision_mismatch', revision: 1 } })
    expect(await types(api)).toEqual(['pool.created'])
    expect((await api.call(method, url, body, { 'if-match': '"1"' })).status).toBeLessThan(300)
  })

  test.each(['7', 'W/"1"', '"1", "2"', '""', '"x"', '"-1"', '"1e1"', '1'])('%s is no tag of this API', async (tag) => {
    await using api = await withPool()
    const answer = await api.call('PATCH', '/api/pools/a', { owner: 'x' }, { 'if-match': tag })
    expect(answer).toMatchObject({ status: 400, json: { code: 'header_invalid', field: 'If-Match' } })
  })

  test('says nothing where there is nothing yet, so it is refused', async () => {
    await using api = await withPool()
    for (const tag of ['"1"', '*']) {
      const answer = await api.post('/api/pools', { name: 'b' }, { 'if-match': tag })
      expect(answer).toMatchObject({ status: 400, json: { code: 'header_invalid', field: 'If-Match' } })
    }
  })

  test('a change that changes nothing is held to it too', async () => {
    await using api = await withPool()
    expect((await api.call('PATCH', '/api/pools/a', {}, { 'if-match': '"7"' })).status).toBe(412)
  })
})

describe('Idempotency-Key', () => {
  const key = { 'idempotency-key': 'k-1' }

  test('a repeat gets the first answer and writes nothing, whatever happened meanwhile', async () => {
    await using api = await withPool()
    const first = await api.call('PATCH', '/api/pools/a', { owner: 'x', algorithm: 'random' }, key)
    await api.call('PATCH', '/api/pools/a', { owner: 'y' })
    const again = await api.call('PATCH', '/api/pools/a', { algorithm: 'random', owner: 'x' }, key)
    expect(again).toMatchObject({ status: 200, json: first.json, headers: { etag: '"2"', 'idempotent-replayed': 'true' } })
    expect(await types(api)).toEqual(['pool.created', 'pool.changed', 'pool.changed'])
  })

  test('of what is gone by now as well', async () => {
    await using api = await harness()
    const body = { name: 'b', server_names: ['b.example'] }
    const first = await api.call('POST', '/api/pools', body, key)
    await api.call('DELETE', '/api/pools/b')
    expect(await api.call('POST', '/api/pools', body, key)).toMatchObject({ status: 201, json: first.json })
  })

  test('two at once make one record', async () => {
    await using api = await harness()
    const body = { name: 'b', server_names: ['b.example'] }
    const both = await Promise.all([1, 2].map(() => api.call('POST', '/api/pools', body, key)))
    expect(both.map(({ headers, status }) => [status, headers['idempotent-replayed']])).toEqual([[201, undefined], [201, 'true']])
    expect(await types(api)).toEqual(['pool.created'])
  })

  test.each([
    ['a backend', 'POST', '/api/pools/a/backends', { url: 'https://new' }, 201],
    ['a weight', 'PATCH', backend, { weight: 7 }, 200],
    ['a drain', 'POST', `${backend}/drain`, undefined, 200],
    ['the end of a backend', 'DELETE', `${backend}?ticket=T`, undefined, 204],
    ['the end of a pool', 'DELETE', '/api/pools/a', undefined, 204],
  ] as const)('%s is answered again as it was, though other state came of it', async (_, method, url, body, status) => {
    await using api = await withPool()
    const first = await api.call(method, url, body, key)
    await api.post('/api/pools/a/backends', { url: 'https://later' })
    const again = await api.call(method, url, body, { ...key, 'if-match': '"99"' })
    expect(first.status).toBe(status)
    expect(again).toMatchObject({ status, body: first.body, headers: { 'idempotent-replayed': 'true' } })
    for (const header of ['etag', 'location']) expect(again.headers[header]).toBe(first.headers[header])
  })

  test('the statistics of a repeat are those of now', async () => {
    await using api = await withPool()
    await api.call('PATCH', '/api/pools/a', { owner: 'x' }, key)
    api.open.set(`a ${id}`, { connections: 3, bytesToBackend: 1, bytesToClient: 1 })
    expect((await api.call('PATCH', '/api/pools/a', { owner: 'x' }, key)).json).toMatchObject({ stats: { current_connections: 3 } })
  })

  test('space and the order of fields do not make another request, the query does', async () => {
    await using api = await withPool()
    const patch = (url: string, payload: string) =>
      api.app.inject({ method: 'PATCH', url, headers: { host: 'localhost:4000', ...key }, payload })
    await patch('/api/pools/a', '{"owner":"x","change":{"ticket":"T","reason":"R"}}')
    const again = await patch('/api/pools/a', '{ "change": {"reason":"R", "ticket":"T"},\n "owner": "\\u0078" }')
    expect([again.statusCode, again.headers['idempotent-replayed']]).toEqual([200, 'true'])
    expect((await patch('/api/pools/a?dry_run=false', '{"owner":"x","change":{"ticket":"T","reason":"R"}}')).statusCode).toBe(422)
  })

  test('of a change whose outcome was unknown: the answer, once it is known', async () => {
    const clock = new ManualClock()
    await using api = await harness({ clock })
    const gate = api.log.stallCommits('control')
    const asked = api.post('/api/pools', { name: 'a' }, key)
    await clock.run(5_000)
    expect((await asked).json.code).toBe('outcome_unknown')
    gate[Symbol.dispose]()
    await settled()
    expect(await api.post('/api/pools', { name: 'a' }, key)).toMatchObject({ status: 201, headers: { etag: '"1"', 'idempotent-replayed': 'true' } })
    expect(await types(api)).toEqual(['pool.created'])
  })

  test('another request with the same key is refused', async () => {
    await using api = await withPool()
    await api.call('PATCH', '/api/pools/a', { owner: 'x' }, key)
    for (const [method, url, body] of [['PATCH', '/api/pools/a', { owner: 'z' }], ['DELETE', '/api/pools/a', undefined]] as const) {
      expect(await api.call(method, url, body, key)).toMatchObject({ status: 422, json: { code: 'idempotency_key_reused', revision: 2 } })
    }
  })

  test.each([[''], ['two words'], ['x'.repeat(201)], ['schlüssel']])('a key that is none: %j', async (bad) => {
    await using api = await withPool()
    expect(await api.call('PATCH', '/api/pools/a', { owner: 'x' }, { 'idempotency-key': bad })).toMatchObject({ status: 400, json: { code: 'header_invalid' } })
  })
})
