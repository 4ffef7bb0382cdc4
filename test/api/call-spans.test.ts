import type { AddressInfo } from 'node:net'
import { describe, expect, test, vi } from 'vitest'
import { readTraceparent, spanIdsOf, traceparentOf, type BegunCall, type EndedCall, type Tracing } from '../../src/core/tracing.ts'
import { harness, type StoredEvent } from './harness.ts'

/** Records of a call say which trace it was part of; with tracing on it is the span that the call itself gets. */

const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const pool = { name: 'app', backends: [{ url: 'https://127.0.0.1:9001' }] }

type Traced = StoredEvent & { readonly traceparent?: string }

/** Samples every call, as its caller may not have. */
function tracing(): Tracing & { readonly begun: BegunCall[]; readonly ended: EndedCall[] } {
  const [begun, ended]: [BegunCall[], EndedCall[]] = [[], []]
  return {
    begun, ended,
    begin: (call) => {
      begun.push(call)
      const { spanId, traceId } = spanIdsOf(call.requestId)
      return { spanId, traceId, traceparent: traceparentOf(call.parent?.traceId ?? traceId, spanId, true), end: (end) => ended.push(end) }
    },
  }
}

async function accesses(api: Awaited<ReturnType<typeof harness>>): Promise<readonly Traced[]> {
  await api.app.close()
  return (await api.records('operations')).filter(({ type }) => /access|log\.read/.test(type))
}

describe('without tracing', () => {
  test('a change and its access have the trace that the caller said, others have no such attribute', async () => {
    await using api = await harness()
    await api.post('/api/pools', pool, { traceparent })
    await api.post('/api/pools/app/backends', { url: 'https://127.0.0.1:9002' })
    const changes: readonly Traced[] = await api.records('control')
    expect(changes.map((change) => change.traceparent)).toEqual([traceparent, undefined])
    expect(changes[1]).not.toHaveProperty('traceparent')
    expect((await accesses(api)).map((access) => access.traceparent)).toEqual([traceparent, undefined])
  })

  test('every kind of change has it', async () => {
    await using api = await harness()
    const headers = { traceparent }
    await api.post('/api/pools', pool, headers)
    await api.call('PATCH', '/api/pools/app', { owner: 'ada' }, headers)
    await api.post('/api/pools/app/backends', { url: 'https://127.0.0.1:9002' }, headers)
    await api.call('PATCH', '/api/pools/app/backends/127.0.0.1:9002', { weight: 3 }, headers)
    await api.post('/api/pools/app/backends/127.0.0.1:9002/drain', {}, headers)
    await api.post('/api/pools/app/backends/127.0.0.1:9002/resume', {}, headers)
    await api.call('DELETE', '/api/pools/app/backends/127.0.0.1:9002', undefined, headers)
    await api.call('PATCH', '/api/listeners/shared', { no_sni: { pool: 'app' } }, headers)
    await api.post('/api/declarations', { file: '/w.yaml', content: 'pools:\n  - name: two\n    backends: [{url: "https://127.0.0.1:9003"}]\n' }, headers)
    await api.post('/api/declarations', { file: '/w.yaml', content: 'pools: []\n' }, headers)
    const changes: readonly Traced[] = await api.records('control')
    expect(changes.map(({ type }) => type.split('.').slice(2, 4).join('.'))).toEqual([
      'pool.created', 'pool.changed', 'backend.added', 'backend.changed', 'backend.drained', 'backend.resumed', 'backend.removed', 'listener.changed',
      'pool.created', 'config.applied', 'pool.removed', 'config.applied',
    ])
    expect(new Set(changes.map((change) => change.traceparent))).toEqual(new Set([traceparent]))
  })

  test('a read of audit data has it, and a read that stands for several does not', async () => {
    await using api = await harness()
    await api.get('/api/events?stream=control', { traceparent })
    await api.get('/api/pools', { traceparent })
    await api.get('/api/state', { traceparent })
    await api.get('/api/state', { traceparent })
    const found = await accesses(api)
    expect(found.map(({ data, traceparent: trace, type }) => [type.split('.')[2], data['path'], trace])).toEqual(expect.arrayContaining([
      ['access', '/api/pools', traceparent], ['access', '/api/state', undefined], ['log', undefined, traceparent],
    ]))
    expect(found).toHaveLength(3)
  })

  test('a call that is turned away is on record with it', async () => {
    await using api = await harness()
    await api.get('/api/pools', { origin: 'https://evil.example', traceparent })
    expect((await accesses(api)).map(({ traceparent: trace, type }) => [type, trace])).toEqual([['dev.waybill.access.denied.v1', traceparent]])
  })

  test.each([
    ['capitals', traceparent.toUpperCase()],
    ['two of them', `${traceparent}, ${traceparent}`],
    ['zeros', traceparent.replace(/-[0-9a-f]{32}-/, `-${'0'.repeat(32)}-`)],
    ['what would end the record', `${traceparent.slice(0, 50)}","a":"`],
    ['a very long one', `01${traceparent.slice(2)}-${'0'.repeat(4_000)}`],
  ])('a hostile header (%s) is as none', async (_what, header) => {
    await using api = await harness()
    expect((await api.post('/api/pools', pool, { traceparent: header })).status).toBe(201)
    const [change] = await api.records('control')
    expect(change).not.toHaveProperty('traceparent')
  })
})

