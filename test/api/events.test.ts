import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import type { Draft } from '../../events/envelope.ts'
import { readersMax } from '../../src/api/events.ts'
import { LogDamaged } from '../../src/log/event-log.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { harness, type Harness } from './harness.ts'

async function withPools(): Promise<Harness> {
  const api = await harness()
  for (const name of ['a', 'b', 'c']) await api.post('/api/pools', { name })
  return api
}

async function texts(api: Harness, stream: 'control' | 'operations'): Promise<string[]> {
  const found: string[] = []
  for await (const batch of api.log.read(stream, { after: null, follow: false })) {
    for (const { bytes } of batch) found.push(`${Buffer.from(bytes).toString()}\n`)
  }
  return found
}

const reads = async (api: Harness) =>
  (await api.records('operations'))
    .filter(({ type }) => type === 'dev.waybill.log.read.v1')
    .map(({ data }) => [data['stream'], data['follow'], data['outcome'], data['records']])

describe('a plain read', () => {
  test('gives the exact bytes, one record a line, and is on record when it ends', async () => {
    await using api = await withPools()
    const answer = await api.get('/api/events?stream=control')
    expect(answer.headers).toMatchObject({
      'content-type': 'application/x-ndjson', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff',
    })
    expect(answer.body).toBe((await texts(api, 'control')).join(''))
    expect(await reads(api)).toEqual([['control', false, 'ended', 3]])
    expect((await api.records('operations')).at(-1)).toMatchObject({
      type: 'dev.waybill.log.read.v1', subject: 'log/control', data: { actor: { id: 'loopback' }, origin: { ip: '127.0.0.1', via: 'api' } },
    })
  })

  test('of all streams gives one after the other', async () => {
    await using api = await withPools()
    await api.get('/api/events?stream=connections')
    const before = await texts(api, 'operations')
    expect((await api.get('/api/events')).body).toBe([...(await texts(api, 'control')), ...before].join(''))
  })

  test('says where it ended, and goes on from there', async () => {
    await using api = await withPools()
    const first = await api.get('/api/events?stream=control')
    const position = String(first.headers['waybill-position'])
    expect((await api.get(`/api/events?stream=control&after=${position}`)).body).toBe('')
    await api.post('/api/pools', { name: 'd' })
    const rest = await api.get(`/api/events?stream=control&after=${position}`)
    expect(rest.body).toBe((await texts(api, 'control'))[3])
    expect(rest.headers['waybill-position']).not.toBe(position)
  })

  test.each([
    ['position_unknown', 'after', '?stream=control&after=nonsense'],
    ['position_unknown', 'after', '?stream=control&after=99'],
    ['position_unknown', 'after', '?stream=connections&after=0'],
    ['field_invalid', 'after', '?after=0'],
    ['field_invalid', 'after', '?stream=control&after='],
    ['field_invalid', 'stream', '?stream=conections'],
    ['field_invalid', 'follow', '?follow=yes'],
    ['position_unknown', 'after', '?after=all:99,,'],
    ['position_unknown', 'after', '?after=all:%25zz,,'],
    ['field_invalid', 'after', '?after=all:,'],
    ['field_invalid', 'limit', '?limit=0'],
    ['field_invalid', 'limit', '?limit=1001'],
    ['field_invalid', 'limit', '?limit=3&follow=true'],
    ['field_invalid', 'limit', '?limit=3&format=sse'],
    ['field_invalid', 'type', '?type=Pool'],
    ['field_invalid', 'from', '?from=yesterday'],
    ['field_invalid', 'to', '?to=2026-02-30T00:00:00Z'],
    ['field_invalid', 'connection', '?connection=1'],
    ['field_invalid', 'nonsense', '?nonsense=1'],
  ])('%s %s for %s', async (code, field, query) => {
    await using api = await withPools()
    expect((await api.get(`/api/events${query}`)).json).toMatchObject({ status: 422, code, field })
    expect(await reads(api)).toEqual([])
  })

  test('is not refused for want of a record: that is written when the log takes records again', async () => {
    const clock = new ManualClock()
    await using api = await harness({ clock })
    for (const name of ['a', 'b']) await api.post('/api/pools', { name })
    const broken = api.log.breakCommits('operations', 'not_written')
    expect((await api.get('/api/events?stream=control')).body.split('\n')).toHaveLength(3)
    await clock.run(60_000)
    expect(await reads(api)).toEqual([])
    broken[Symbol.dispose]()
    await clock.run(10_000)
    expect(await reads(api)).toEqual([['control', false, 'ended', 2]])
  })

  test('of which there is no record in the end is said in the program\'s own log', async () => {
    const api = await withPools()
    const broken = api.log.breakCommits('operations', 'not_written')
    await api.get('/api/events?stream=control')
    await api.app.close()
    expect(api.lines).toContainEqual(expect.stringContaining('a read of audit data is not on record'))
    broken[Symbol.dispose]()
    await api[Symbol.asyncDispose]()
  })
})

