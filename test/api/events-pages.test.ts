import { describe, expect, test } from 'vitest'
import type { Draft } from '../../events/envelope.ts'
import { harness, type Answered, type Harness } from './harness.ts'

/** GET /api/events with filters, and page by page. */

async function withHistory(): Promise<Harness> {
  const api = await harness()
  for (const name of ['a', 'b', 'c']) await api.post('/api/pools', { name })
  await api.post('/api/pools/b/backends', { url: 'https://10.0.0.1:443' })
  await api.post('/api/pools/b/backends', { url: 'https://10.0.0.2:443' })
  return api
}

const lines = ({ body }: Answered): string[] => body.split('\n').slice(0, -1)
const subjects = (answer: Answered): unknown[] => lines(answer).map((line) => (JSON.parse(line) as { subject: string }).subject)
const nextOf = ({ headers }: Answered): string | undefined => /^<(.+)>; rel="next"$/.exec(typeof headers['link'] === 'string' ? headers['link'] : '')?.[1]

describe('a filter', () => {
  test.each([
    ['type=backend', ['backends/b/10.0.0.1:443', 'backends/b/10.0.0.2:443']],
    ['type=pool.created&pool=b', ['pools/b']],
    ['pool=b', ['pools/b', 'backends/b/10.0.0.1:443', 'backends/b/10.0.0.2:443']],
    ['backend=10.0.0.2:443', ['backends/b/10.0.0.2:443']],
    ['subject=pools/*', ['pools/a', 'pools/b', 'pools/c']],
    ['subject=pools/c', ['pools/c']],
    ['actor=loopback&type=pool', ['pools/a', 'pools/b', 'pools/c']],
    ['actor=nobody', []],
    ['to=2020-01-01T00:00:00Z', []],
    ['from=2020-01-01T00:00:00%2B01:00&subject=pools/a', ['pools/a']],
    ['connection=0198c0de-0000-7000-8000-000000000001', []],
  ])('%s', async (query, expected) => {
    await using api = await withHistory()
    const answer = await api.get(`/api/events?stream=control&${query}`)
    expect(answer.status).toBe(200)
    expect(subjects(answer)).toEqual(expected)
  })

  test('is exact bytes still, and what is passed over is not counted as read', async () => {
    await using api = await withHistory()
    const all = lines(await api.get('/api/events?stream=control'))
    expect(lines(await api.get('/api/events?stream=control&subject=pools/b'))).toEqual([all[1]])
    const reads = (await api.records('operations')).filter(({ type }) => type === 'dev.waybill.log.read.v1')
    expect(reads.map(({ data }) => data['records'])).toEqual([5, 1])
  })

  test('does not move where the answer ends', async () => {
    await using api = await withHistory()
    const [all, few] = [await api.get('/api/events?stream=control'), await api.get('/api/events?stream=control&pool=a')]
    expect(few.headers['waybill-position']).toBe(all.headers['waybill-position'])
  })
})

describe('pages', () => {
  test('lead from one to the next until there are no more', async () => {
    await using api = await withHistory()
    const all = lines(await api.get('/api/events?stream=control'))
    const found: string[][] = []
    for (let next: string | undefined = '/api/events?stream=control&limit=2'; next !== undefined;) {
      const page = await api.get(next)
      expect(page.headers['content-type']).toBe('application/x-ndjson')
      found.push(lines(page))
      next = nextOf(page)
    }
    expect(found).toEqual([all.slice(0, 2), all.slice(2, 4), all.slice(4)])
  })

  test('the last one says where to go on when there is more', async () => {
    await using api = await withHistory()
    const last = await api.get('/api/events?stream=control&limit=1000')
    expect(nextOf(last)).toBeUndefined()
    const after = `/api/events?stream=control&limit=1000&after=${String(last.headers['waybill-position'])}`
    expect(lines(await api.get(after))).toEqual([])
    await api.post('/api/pools', { name: 'd' })
    expect(subjects(await api.get(after))).toEqual(['pools/d'])
  })

  test('keep the filter and the order of the streams', async () => {
    await using api = await withHistory()
    const found: unknown[] = []
    let pages = 0
    for (let next: string | undefined = '/api/events?limit=2&pool=b&type=backend'; next !== undefined; pages += 1) {
      const page = await api.get(next)
      found.push(...subjects(page))
      next = nextOf(page)
    }
    expect(found).toEqual(['backends/b/10.0.0.1:443', 'backends/b/10.0.0.2:443'])
    expect(pages).toBeGreaterThan(1)
  })

  test('of all streams hold every record once, whatever their size', async () => {
    await using api = await withHistory()
    const expected = [...(await api.records('control')), ...(await api.records('operations'))].map(({ id }) => id)
    for (const limit of [1, 3, 4, 1000]) {
      const found: string[] = []
      let next: string | undefined = `/api/events?limit=${limit}`
      while (next !== undefined && found.length < expected.length) {
        const page = await api.get(next)
        found.push(...lines(page).map((line) => (JSON.parse(line) as { id: string }).id))
        next = nextOf(page)
      }
      expect(found.slice(0, expected.length)).toEqual(expected)
    }
  })

  test('hold no more than fits in memory', async () => {
    await using api = await harness()
    for (let index = 0; index < 20; index += 1) {
      const batch = Array.from({ length: 10 }, (_, part): Draft => ({
        id: `0198c0de-0000-7000-8000-${String(index * 10 + part).padStart(12, '0')}`, type: 'dev.waybill.test.v1', subject: 'x',
        time: '2026-11-24T08:00:00.000Z', partitionkey: 'n', data: { filler: 'x'.repeat(30_000) },
      })) as [Draft, ...Draft[]]
      await api.log.append('connections', batch, { purpose: 'owed' })
    }
    const first = await api.get('/api/events?stream=connections&limit=1000')
    expect(first.body.length).toBeLessThan(4.1 * 1024 * 1024)
    const second = await api.get(nextOf(first)!)
    expect(nextOf(second)).toBeUndefined()
    expect(lines(first).length + lines(second).length).toBe(200)
  })

  test('are on record once each, with what they held', async () => {
    await using api = await withHistory()
    await api.get('/api/events?stream=control&limit=2')
    const reads = (await api.records('operations')).filter(({ type }) => type === 'dev.waybill.log.read.v1')
    expect(reads.map(({ data }) => [data['stream'], data['follow'], data['outcome'], data['records']])).toEqual([['control', false, 'ended', 2]])
  })

  test('end at the newest record of their beginning, whatever is written meanwhile', async () => {
    await using api = await withHistory()
    const read = api.log.read.bind(api.log)
    api.log.read = async function* (stream, options) {
      await api.post('/api/pools', { name: 'late' })
      yield* read(stream, options)
    }
    const page = await api.get('/api/events?stream=control&limit=1000')
    expect(subjects(page)).not.toContain('pools/late')
    api.log.read = read
    const next = await api.get(`/api/events?stream=control&after=${String(page.headers['waybill-position'])}`)
    expect(subjects(next)).toEqual(['pools/late'])
  })

  test('now is a place without a position', async () => {
    await using api = await withHistory()
    const now = await api.get('/api/events?stream=control&limit=1&after=now')
    expect(lines(now)).toEqual([])
    await api.post('/api/pools', { name: 'd' })
    expect(subjects(await api.get(`/api/events?stream=control&after=${String(now.headers['waybill-position'])}`))).toEqual(['pools/d'])
    const empty = await api.get('/api/events?stream=connections&limit=1')
    expect(empty.headers['waybill-position']).toBe('start')
  })
})
