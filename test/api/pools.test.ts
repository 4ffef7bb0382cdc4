import { describe, expect, test } from 'vitest'
import { harness, rules } from './harness.ts'

/** The three calls of the first page of the manual, to the letter. */
const createPool = '{"name":"secure-app","algorithm":"least_connections","ssl_mode":"passthrough"}'
const addBackend = '{"url":"https://backend1.internal:8443"}'

describe('pools and backends', () => {
  test.each([
    ['application/json'],
    ['application/x-www-form-urlencoded'],
    ['text/plain; charset=latin1'],
    ['this is no media type'],
    [undefined],
  ])('the calls of the manual with content type %s', async (contentType) => {
    await using api = await harness()
    const headers: Record<string, string> = contentType === undefined ? {} : { 'content-type': contentType }
    const created = await api.post('/api/pools', createPool, headers)
    expect(created.status).toBe(201)
    expect(created.headers).toMatchObject({ location: '/api/pools/secure-app', etag: '"1"' })
    const added = await api.post('/api/pools/secure-app/backends', addBackend, headers)
    expect(added.status).toBe(201)
    expect(added.headers).toMatchObject({
      etag: '"2"',
      location: '/api/pools/secure-app/backends/backend1.internal%3A8443',
    })
    expect((await api.get('/api/pools/secure-app')).json).toMatchObject({
      name: 'secure-app',
      algorithm: 'least_connections',
      ssl_mode: 'passthrough',
      health_check_interval: 10_000,
      backends: [{ id: 'backend1.internal:8443', url: 'https://backend1.internal:8443', weight: 1, state: 'active', health: 'new' }],
      stats: { total_backends: 1, healthy_backends: 1, current_connections: 0, total_bytes_transferred: 0 },
    })
  })

  test('what is left out has its default, and is answered with it', async () => {
    await using api = await harness()
    const { json } = await api.post('/api/pools', { name: 'a' })
    expect(json).toEqual({
      name: 'a', algorithm: 'least_connections', ssl_mode: 'passthrough', health_check_interval: 10_000, server_names: [],
      listen: null, allow_plaintext: false, min_tls_version: null, reject_ech: false,
      default_route: true, default_route_reason: 'automatic', drain_timeout: null, owner: null, business_need: null,
      managed_by: 'api', managed_by_file: null, created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/), revision: 1,
      stats: { total_backends: 0, healthy_backends: 0, current_connections: 0, total_bytes_transferred: 0, since: null },
      nodes: [
        {
          node: 'memory', self: true, state: 'running', stale: false, seen_at: null, since: null, healthy_backends: 0, backends_down: [],
          current_connections: 0, total_connections: 0, bytes_to_backend: 0, bytes_to_client: 0, dial_failures: 0,
        },
      ],
      backends: [],
    })
  })

  test('the change and everything said is on record, with who and from where', async () => {
    await using api = await harness()
    const change = { ticket: 'CHG-1', reason: 'front end', requested_by: 'ada', approved_by: 'grace' }
    await api.post('/api/pools', {
      name: 'a', server_names: ['App.example'], listen: 9443, health_check_interval: 500, algorithm: 'random',
      owner: 'payments', business_need: 'cards', default_route: true, allow_plaintext: true, min_tls_version: 'TLSv1.3', reject_ech: true,
      change,
    })
    await api.post('/api/pools/a/backends', { url: 'https://[::1]', weight: 7, change: { ticket: 'CHG-2' } })
    expect(await api.records('control')).toMatchObject([
      {
        type: 'dev.waybill.pool.created.v1',
        subject: 'pools/a',
        revision: 1,
        data: {
          actor: { type: 'local', id: 'loopback', authn: 'none' },
          origin: { ip: '127.0.0.1', via: 'api' },
          change,
          server_names: ['app.example'], listen: '[::]:9443', health_check_interval: 500, algorithm: 'random',
          allow_plaintext: true, min_tls_version: 'TLSv1.3', reject_ech: true,
          owner: 'payments', business_need: 'cards', default_route: true, default_route_reason: 'requested',
        },
      },
      {
        type: 'dev.waybill.backend.added.v1',
        subject: 'backends/a/[::1]:443',
        revision: 2,
        data: { change: { ticket: 'CHG-2', reason: null, requested_by: null, approved_by: null }, weight: 7, host: '::1' },
      },
    ])
  })

  test('a pool that no route leads to is created with a warning, which stays', async () => {
    await using api = await harness()
    await api.post('/api/pools', { name: 'a' })
    const second = await api.post('/api/pools', { name: 'b' })
    expect(second).toMatchObject({ status: 201, json: { default_route: false, warnings: [expect.stringContaining('No route')] } })
    expect((await api.get('/api/pools/b')).json.warnings).toEqual(second.json.warnings)
    expect((await api.get('/api/pools/a')).json).not.toHaveProperty('warnings')
  })

  test('without the automatic default route the first pool has the warning too', async () => {
    await using api = await harness({ rules: { ...rules, autoDefaultRoute: false } })
    expect((await api.post('/api/pools', { name: 'a' })).json).toMatchObject({ default_route: false, warnings: [expect.anything()] })
  })

  test('the ETag of a pool is the last revision that touched it or its backends; If-Match holds it', async () => {
    await using api = await harness()
    await api.post('/api/pools', { name: 'a' })
    await api.post('/api/pools', { name: 'b' })
    await api.post('/api/pools/a/backends', { url: 'https://x' }, { 'if-match': '"1"' })
    expect((await api.get('/api/pools/a')).headers['etag']).toBe('"3"')
    expect((await api.get('/api/pools/b')).headers['etag']).toBe('"2"')
    expect((await api.get('/api/pools')).headers['etag']).toBe('"3"')
    const late = await api.post('/api/pools/a/backends', { url: 'https://y' }, { 'if-match': '"1"' })
    expect(late).toMatchObject({ status: 412, json: { code: 'revision_mismatch', revision: 3 } })
    expect((await api.post('/api/pools/a/backends', { url: 'https://y' }, { 'if-match': '*' })).status).toBe(201)
    const wrong = await api.post('/api/pools/a/backends', { url: 'https://z' }, { 'if-match': '1' })
    expect(wrong).toMatchObject({ status: 400, json: { code: 'header_invalid', field: 'If-Match' } })
  })

  test('lists and reads: pools without backends, backends, one backend', async () => {
    await using api = await harness()
    await api.post('/api/pools', { name: 'a' })
    await api.post('/api/pools/a/backends', { url: 'https://[::1]:8443' })
    await api.post('/api/pools/a/backends', { url: 'https://x' })
    const list = await api.get('/api/pools')
    expect(list.json).toMatchObject({ revision: 3, pools: [{ name: 'a', stats: { total_backends: 2 } }] })
    expect(list.json.pools[0]).not.toHaveProperty('backends')
    const backends = await api.get('/api/pools/a/backends')
    expect(backends.json.backends.map(({ id }: { id: string }) => id)).toEqual(['[::1]:8443', 'x:443'])
    const one = await api.get(`/api/pools/a/backends/${encodeURIComponent('[::1]:8443')}`)
    expect(one.json).toEqual(backends.json.backends[0])
    expect((await api.get('/api/pools/a/backends/none:1')).json.code).toBe('backend_unknown')
    expect((await api.get('/api/pools/none')).json.code).toBe('pool_unknown')
    expect((await api.get('/api/pools/none/backends')).json.code).toBe('pool_unknown')
  })

  test('statistics are the fold of what closed plus the counters of what is open', async () => {
    await using api = await harness()
    await api.post('/api/pools', { name: 'a' })
    await api.post('/api/pools/a/backends', { url: 'https://x' })
    await api.post('/api/pools/a/backends', { url: 'https://y' })
    const zero = { opened: 0, closed: 0, bytesToBackend: 0, bytesToClient: 0 }
    api.live.traffic.since = '2026-11-01T08:00:00.000Z'
    api.live.traffic.pools.set('a', {
      ...zero,
      opened: 5,
      bytesToBackend: 100,
      bytesToClient: 1_000,
      backends: new Map([['x:443', { ...zero, opened: 5, closed: 3, bytesToBackend: 100, bytesToClient: 1_000, dialFailures: 4 }]]),
    })
    api.open.set('a x:443', { connections: 2, bytesToBackend: 7, bytesToClient: 11 })
    api.down.set('a y:443', 'ECONNREFUSED')
    expect((await api.get('/api/pools/a')).json).toMatchObject({
      stats: {
        total_backends: 2, healthy_backends: 1, current_connections: 2, total_bytes_transferred: 1_118, since: '2026-11-01T08:00:00.000Z',
      },
      nodes: [
        {
          node: 'memory', self: true, since: '2026-11-01T08:00:00.000Z', healthy_backends: 1,
          backends_down: [{ backend: 'y:443', since: '2026-11-24T08:00:00.000Z', code: 'ECONNREFUSED' }],
          current_connections: 2, total_connections: 5, bytes_to_backend: 107, bytes_to_client: 1_011, dial_failures: 4,
        },
      ],
      backends: [
        {
          health: 'new', health_code: null, current_connections: 2, total_connections: 5, bytes_to_backend: 107,
          bytes_to_client: 1_011, dial_failures: 4,
        },
        { health: 'down', health_code: 'ECONNREFUSED', current_connections: 0, total_connections: 0, bytes_to_backend: 0 },
      ],
    })
  })
})
