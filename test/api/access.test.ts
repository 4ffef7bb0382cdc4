import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { keysMax } from '../../src/api/tally.ts'
import { ManualClock, settled } from '../support/manual-clock.ts'
import { harness, type Harness } from './harness.ts'

/** Every call to the API is on record, whatever it was answered. */

type Method = 'DELETE' | 'GET' | 'HEAD' | 'OPTIONS' | 'PATCH' | 'POST' | 'PUT'

async function on(clock = new ManualClock()): Promise<{ api: Harness; clock: ManualClock }> {
  return { api: await harness({ clock }), clock }
}

async function call(api: Harness, method: Method, url: string, payload = ''): Promise<number> {
  const { statusCode } = await api.app.inject({ method, url, headers: { host: 'localhost:4000' }, ...(payload === '' ? {} : { payload }) })
  return statusCode
}

const access = async (api: Harness) => (await api.records('operations')).filter(({ type }) => type === 'dev.waybill.access.granted.v1')
const byText = (one: unknown, other: unknown): number => (String(one) < String(other) ? -1 : 1)
const said = async (api: Harness) =>
  (await access(api)).map(({ data }) => [data['method'], data['path'], data['status'], data['count']])

describe('a write', () => {
  test('is on record at once, with the change that it made, the caller and the request', async () => {
    const { api } = await on()
    expect(await call(api, 'POST', '/api/pools', '{"name":"a"}')).toBe(201)
    const [control] = await api.records('control')
    expect(await access(api)).toMatchObject([
      {
        subject: 'api',
        data: {
          actor: { authn: 'none', id: 'loopback', type: 'local' }, count: 1, method: 'POST', origin: { ip: '127.0.0.1', via: 'api' },
          path: '/api/pools', record_id: control?.id, since: '2026-11-24T08:00:00.000Z', status: 201,
        },
      },
    ])
    await api[Symbol.asyncDispose]()
  })

  test('has a record of its own each time, also where it changed nothing', async () => {
    const { api } = await on()
    for (const body of ['{"name":"a"}', '{"name":"a"}', '{"name":"A"}', 'nonsense']) await call(api, 'POST', '/api/pools', body)
    await call(api, 'POST', '/api/pools/nowhere/backends', '{"url":"https://a"}')
    await call(api, 'PUT', '/api/pools')
    await call(api, 'DELETE', '/nothing/here')
    await settled()
    expect(await said(api)).toEqual([
      ['POST', '/api/pools', 201, 1], ['POST', '/api/pools', 409, 1], ['POST', '/api/pools', 422, 1], ['POST', '/api/pools', 400, 1],
      ['POST', '/api/pools/nowhere/backends', 404, 1], ['PUT', '/api/pools', 405, 1], ['DELETE', '/nothing/here', 404, 1],
    ])
    const ids = (await access(api)).map(({ data }) => data['record_id'])
    expect(ids.map((id) => id !== null)).toEqual([true, false, false, false, false, false, false])
    await api[Symbol.asyncDispose]()
  })

  test('a problem names the request by the id that is on record', async () => {
    const { api } = await on()
    const answer = await api.post('/api/pools', { name: 'A' })
    await settled()
    expect(answer.json.instance).toBe(`urn:uuid:${String((await access(api))[0]?.data['request_id'])}`)
    await api[Symbol.asyncDispose]()
  })

  test('of which nobody knows whether it took effect names the record to look for', async () => {
    const api = await harness({ appendTimeoutMs: 20 })
    const stalled = api.log.stallCommits('control')
    const answer = await api.post('/api/pools', { name: 'a' })
    expect(answer.json.code).toBe('outcome_unknown')
    await settled()
    expect(await access(api)).toMatchObject([{ data: { record_id: answer.json.record_id, status: 503 } }])
    stalled[Symbol.dispose]()
    await api[Symbol.asyncDispose]()
  })
})

