import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import type { Draft } from '../../events/envelope.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { harness, type Harness } from './harness.ts'

/** GET /api/events as server-sent events, as a browser's EventSource reads them (WHATWG HTML, section 9.2). */

interface SentEvent {
  readonly id: string
  readonly event: string
  readonly data: string
}

const subjectOf = ({ data }: SentEvent): string => (JSON.parse(data) as { subject: string }).subject

/** What a browser makes of the stream. */
class EventSource implements Disposable {
  readonly response: IncomingMessage
  #text = ''
  lastEventId = ''
  comments = 0

  constructor(response: IncomingMessage) {
    this.response = response.setEncoding('utf8')
  }

  async next(): Promise<SentEvent> {
    for (;;) {
      const block = await this.#block()
      const fields = block.split('\n')
      const valueOf = (name: string): string | undefined => fields.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
      this.comments += fields.filter((line) => line.startsWith(':')).length
      this.lastEventId = valueOf('id') ?? this.lastEventId
      const data = valueOf('data')
      if (data !== undefined) return { id: this.lastEventId, event: valueOf('event') ?? 'message', data }
    }
  }

  /** Reads what keeps the stream alive, without an event. */
  async heartbeat(): Promise<string> {
    const block = await this.#block()
    expect(block).toMatch(/^: waybill\nid: \S+$/)
    this.lastEventId = block.slice(block.indexOf('id: ') + 4)
    return this.lastEventId
  }

  async #block(): Promise<string> {
    while (!this.#text.includes('\n\n')) {
      const chunk = this.response.read() as string | null
      if (chunk === null) await once(this.response, 'readable')
      else this.#text += chunk
    }
    const end = this.#text.indexOf('\n\n')
    const block = this.#text.slice(0, end)
    this.#text = this.#text.slice(end + 2)
    return block
  }

  [Symbol.dispose](): void {
    this.response.destroy()
  }
}

async function connected(api: Harness, query: string, headers: Record<string, string> = { accept: 'text/event-stream' }): Promise<EventSource> {
  if (!api.app.server.listening) await api.app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = api.app.server.address() as AddressInfo
  const [response] = (await once(get({ port, path: `/api/events${query}`, agent: false, headers }), 'response')) as [IncomingMessage]
  expect(response.statusCode).toBe(200)
  expect(response.headers['content-type']).toBe('text/event-stream')
  return new EventSource(response)
}

const control = async (api: Harness) => (await api.records('control')).map((event) => event.id)

test('gives records as they are written: position as id, type as event, exact bytes as data', async () => {
  await using api = await harness()
  await api.post('/api/pools', { name: 'before' })
  using source = await connected(api, '?stream=control')
  await api.post('/api/pools', { name: 'a' })
  const event = await source.next()
  expect(event.event).toBe('dev.waybill.pool.created.v1')
  const [, stored] = (await api.get('/api/events?stream=control')).body.split('\n')
  expect(event.data).toBe(stored)
  expect(event.id).toBe((await api.get('/api/events?stream=control&limit=1&after=now')).headers['waybill-position'])
})

test('from the start when asked, and in the other format when that is said', async () => {
  await using api = await harness()
  for (const name of ['a', 'b']) await api.post('/api/pools', { name })
  using source = await connected(api, '?stream=control&after=start&format=sse', {})
  expect([subjectOf(await source.next()), subjectOf(await source.next())]).toEqual(['pools/a', 'pools/b'])
  const plain = await api.get('/api/events?stream=control&format=ndjson', { accept: 'text/event-stream' })
  expect(plain.headers['content-type']).toBe('application/x-ndjson')
})

test('only what matches', async () => {
  await using api = await harness()
  using source = await connected(api, '?pool=b')
  for (const name of ['a', 'b']) await api.post('/api/pools', { name })
  expect(subjectOf(await source.next())).toBe('pools/b')
})

