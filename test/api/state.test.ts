import { describe, expect, test } from 'vitest'
import { ConnectionOpened, ConnectionProgress, type ConnectionOpenedData } from '../../events/connection.ts'
import { listenerCases } from '../../events/values.ts'
import type { OpenConnectionNow } from '../../src/live/node-view.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { harness } from './harness.ts'

/** The configuration of any moment, and open connections of this one. */

describe('the past', () => {
  test('by revision, by time, and what is different', async () => {
    const clock = new ManualClock(Date.UTC(2026, 10, 24, 8))
    await using api = await harness({ clock })
    await api.post('/api/pools', { name: 'a', server_names: ['a.example'] })
    clock.advance(60_000)
    await api.call('PATCH', '/api/pools/a', { algorithm: 'random' })
    expect((await api.get('/api/state')).json).toMatchObject({
      moment: { revision: 2, time: '2026-11-24T08:01:00.000Z' },
      configuration: { revision: 2, pools: [{ name: 'a', algorithm: 'random' }], routes: { server_names: { 'a.example': 'a' } } },
    })
    expect((await api.get('/api/state?revision=1')).json).toMatchObject({ moment: { revision: 1 }, configuration: { pools: [{ algorithm: 'least_connections' }] } })
    expect((await api.get('/api/state?revision=0')).json).toMatchObject({ moment: { revision: 0, time: null }, configuration: { pools: [] } })
    expect((await api.get('/api/state?at=2026-11-24T09:00:59%2B01:00')).json).toMatchObject({ moment: { revision: 1 } })
    expect((await api.get('/api/diff?from=2026-11-24T08:00:30Z')).json).toEqual({
      from: { at: '2026-11-24T08:00:30.000Z', revision: 1, time: '2026-11-24T08:00:00.000Z' },
      to: { revision: 2, time: '2026-11-24T08:01:00.000Z' },
      differences: [{ kind: 'changed', subject: 'pools/a', field: 'algorithm', before: 'least_connections', after: 'random' }],
    })
    expect((await api.get('/api/diff?from=2&to=0')).json.differences).toMatchObject([
      { kind: 'removed', subject: 'pools/a', after: null },
      { kind: 'changed', subject: 'routes', field: 'server_names' },
    ])
  })

  test.each([
    ['in the future: now', '2199-01-01T00:00:00Z', 1, '2199-01-01T00:00:00.000Z'],
    ['later than records can be', '9999-12-31T23:59:59-23:59', 1, '9999-12-31T23:59:59.999Z'],
    ['earlier than records can be', '0000-01-01T00:00:00%2B23:59', 0, '1970-01-01T00:00:00.000Z'],
    ['finer than records are', '2026-11-24T08:00:00.000999Z', 1, '2026-11-24T08:00:00.000Z'],
    ['just before', '2026-11-24T07:59:59.999999Z', 0, '2026-11-24T07:59:59.999Z'],
  ])('a time %s', async (_, at, revision, asked) => {
    await using api = await harness({ clock: new ManualClock(Date.UTC(2026, 10, 24, 8)) })
    await api.post('/api/pools', { name: 'a' })
    expect((await api.get(`/api/state?at=${at}`)).json.moment).toMatchObject({ at: asked, revision })
  })

  test('the document is the whole of the configuration, and nothing of this node', async () => {
    await using api = await harness()
    await api.post('/api/pools', { name: 'a', server_names: ['*.a.example'], listen: 9_443, backends: [{ url: 'https://x', weight: 2 }] })
    await api.call('POST', '/api/pools/a/backends/x:443/drain')
    const time = expect.stringMatching(/^\d{4}-.*\.\d{3}Z$/)
    const refuseAll = Object.fromEntries(listenerCases.map((what) => [what, 'refuse']))
    const untouched = { managed_by: 'api', managed_by_file: null, revision: 0, set: [] }
    expect((await api.get('/api/state')).json).toEqual({
      moment: { revision: 2, time },
      configuration: {
        revision: 2,
        pools: [{
          name: 'a', algorithm: 'least_connections', allow_plaintext: false, business_need: null, created_at: time, default_route: false,
          drain_timeout: null, health_check_interval: 10_000, listen: '[::]:9443', managed_by: 'api', managed_by_file: null,
          min_tls_version: null, owner: null, reject_ech: false, revision: 2, server_names: ['*.a.example'], ssl_mode: 'passthrough',
          backends: [{
            id: 'x:443', added_at: time, draining_since: time, host: 'x', managed_by: 'api', managed_by_file: null, port: 443,
            state: 'draining', weight: 2,
          }],
        }],
        routes: { default_route: null, server_names: { '*.a.example': 'a' }, listen: { '[::]:9443': 'a' } },
        listeners: [
          { listener: 'shared', policy: refuseAll, ...untouched },
          { listener: 'pools/a', policy: { ...refuseAll, no_sni: { pool: 'a' }, unknown_sni: { pool: 'a' } }, ...untouched },
        ],
        declarations: [],
      },
    })
  })

  test('a plus sign that a URL turned into a space is explained', async () => {
    await using api = await harness()
    const answer = await api.get('/api/state?at=2026-11-24T09:00:00+01:00')
    expect(answer).toMatchObject({ status: 422, json: { field: 'at', detail: expect.stringContaining('%2B') } })
  })

  test.each([
    ['/api/state?revision=9', 404, 'revision_unknown'], ['/api/state?revision=-1', 422, 'field_invalid'],
    ['/api/state?at=yesterday', 422, 'field_invalid'], ['/api/state?at=2026-11-24', 422, 'field_invalid'],
    ['/api/state?at=2026-11-24T08:00:00Z&revision=1', 422, 'field_invalid'], ['/api/state?revision=1&revision=2', 422, 'field_invalid'],
    ['/api/diff', 422, 'field_invalid'], ['/api/diff?from=x', 422, 'field_invalid'], ['/api/diff?from=0&to=5', 404, 'revision_unknown'],
  ])('%s', async (url, status, code) => {
    await using api = await harness()
    expect(await api.get(url)).toMatchObject({ status, json: { code } })
  })
})