test('a log that can\'t be read is no bug of this program: 503, and it goes on', async () => {
  await using api = await withPools()
  api.log.read = () => {
    throw new LogDamaged('control/00000000000000000000.jsonl: line 1 is not what was written')
  }
  const { json } = await api.get('/api/events?stream=control&after=0')
  expect(json).toMatchObject({ status: 503, code: 'log_unreadable', detail: expect.stringContaining('line 1') })
  expect(api.violations).toEqual([])
})

describe('over a real connection', () => {
  async function open(api: Harness, query: string): Promise<IncomingMessage> {
    if (!api.app.server.listening) await api.app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = api.app.server.address() as AddressInfo
    const [response] = (await once(get({ port, path: `/api/events${query}`, agent: false }), 'response')) as [IncomingMessage]
    return response
  }
  async function lineOf(response: IncomingMessage): Promise<string> {
    let text = ''
    while (!text.endsWith('\n')) {
      const chunk = response.read() as Buffer | null
      if (chunk === null) await once(response, 'readable')
      else text += chunk.toString()
    }
    return text
  }

  test('a follower is answered at once, gets records as they are written, and is on record at start and end', async () => {
    await using api = await harness()
    const response = await open(api, '?stream=control&follow=true')
    expect(response.statusCode).toBe(200)
    expect(await reads(api)).toEqual([['control', true, 'started', 0]])
    for (const name of ['a', 'b']) {
      await api.post('/api/pools', { name })
      expect(await lineOf(response)).toBe((await texts(api, 'control')).at(-1))
    }
    response.destroy()
    await recordOf(api, 'ended')
    expect(await reads(api)).toEqual([['control', true, 'started', 0], ['control', true, 'ended', 2]])
  })

  test('a follower of all streams sees all of them', async () => {
    await using api = await harness()
    const response = await open(api, '?follow=true')
    await api.post('/api/pools', { name: 'a' })
    const types = new Set<string>()
    while (!types.has('dev.waybill.pool.created.v1') || !types.has('dev.waybill.log.read.v1')) {
      for (const line of (await lineOf(response)).trim().split('\n')) types.add((JSON.parse(line) as { type: string }).type)
    }
    response.destroy()
    await recordOf(api, 'ended')
  })

  test('closing the API ends what still streams, on record', async () => {
    const api = await harness()
    const response = await open(api, '?stream=control&follow=true')
    response.resume()
    const ended = once(response, 'end')
    await api.app.close()
    await ended
    expect(await reads(api)).toEqual([['control', true, 'started', 0], ['control', true, 'ended', 0]])
    await api[Symbol.asyncDispose]()
  })

  test('a client that does not read holds little, and one that goes away ends the read', async () => {
    await using api = await harness()
    const data = { filler: 'x'.repeat(30_000) }
    for (let index = 0; index < 40; index += 1) {
      const batch = Array.from({ length: 20 }, (_, part): Draft => ({
        id: `0198c0de-0000-7000-8000-${String(index * 20 + part).padStart(12, '0')}`, type: 'dev.waybill.test.v1', subject: 'x',
        time: '2026-11-24T08:00:00.000Z', partitionkey: 'n', data,
      })) as [Draft, ...Draft[]]
      await api.log.append('connections', batch, { purpose: 'owed' })
    }
    const response = await open(api, '?stream=connections')
    await once(response, 'readable')
    response.destroy()
    await recordOf(api, 'ended')
    const [[stream, , outcome, records]] = (await reads(api)) as [unknown[]]
    expect([stream, outcome]).toEqual(['connections', 'ended'])
    // What fits into socket buffers, and not the 24 MB that there are.
    expect(records).toBeLessThan(800)
  })

  test('there is an end to how many may read at once', async () => {
    await using api = await harness()
    await api.app.listen({ host: '127.0.0.1', port: 0 })
    const readers = await Promise.all(Array.from({ length: readersMax }, () => open(api, '?stream=control&follow=true')))
    const more = await open(api, '?stream=control&follow=true')
    expect(more.statusCode).toBe(503)
    expect(await lineless(more)).toContain('too_many_readers')
    for (const reader of readers) reader.destroy()
  })

  async function lineless(response: IncomingMessage): Promise<string> {
    let text = ''
    for await (const chunk of response) text += String(chunk)
    return text
  }

  /** Resolves when the operations stream has a `log.read` with this outcome. */
  async function recordOf(api: Harness, outcome: string): Promise<void> {
    for await (const batch of api.log.read('operations', { after: null, follow: true })) {
      if (batch.some(({ bytes }) => Buffer.from(bytes).toString().includes(`"outcome":"${outcome}"`))) return
    }
  }
})