describe('with tracing', () => {
  test('records have the span of the call, in the trace of the caller or in one of its own', async () => {
    const spans = tracing()
    await using api = await harness({ tracing: spans })
    await api.post('/api/pools', pool, { traceparent })
    await api.post('/api/pools/app/backends', { url: 'https://127.0.0.1:9002' })
    const [first, second] = spans.begun
    expect(first).toMatchObject({ parent: readTraceparent(traceparent) })
    expect(second).toMatchObject({ parent: null })
    const changes: readonly Traced[] = await api.records('control')
    expect(changes.map((change) => change.traceparent)).toEqual([
      `00-4bf92f3577b34da6a3ce929d0e0e4736-${spanIdsOf(first!.requestId).spanId}-01`,
      traceparentOf(spanIdsOf(second!.requestId).traceId, spanIdsOf(second!.requestId).spanId, true),
    ])
    const access = await accesses(api)
    expect(access.map(({ data, traceparent: trace }) => [data['request_id'], trace])).toEqual([
      [first!.requestId, changes[0]!.traceparent], [second!.requestId, changes[1]!.traceparent],
    ])
  })

  test('a span ends with what was answered, the template of its route, and the record that it made', async () => {
    const spans = tracing()
    await using api = await harness({ tracing: spans })
    await api.post('/api/pools', pool)
    await api.get('/api/pools/app?x=secret')
    await api.get('/api/nothing')
    await api.get('/api/pools', { host: 'evil.example' })
    const [change] = await api.records('control')
    expect(spans.ended.map(({ method, path, recordId, route, status }) => [method, route, path, status, recordId])).toEqual([
      ['POST', '/api/pools', '/api/pools', 201, change!.id],
      ['GET', '/api/pools/:name', '/api/pools/app', 422, null],
      ['GET', null, '/api/nothing', 404, null],
      ['GET', '/api/pools', '/api/pools', 421, null],
    ])
  })

  test('probes and pages about nothing of this node make none', async () => {
    const spans = tracing()
    await using api = await harness({ tracing: spans })
    await api.get('/health/live', { traceparent })
    await api.get('/health/ready')
    await api.get('/openapi.json')
    expect(spans.begun).toEqual([])
  })

  test('a call that its caller leaves, as those do who follow the log, makes one as well', async () => {
    const spans = tracing()
    await using api = await harness({ tracing: spans })
    await api.app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = api.app.server.address() as AddressInfo
    const leaving = new AbortController()
    const headers = { accept: 'text/event-stream' }
    const answer = await fetch(`http://localhost:${port}/api/events`, { headers, signal: leaving.signal })
    expect(spans.ended).toEqual([])
    leaving.abort()
    await expect(answer.text()).rejects.toThrow(/abort/)
    await vi.waitUntil(() => spans.ended.length > 0)
    expect(spans.ended).toMatchObject([{ route: '/api/events', status: 200 }])
  })

  test('a call that is not sampled is on record with the span of its caller', async () => {
    await using api = await harness({ tracing: { begin: () => null } })
    await api.post('/api/pools', pool, { traceparent })
    expect((await api.records('control'))[0]).toMatchObject({ traceparent })
  })
})