describe('a client that comes back', () => {
  test('goes on after the last event that it saw', async () => {
    await using api = await harness()
    let lastEventId: string
    {
      using source = await connected(api, '?stream=control')
      await api.post('/api/pools', { name: 'a' })
      await source.next()
      ;({ lastEventId } = source)
    }
    for (const name of ['b', 'c']) await api.post('/api/pools', { name })
    // Before the address that it was first given.
    using again = await connected(api, '?stream=control&after=start', { accept: 'text/event-stream', 'last-event-id': lastEventId })
    expect([subjectOf(await again.next()), subjectOf(await again.next())]).toEqual(['pools/b', 'pools/c'])
  })

  test('misses nothing even when it saw no event', async () => {
    await using api = await harness()
    await api.post('/api/pools', { name: 'a' })
    const source = await connected(api, '?stream=control')
    const lastEventId = await source.heartbeat()
    source[Symbol.dispose]()
    await api.post('/api/pools', { name: 'b' })
    using again = await connected(api, '?stream=control', { accept: 'text/event-stream', 'last-event-id': lastEventId })
    expect(subjectOf(await again.next())).toBe('pools/b')
  })

  test('sees every record of several streams exactly once, wherever it broke off', async () => {
    await using api = await harness()
    const seen: string[] = []
    let lastEventId = 'start'
    for (let round = 0; round < 12; round += 1) {
      await api.post('/api/pools', { name: `p${round}` })
      using source = await connected(api, '?type=pool', { accept: 'text/event-stream', 'last-event-id': lastEventId })
      for (let events = 0; events < round % 3 && seen.length <= round; events += 1) {
        const event = await source.next()
        seen.push((JSON.parse(event.data) as { id: string }).id)
        lastEventId = event.id
      }
    }
    using rest = await connected(api, '?type=pool', { accept: 'text/event-stream', 'last-event-id': lastEventId })
    while (seen.length < 12) seen.push((JSON.parse((await rest.next()).data) as { id: string }).id)
    expect(seen).toEqual(await control(api))
  })

  test('with a position that this log does not have is told so', async () => {
    await using api = await harness()
    const answer = await api.get('/api/events?stream=control', { accept: 'text/event-stream', 'last-event-id': '99' })
    expect(answer.json).toMatchObject({ status: 422, code: 'position_unknown' })
  })
})

test('a heartbeat every 15 s carries the position on, past what does not match', async () => {
  const clock = new ManualClock()
  await using api = await harness({ clock })
  using source = await connected(api, '?stream=control&pool=none')
  const first = await source.heartbeat()
  await api.post('/api/pools', { name: 'a' })
  await clock.run(14_999)
  await clock.run(1)
  const second = await source.heartbeat()
  expect(second).not.toBe(first)
  await clock.run(15_000)
  expect(await source.heartbeat()).toBe(second)
})

test('a client that does not read is sent no more than fits into its buffers, heartbeats included', async () => {
  const clock = new ManualClock()
  await using api = await harness({ clock })
  for (let index = 0; index < 40; index += 1) {
    const batch = Array.from({ length: 20 }, (_, part): Draft => ({
      id: `0198c0de-0000-7000-8000-${String(index * 20 + part).padStart(12, '0')}`, type: 'dev.waybill.test.v1', subject: 'x',
      time: '2026-11-24T08:00:00.000Z', partitionkey: 'n', data: { filler: 'x'.repeat(30_000) },
    })) as [Draft, ...Draft[]]
    await api.log.append('connections', batch, { purpose: 'owed' })
  }
  const source = await connected(api, '?stream=connections&after=start')
  await once(source.response, 'readable')
  await clock.run(600_000)
  source[Symbol.dispose]()
  for await (const batch of api.log.read('operations', { after: null, follow: true })) {
    const ended = batch.map(({ bytes }) => Buffer.from(bytes).toString()).find((text) => text.includes('"outcome":"ended"'))
    if (ended === undefined) continue
    // Of the 800 records, 24 MB, that there are.
    expect((JSON.parse(ended) as { data: { records: number } }).data.records).toBeLessThan(800)
    break
  }
})