describe('open connections', () => {
  const connection = (number: number, pool: string): OpenConnectionNow => {
    const opened: ConnectionOpenedData = {
      ...ConnectionOpened.examples[0], alpn: ['h2'], alpn_truncated: false, attempts: [], backend: '10.0.0.1:8443', backend_address: { ip: '10.0.0.1', port: 8443 },
      client: { ip: `192.0.2.${number}`, port: 4_000 }, connection_id: `0198c0de-0000-7000-8000-00000000000${number}`,
      listener: 'shared', local_address: null, pool, revision: 1, server_name: `${pool}.example`, tls_versions: ['TLSv1.3'], tls_versions_truncated: false,
    }
    return { opened, openedAt: '2026-11-24T08:00:00.000Z', bytesToBackend: number, bytesToClient: 2, encrypted: opened.encrypted, tls: null }
  }

  test('are listed with filters and pages, read, and ended by name', async () => {
    await using api = await harness()
    for (const each of [connection(1, 'a'), connection(2, 'b'), connection(3, 'a')]) api.connections.set(each.opened.connection_id, each)
    const ids = async (query: string): Promise<string[]> =>
      (await api.get(`/api/connections${query}`)).json.connections.map((each: { id: string }) => each.id.slice(-1))
    expect(await ids('')).toEqual(['1', '2', '3'])
    expect(await ids('?pool=a')).toEqual(['1', '3'])
    expect(await ids('?client=192.0.2.2')).toEqual(['2'])
    expect(await ids('?server_name=b.example&listener=shared&backend=10.0.0.1:8443')).toEqual(['2'])
    expect(await ids('?server_name=c.example')).toEqual([])
    const page = await api.get('/api/connections?limit=2')
    expect(await ids(`?limit=2&cursor=${page.json.next_cursor}`)).toEqual(['3'])

    const one = connection(2, 'b').opened.connection_id
    expect((await api.get(`/api/connections/${one}`)).json).toMatchObject({ id: one, pool: 'b', bytes_to_backend: 2, revision: 1 })
    expect(await api.call('DELETE', `/api/connections/${one}`)).toMatchObject({ status: 204 })
    expect(api.endedBy).toEqual([{ authn: 'none', id: 'loopback', type: 'local' }])
    for (const [method, query] of [['GET', ''], ['DELETE', ''], ['DELETE', '?dry_run=true']] as const) {
      expect(await api.call(method, `/api/connections/${one}${query}`)).toMatchObject({ status: 404, json: { code: 'connection_unknown' } })
    }
    expect((await api.get('/api/connections/nonsense')).status).toBe(422)
  })

  test('a dry run, and a wish that nobody would read, end none', async () => {
    await using api = await harness()
    const { opened } = connection(1, 'a')
    api.connections.set(opened.connection_id, connection(1, 'a'))
    const url = `/api/connections/${opened.connection_id}`
    expect(await api.call('DELETE', `${url}?dry_run=true`)).toMatchObject({ status: 200, json: { dry_run: true, ends_connections: 1 } })
    expect(await api.call('DELETE', url, { reason: 'x' })).toMatchObject({ status: 400, json: { code: 'body_unwanted' } })
    expect(await api.call('DELETE', `${url}?dryrun=true`)).toMatchObject({ status: 422, json: { field: 'dryrun' } })
    expect(api.endedBy).toEqual([])
  })

  test('an IPv6 client and a server name are found in any spelling', async () => {
    await using api = await harness()
    const one = connection(1, 'a')
    const opened = { ...one.opened, client: { ip: '2001:db8::1', port: 1 } }
    api.connections.set(opened.connection_id, { ...one, opened })
    for (const query of ['client=2001:DB8:0::1', 'server_name=A.example']) {
      expect((await api.get(`/api/connections?${query}`)).json.connections).toHaveLength(1)
    }
    expect(await api.get('/api/connections?client=010.0.0.1')).toMatchObject({ status: 422, json: { field: 'client' } })
  })

  test('show what TLS says in the clear, and are found by it', async () => {
    await using api = await harness()
    const tls = ConnectionProgress.examples[0].tls
    const [one, other] = [connection(1, 'a'), connection(2, 'b')]
    const plain = { ...other.opened, ech_offered: true, ja4: null, routed_by: 'not_tls' as const }
    const unread = { ...connection(3, 'c'), encrypted: null }
    for (const each of [{ ...one, tls }, { ...other, encrypted: false, opened: plain }, unread]) api.connections.set(each.opened.connection_id, each)
    const { json } = await api.get('/api/connections')
    const { ja4 } = one.opened
    expect(json.connections[0]).toMatchObject({ ech_offered: false, encrypted: true, ja4, routed_by: 'server_name', tls })
    expect(json.connections[1]).toMatchObject({ ech_offered: true, encrypted: false, ja4: null, routed_by: 'not_tls', tls: null })
    const pools = async (query: string): Promise<string[]> =>
      (await api.get(`/api/connections?${query}`)).json.connections.map((each: { pool: string }) => each.pool)
    expect(await pools(`ja4=${ja4}`)).toEqual(['a', 'c'])
    expect([await pools('encrypted=true'), await pools('encrypted=false'), await pools('encrypted=null')]).toEqual([['a'], ['b'], ['c']])
    for (const query of ['ja4=x', 'encrypted=', 'encrypted=1']) expect((await api.get(`/api/connections?${query}`)).status).toBe(422)
  })

  test('pages show each once, whatever opens and closes in between', async () => {
    await using api = await harness()
    for (const number of [1, 3, 5]) api.connections.set(connection(number, 'a').opened.connection_id, connection(number, 'a'))
    const first = await api.get('/api/connections?limit=2')
    api.connections.delete(connection(3, 'a').opened.connection_id)
    api.connections.set(connection(7, 'a').opened.connection_id, connection(7, 'a'))
    const second = await api.get(`/api/connections?limit=2&cursor=${first.json.next_cursor}`)
    expect(second.json).toMatchObject({ connections: [{ bytes_to_backend: 5 }, { bytes_to_backend: 7 }], next_cursor: null })
  })
})
