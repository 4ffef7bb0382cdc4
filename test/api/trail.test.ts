import { once } from 'node:events'
import { get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { ConnectionClosed, ConnectionOpened } from '../../events/connection.ts'
import { HealthChanged } from '../../events/health.ts'
import { trailReadersMax } from '../../src/api/trail.ts'
import { TrailView } from '../../src/api/schemas-trail.ts'
import { draftOf } from '../support/records.ts'
import { harness, type Harness } from './harness.ts'

const id = 'a.internal:8443'
const connectionId = '0198c0de-0000-7000-8000-0000000000c1'

/** Pool `app` with one backend, a connection through it, and a health change. */
async function withTraffic(): Promise<Harness> {
  const api = await harness()
  await api.post('/api/pools', { name: 'app' })
  await api.post('/api/pools', { name: 'other', server_names: ['other.example'] })
  await api.post('/api/pools/app/backends', { url: `https://${id}` })
  const of = { backend: id, pool: 'app' }
  await api.log.append('connections', [
    draftOf(ConnectionOpened, { ...ConnectionOpened.examples[0], ...of, attempts: [], connection_id: connectionId }),
    draftOf(ConnectionClosed, { ...ConnectionClosed.examples[0], ...of, connection_id: connectionId }),
    draftOf(ConnectionOpened, { ...ConnectionOpened.examples[0], pool: 'other' }),
  ], { purpose: 'owed' })
  await api.log.append('operations', [draftOf(HealthChanged, { ...HealthChanged.examples[0], ...of })], { purpose: 'owed' })
  return api
}

const types = (trail: { entries: { type: string }[] }) => trail.entries.map(({ type }) => type.replace(/^dev\.waybill\.|\.v1$/g, '')).toSorted()

describe('the trail', () => {
  test.each([
    ['pool=app', ['backend.added', 'connection.closed', 'connection.opened', 'health.changed', 'pool.created']],
    [`backend=app/${id}`, ['backend.added', 'connection.closed', 'connection.opened', 'health.changed']],
    [`connection=${connectionId}`, ['connection.closed', 'connection.opened']],
    ['pool=nobody', []],
    ['listener=shared', ['connection.closed', 'connection.opened', 'connection.opened', 'pool.created']],
    ['listener=pools/app', []],
  ])('of %s', async (query, expected) => {
    await using api = await withTraffic()
    const answer = await api.get(`/api/trail?${query}`)
    expect(answer.status).toBe(200)
    expect(TrailView.safeParse(answer.json).error).toBeUndefined()
    expect(types(answer.json)).toEqual(expected)
    expect(answer.json.changes_end).toBeNull()
  })

  test('of a pool also tells when a listener no longer sends clients there', async () => {
    await using api = await withTraffic()
    for (const timeout of [{ pool: 'other' }, null]) await api.call('PATCH', '/api/listeners/shared', { timeout })
    const { json } = await api.get('/api/trail?pool=other')
    expect(json.entries.filter(({ subject }: { subject: string }) => subject === 'listeners/shared')).toMatchObject([
      { outcome: 'changed: timeout {"pool":"other"}' }, { outcome: 'changed: timeout null' },
    ])
    expect((await api.get('/api/trail?listener=shared')).json.about).toEqual({ kind: 'listener', name: 'shared' })
  })

  test('counts what passed', async () => {
    await using api = await withTraffic()
    const { json } = await api.get('/api/trail?pool=app')
    expect(json.connections).toMatchObject({ opened: 1, closed: 1, closed_because: { finished: 1 }, bytes_to_backend: 1_204 })
  })

  test('of an actor: its changes, and that it read the trail before', async () => {
    await using api = await withTraffic()
    await api.get('/api/trail?pool=app')
    const { json } = await api.get('/api/trail?actor=loopback')
    expect(types(json)).toEqual(expect.arrayContaining(['backend.added', 'log.read', 'pool.created']))
  })

  test('reading it is itself on record, once for each stream', async () => {
    await using api = await withTraffic()
    await api.get('/api/trail?pool=app')
    const reads = (await api.records('operations')).filter(({ type }) => type === 'dev.waybill.log.read.v1')
    expect(new Set(reads.map(({ data: { outcome, records, stream } }) => JSON.stringify([stream, outcome, records])))).toEqual(
      new Set(['["control","ended",2]', '["connections","ended",2]', '["operations","ended",1]']),
    )
    expect(reads).toHaveLength(3)
  })

  test('says where changes end that a newer node wrote', async () => {
    await using api = await withTraffic()
    const draft = { ...draftOf(HealthChanged, HealthChanged.examples[0]), type: 'dev.waybill.pool.imagined.v9' }
    await api.log.append('control', [draft], { purpose: 'owed' })
    const { json } = await api.get('/api/trail?pool=app')
    expect(json.changes_end).toContain('unknown_type: dev.waybill.pool.imagined.v9')
    expect(types(json)).toContain('pool.created')
  })
})

describe('whose', () => {
  test.each([
    ['', 'pool'],
    ['pool=app&actor=ada', 'actor'],
    ['pool=APP', 'pool'],
    ['pool=a&pool=b', 'pool'],
    ['backend=app', 'backend'],
    ['backend=a.internal:8443', 'backend'],
    ['backend=/a.internal:8443', 'backend'],
    ['connection=17', 'connection'],
    ['actor=', 'actor'],
    ['listener=app', 'listener'],
    ['listener=pools/', 'listener'],
    ['node=x', 'node'],
  ])('"%s" is answered 422 with the field', async (query, field) => {
    await using api = await harness()
    const { json, status } = await api.get(`/api/trail?${query}`)
    expect([status, json.code, json.field]).toEqual([422, 'field_invalid', field])
  })

  test('may be an IPv6 backend or an actor with any name', async () => {
    await using api = await harness()
    expect((await api.get(`/api/trail?backend=app/${encodeURIComponent('[::1]:443')}`)).json.about).toEqual({ kind: 'backend', pool: 'app', id: '[::1]:443' })
    expect((await api.get(`/api/trail?actor=${encodeURIComponent('Jörg "x"')}`)).json.about).toEqual({ kind: 'actor', id: 'Jörg "x"' })
  })
})

describe('reading is bounded', () => {
  /** A log whose reading waits until the test lets it go on. */
  function stalled(api: Harness, readers: number) {
    const gate = Promise.withResolvers<void>()
    const started = Promise.withResolvers<void>()
    const signals: (AbortSignal | undefined)[] = []
    const { log } = api
    const read = log.read.bind(log)
    log.read = async function* (stream, options) {
      signals.push(options.signal)
      if (signals.length === readers) started.resolve()
      await gate.promise
      yield* read(stream, options)
    }
    return { gate, signals, started: started.promise }
  }

  test(`to ${trailReadersMax} at once`, async () => {
    await using api = await withTraffic()
    const { gate, started } = stalled(api, trailReadersMax)
    const reading = Array.from({ length: trailReadersMax }, () => api.get('/api/trail?pool=app'))
    await started
    const { headers, json, status } = await api.get('/api/trail?pool=app')
    expect([status, json.code, headers['retry-after']]).toEqual([503, 'too_many_readers', '1'])
    gate.resolve()
    expect((await Promise.all(reading)).map((answer) => answer.status)).toEqual(Array(trailReadersMax).fill(200))
    expect((await api.get('/api/trail?pool=app')).status).toBe(200)
  })

  test('and ends when the client goes', async () => {
    await using api = await withTraffic()
    const { gate, signals, started } = stalled(api, 1)
    await api.app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = api.app.server.address() as AddressInfo
    const request = get({ port, path: '/api/trail?pool=app', agent: false })
    request.on('error', () => {})
    await started
    request.destroy()
    await once(signals[0]!, 'abort')
    gate.resolve()
    expect(signals[0]!.aborted).toBe(true)
  })
})
