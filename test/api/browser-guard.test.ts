import { describe, expect, test } from 'vitest'
import { ManualClock, settled } from '../support/manual-clock.ts'
import { harness, type Harness } from './harness.ts'

describe('who may call', () => {
  test.each([
    [{ host: 'localhost:4000' }],
    [{ host: 'LOCALHOST:4000' }],
    [{ host: '127.0.0.1:4000' }],
    [{ host: '[::1]:4000' }],
    [{ host: 'localhost:4000', origin: 'http://localhost:4000' }],
    [{ host: 'localhost:4000', origin: 'http://127.0.0.1:4000' }],
    [{ host: 'localhost:4000', 'sec-fetch-site': 'same-origin' }],
    [{ host: 'localhost:4000', 'sec-fetch-site': 'none' }],
  ])('%j is let in', async (headers) => {
    await using api = await harness()
    const answer = await api.get('/health/live', headers)
    expect(answer.status).toBe(200)
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([])
  })

  test.each([
    ['host_not_ours', 421, { host: 'evil.example:4000' }],
    ['host_not_ours', 421, { host: 'localhost' }],
    ['host_not_ours', 421, { host: 'localhost:4001' }],
    ['host_not_ours', 421, { host: 'localhost:4000.evil.example' }],
    ['host_not_ours', 421, { host: '127.0.0.2:4000' }],
    ['host_not_ours', 421, { host: '' }],
    ['origin_not_ours', 403, { origin: 'http://evil.example' }],
    ['origin_not_ours', 403, { origin: 'null' }],
    ['origin_not_ours', 403, { origin: 'https://localhost:4000' }],
    ['origin_not_ours', 403, { origin: 'http://localhost:3000' }],
    ['origin_not_ours', 403, { origin: 'http://localhost:4000.evil.example' }],
    ['cross_site', 403, { 'sec-fetch-site': 'cross-site' }],
    ['cross_site', 403, { 'sec-fetch-site': 'same-site' }],
    ['cross_site', 403, { 'sec-fetch-site': 'something-new' }],
  ])('%s (%i) for %j: turned away before anything happens, and on record', async (because, status, headers) => {
    const clock = new ManualClock()
    await using api = await harness({ clock })
    const answer = await api.post('/api/pools?secret=1', { name: 'a' }, headers)
    expect(answer).toMatchObject({ status, json: { code: because } })
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([])
    expect(api.live.routing.pools.size).toBe(0)
    await clock.run(1_000)
    expect(await api.records('operations')).toMatchObject([
      {
        type: 'dev.waybill.access.denied.v1',
        subject: 'api',
        data: {
          actor: { id: 'loopback' }, because, count: 1, method: 'POST', origin: { ip: '127.0.0.1', via: 'api' },
          path: '/api/pools', status,
        },
      },
    ])
  })

  test('addresses that there are not, and methods, are not told to strangers', async () => {
    await using api = await harness()
    expect((await api.get('/nothing', { host: 'evil.example' })).json.code).toBe('host_not_ours')
    const put = await api.app.inject({ method: 'PUT', url: '/api/pools', headers: { host: 'evil.example' } })
    expect(put.json().code).toBe('host_not_ours')
  })
})

describe('a flood of denied calls', () => {
  const denials = async (api: Harness) =>
    (await api.records('operations')).map(({ data }) => [data['because'], data['count'], data['origin']])
  const deny = async (api: Harness, times: number, headers: Record<string, string>): Promise<void> => {
    for (let index = 0; index < times; index += 1) await api.get('/api/pools', headers)
  }
  const evil = { origin: 'http://evil.example' }

  test('is one record a second for each reason and address, with exact counts', async () => {
    const clock = new ManualClock()
    await using api = await harness({ clock })
    await deny(api, 50, evil)
    await deny(api, 7, { host: 'evil.example' })
    await clock.run(1_000)
    const origin = { ip: '127.0.0.1', port: null, via: 'api' }
    expect(await denials(api)).toEqual([['origin_not_ours', 50, origin], ['host_not_ours', 7, origin]])
    await clock.run(5_000)
    await deny(api, 2, evil)
    await clock.run(1_000)
    expect((await denials(api)).slice(2)).toEqual([['origin_not_ours', 2, origin]])
  })

  test('keeps its counts over a time without a log, and writes the rest at the end', async () => {
    const clock = new ManualClock()
    const api = await harness({ clock })
    const broken = api.log.breakCommits('operations', 'not_written')
    await deny(api, 3, evil)
    await clock.run(3_000)
    await deny(api, 4, evil)
    await clock.run(3_000)
    expect(await denials(api)).toEqual([])
    broken[Symbol.dispose]()
    await clock.run(10_000)
    await settled()
    expect((await denials(api)).map(([, count]) => count)).toEqual([7])
    await deny(api, 5, evil)
    await api.app.close()
    expect((await denials(api)).map(([, count]) => count)).toEqual([7, 5])
    await api[Symbol.asyncDispose]()
  })
})