describe('reads', () => {
  test('that are equal within a minute are one record, written when the minute is over', async () => {
    const { api, clock } = await on()
    for (let index = 0; index < 5; index += 1) {
      await call(api, 'GET', `/api/pools?page=${index}`.replace(/\?.*/, ''))
      await clock.run(10_000)
    }
    await call(api, 'GET', '/api/pools/nowhere')
    expect(await said(api)).toEqual([])
    await clock.run(10_000)
    expect(await said(api)).toEqual([['GET', '/api/pools', 200, 5]])
    expect((await access(api))[0]?.data).toMatchObject({ since: '2026-11-24T08:00:00.000Z', origin: { port: null }, record_id: null, request_id: null })
    await clock.run(50_000)
    expect(await said(api)).toEqual([['GET', '/api/pools', 200, 5], ['GET', '/api/pools/nowhere', 404, 1]])
    await call(api, 'GET', '/api/pools')
    await api.app.close()
    expect((await said(api)).slice(2)).toEqual([['GET', '/api/pools', 200, 1]])
    await api[Symbol.asyncDispose]()
  })

  test('that differ in method, path or status are not equal; the query does not tell them apart, and is not on record', async () => {
    const { api, clock } = await on()
    for (const url of ['/api/pools', '/api/pools?limit=7', '/api/pools?limit=0', '/nothing', '/nothing?token=secret', '/%zz']) await call(api, 'GET', url)
    await call(api, 'HEAD', '/api/pools')
    await clock.run(61_000)
    expect((await said(api)).toSorted(byText)).toEqual([
      ['GET', '/%zz', 400, 1], ['GET', '/api/pools', 200, 2], ['GET', '/api/pools', 422, 1], ['GET', '/nothing', 404, 2], ['HEAD', '/api/pools', 200, 1],
    ])
    expect(JSON.stringify(await api.records('operations'))).not.toContain('secret')
    await api[Symbol.asyncDispose]()
  })

  test('of more paths than are told apart are counted together', async () => {
    const { api, clock } = await on()
    for (let index = 0; index < keysMax + 10; index += 1) await call(api, 'GET', `/nothing/${index}`)
    await clock.run(61_000)
    const all = await said(api)
    expect(all).toHaveLength(keysMax + 1)
    expect(all.filter(([, path]) => path === '*')).toEqual([['GET', '*', 404, 10]])
    await api[Symbol.asyncDispose]()
  })

  test('of a hostile path are on record cut and well-formed', async () => {
    const { api, clock } = await on()
    await call(api, 'GET', `/${'x'.repeat(2_000)}`)
    await clock.run(61_000)
    expect((await access(api))[0]?.data['path']).toBe(`/${'x'.repeat(511)}`)
    await api[Symbol.asyncDispose]()
  })

  test('of probes and of audit data leave no such record; a failed read of audit data does', async () => {
    const { api, clock } = await on()
    for (const url of ['/health/live', '/health/ready', '/api/events?stream=control', '/api/events?stream=nonsense']) await call(api, 'GET', url)
    await call(api, 'HEAD', '/health/live')
    await call(api, 'POST', '/health/live')
    await clock.run(61_000)
    expect(await said(api)).toEqual([['POST', '/health/live', 405, 1], ['GET', '/api/events', 422, 1]])
    await api[Symbol.asyncDispose]()
  })
})

test('a call that was turned away is denied, and nothing else', async () => {
  const { api, clock } = await on()
  await api.get('/api/pools', { host: 'evil.example' })
  await clock.run(61_000)
  expect((await api.records('operations')).map(({ type, data }) => [type, data['since'], data['path']])).toEqual([
    ['dev.waybill.access.denied.v1', '2026-11-24T08:00:00.000Z', '/api/pools'],
  ])
  await api[Symbol.asyncDispose]()
})

test('what never became a request is on record without one', async () => {
  const { api, clock } = await on()
  await api.app.listen({ host: '127.0.0.1', port: 0 })
  for (const text of ['NOT HTTP AT ALL\r\n\r\n', 'NEITHER\r\n\r\n', `GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`]) {
    const socket = connect((api.app.server.address() as AddressInfo).port)
    socket.end(text)
    await once(socket.resume(), 'close')
  }
  await clock.run(61_000)
  expect((await access(api)).map(({ data }) => [data['method'], data['path'], data['status'], data['count'], data['origin']])).toEqual([
    [null, null, 400, 2, { ip: '127.0.0.1', port: null, via: 'api' }],
    [null, null, 431, 1, { ip: '127.0.0.1', port: expect.any(Number), via: 'api' }],
  ])
  await api[Symbol.asyncDispose]()
})

describe('while the log takes no records', () => {
  test('calls are kept, writes one by one, and are on record after', async () => {
    const { api, clock } = await on()
    const broken = api.log.breakCommits('operations', 'not_written')
    for (const name of ['a', 'b', 'b']) await call(api, 'POST', '/api/pools', `{"name":"${name}"}`)
    for (let index = 0; index < 3; index += 1) await call(api, 'GET', '/api/pools')
    await clock.run(120_000)
    await call(api, 'GET', '/api/pools')
    await clock.run(120_000)
    expect(await said(api)).toEqual([])
    broken[Symbol.dispose]()
    await clock.run(10_000)
    expect((await said(api)).toSorted(byText)).toEqual([
      ['GET', '/api/pools', 200, 4], ['POST', '/api/pools', 201, 1], ['POST', '/api/pools', 201, 1], ['POST', '/api/pools', 409, 1],
    ])
    await api[Symbol.asyncDispose]()
  })

  test('more writes than are kept one by one are counted', async () => {
    const { api, clock } = await on()
    const broken = api.log.breakCommits('operations', 'not_written')
    for (let index = 0; index < keysMax + 20; index += 1) await call(api, 'POST', '/api/pools', 'nonsense')
    broken[Symbol.dispose]()
    await clock.run(10_000)
    const all = await said(api)
    expect(all.length).toBeLessThanOrEqual(keysMax + 1)
    expect(all.reduce((sum, [, , , count]) => sum + Number(count), 0)).toBe(keysMax + 20)
    await api[Symbol.asyncDispose]()
  })

  test('an answer does not wait for its record, and what is lost at the end is said', async () => {
    const api = await harness({ appendTimeoutMs: 20 })
    const broken = api.log.breakCommits('operations', 'not_written')
    expect(await call(api, 'POST', '/api/pools', '{"name":"a"}')).toBe(201)
    await api.app.close()
    expect(api.lines).toContainEqual(expect.stringContaining('not on record'))
    broken[Symbol.dispose]()
    await api[Symbol.asyncDispose]()
  })

  test('a log that hangs holds up no answer', async () => {
    const api = await harness({ appendTimeoutMs: 20 })
    const stalled = api.log.stallCommits('operations')
    expect(await call(api, 'POST', '/api/pools', '{"name":"a"}')).toBe(201)
    expect(await call(api, 'GET', '/api/pools')).toBe(200)
    stalled[Symbol.dispose]()
    await api[Symbol.asyncDispose]()
  })
})
