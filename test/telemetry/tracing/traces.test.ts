import { emptyResource } from '@opentelemetry/resources'
import { describe, expect, test } from 'vitest'
import { ConnectionClosed, ConnectionOpened, ConnectionRefused } from '../../../events/connection.ts'
import type { OtelBatching, OtelSampler } from '../../../src/config/otel.ts'
import { connectionClosed, connectionRefused } from '../../../src/core/channels.ts'
import { idMaker } from '../../../src/core/ids.ts'
import { systemClock } from '../../../src/core/system/clock.ts'
import { systemRandom } from '../../../src/core/system/random.ts'
import { readTraceparent, spanIdsOf, type EndedCall } from '../../../src/core/tracing.ts'
import { Traces } from '../../../src/telemetry/tracing/traces.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { PlayedExporter } from './played-exporter.ts'

const opened = ConnectionOpened.data.parse(ConnectionOpened.examples[0])
const closed = ConnectionClosed.data.parse(ConnectionClosed.examples[0])
const refused = ConnectionRefused.data.parse(ConnectionRefused.examples[0])
const makeId = idMaker(systemClock, systemRandom)
const caller = '4bf92f3577b34da6a3ce929d0e0e4736'
/** Sent when the test says so. */
const patient: OtelBatching = { batchMax: 512, exportTimeoutMs: 30_000, queueMax: 2_048, scheduleDelayMs: 3_600_000 }

function play(sampler: Partial<OtelSampler> = {}, batching: Partial<OtelBatching> = {}) {
  const [clock, exporter] = [new ManualClock(), new PlayedExporter()]
  const [lines, watched]: [string[], string[]] = [[], []]
  const said: (object | undefined)[] = []
  const take = (sentence: string, fields?: object): void => {
    lines.push(sentence)
    said.push(fields)
  }
  const traces = new Traces({
    api: { ip: '127.0.0.1', port: 4_000 }, clock, exporter, resource: emptyResource(), version: '1.2.3',
    logger: { debug: take, error: take, info: take, warn: take },
    settings: { batching: { ...patient, ...batching }, sampler: { name: 'parentbased_always_on', ratio: 1, ...sampler } },
    watch: { failed: (error) => void watched.push(String(error)), succeeded: () => void watched.push('succeeded') },
  })
  return { clock, exporter, lines, said, traces, watched }
}

function tellClosed(id: string): void {
  connectionClosed.tell({ opened: { ...opened, connection_id: id }, closed: { ...closed, connection_id: id }, closedMs: 10 })
}

function tellRefused(id: string | null): void {
  const record = id === null ? null : { id, refused }
  connectionRefused.tell({ afterMs: 1, attempts: 0, because: 'not_tls', listener: 'shared', pool: null, record })
}

describe('which spans are made', () => {
  test('of every connection that is over, and of every refused client with a record of its own', async () => {
    const { exporter, lines, traces } = play()
    const ids = [makeId(), makeId()] as const
    tellClosed(ids[0])
    tellRefused(ids[1])
    tellRefused(null)
    await traces[Symbol.asyncDispose]()
    expect(exporter.spans.map((span) => span.spanContext())).toEqual(ids.map((id) => ({ ...spanIdsOf(id), traceFlags: 1 })))
    expect(traces.counts).toEqual({ dropped: 0, exported: 2, failed: 0 })
    expect(lines).toEqual([])
  })

  test('none when it is over, and nobody is heard any more', async () => {
    const before = [connectionClosed.isHeard, connectionRefused.isHeard]
    const { exporter, traces } = play()
    expect([connectionClosed.isHeard, connectionRefused.isHeard]).toEqual([true, true])
    await traces[Symbol.asyncDispose]()
    expect([connectionClosed.isHeard, connectionRefused.isHeard]).toEqual(before)
    tellClosed(makeId())
    expect(exporter.spans).toEqual([])
  })

  test('of a share of connections, always the same ones, and as many as was asked for', async () => {
    const [one, other] = [play({ name: 'parentbased_traceidratio', ratio: 0.1 }), play({ name: 'traceidratio', ratio: 0.1 })]
    const ids = Array.from({ length: 5_000 }, makeId)
    for (const id of ids) tellClosed(id)
    await Promise.all([one, other].map(({ traces }) => traces[Symbol.asyncDispose]()))
    const sampled = one.exporter.spans.map((span) => span.spanContext().traceId)
    expect(other.exporter.spans.map((span) => span.spanContext().traceId)).toEqual(sampled)
    expect(ids.filter((id) => one.traces.traceIdOf(id) !== null).map((id) => spanIdsOf(id).traceId)).toEqual(sampled)
    // A binomial distribution: 500 with a deviation of 21.
    expect(sampled.length).toBeGreaterThan(350)
    expect(sampled.length).toBeLessThan(650)
  })

  test.each([
    ['parentbased_always_on', 1, true, false, true],
    ['parentbased_always_off', 1, true, false, false],
    ['parentbased_traceidratio', 0, true, false, false],
    ['always_on', 1, true, true, true],
    ['traceidratio', 0, false, false, false],
  ] as const)('%s with %d: of calls whose caller samples %s, does not %s, says nothing %s', (name, ratio, ...expected) => {
    const { traces } = play({ name, ratio })
    using _traces = { [Symbol.dispose]: () => void traces[Symbol.asyncDispose]() }
    const parents = [`00-${caller}-00f067aa0ba902b7-01`, `00-${caller}-00f067aa0ba902b7-00`, undefined].map((header) => readTraceparent(header))
    expect(parents.map((parent) => traces.calls.begin({ parent, requestId: makeId() }) !== null)).toEqual(expected)
  })
})

describe('a call of the API', () => {
  const answered: EndedCall = { client: { ip: '127.0.0.1', port: 50_000 }, isLocalSocket: false, method: 'GET', path: '/api/pools/app', recordId: null, route: '/api/pools/:name', status: 200 }

  async function spanOf(call: Partial<EndedCall>, traceparent?: string) {
    const { clock, exporter, traces } = play()
    const requestId = '0198c0de-0000-7000-8000-000000000005'
    const span = traces.calls.begin({ parent: readTraceparent(traceparent), requestId })!
    clock.advance(12.5)
    span.end({ ...answered, ...call })
    await traces[Symbol.asyncDispose]()
    return { made: exporter.spans[0]!, span }
  }

  test('is a span in a trace of its own, whose ids are those of its record', async () => {
    const { made, span } = await spanOf({})
    expect(span).toMatchObject({
      spanId: '8000000000000005', traceId: '0198c0de000070008000000000000005', traceparent: '00-0198c0de000070008000000000000005-8000000000000005-01',
    })
    expect(made.spanContext()).toMatchObject({ spanId: span.spanId, traceId: span.traceId })
    expect(made).toMatchObject({ duration: [0, 12_500_000], kind: 1, name: 'GET /api/pools/:name', status: { code: 0 } })
    expect(made.parentSpanContext).toBeUndefined()
    expect(made.attributes).toEqual({
      'client.address': '127.0.0.1', 'client.port': 50_000, 'http.request.method': 'GET', 'http.response.status_code': 200,
      'http.route': '/api/pools/:name', 'network.transport': 'tcp', 'server.address': '127.0.0.1', 'server.port': 4_000,
      'url.path': '/api/pools/app', 'url.scheme': 'http', 'waybill.request_id': '0198c0de-0000-7000-8000-000000000005',
    })
  })

  test('is in the trace of its caller, under the span of the caller', async () => {
    const { made, span } = await spanOf({}, `00-${caller}-00f067aa0ba902b7-01`)
    expect(span.traceparent).toBe(`00-${caller}-8000000000000005-01`)
    expect(made.parentSpanContext).toMatchObject({ isRemote: true, spanId: '00f067aa0ba902b7', traceId: caller })
    expect(made.spanContext().traceId).toBe(caller)
  })

  test('over the local socket has no address; what it changed is named', async () => {
    const { made } = await spanOf({ client: null, isLocalSocket: true, recordId: '0198c0de-0000-7000-8000-000000000006' })
    expect(made.attributes).toMatchObject({ 'network.transport': 'unix', 'waybill.record_id': '0198c0de-0000-7000-8000-000000000006' })
    expect(Object.keys(made.attributes).filter((name) => /address|port$/.test(name) && name !== 'network.transport')).toEqual([])
  })

  test('has failed when the server did; names are few, whatever callers send', async () => {
    expect((await spanOf({ status: 404 })).made.status).toEqual({ code: 0 })
    const { made } = await spanOf({ status: 503 })
    expect([made.status, made.attributes['error.type']]).toEqual([{ code: 2 }, '503'])
    const odd = (await spanOf({ method: 'PROPFIND', path: `/${'x'.repeat(2_000)}\ud800`, route: null })).made
    expect(odd.name).toBe('HTTP')
    expect(odd.attributes).toMatchObject({ 'http.request.method': '_OTHER', 'http.request.method_original': 'PROPFIND' })
    expect(odd.attributes['url.path']).toHaveLength(512)
  })
})

describe('what goes wrong in here', () => {
  const bug = (): never => {
    throw new Error('a bug')
  }

  test('ends no call: there is no span of it, and one line says so', async () => {
    const { clock, exporter, lines, traces } = play()
    const begin = () => traces.calls.begin({ parent: null, requestId: makeId() })
    const span = begin()!
    clock.now = bug
    expect([begin(), begin()]).toEqual([null, null])
    expect(() => span.end(null as never)).not.toThrow()
    await traces[Symbol.asyncDispose]()
    expect(exporter.spans).toEqual([])
    expect(lines).toEqual([expect.stringContaining('making spans of calls failed'), expect.stringContaining('making a span failed')])
  })

  test('ends no connection', async () => {
    const { clock, lines, traces } = play()
    clock.now = bug
    for (let told = 0; told < 2; told += 1) tellClosed(makeId())
    await traces[Symbol.asyncDispose]()
    expect(lines).toEqual([expect.stringContaining('making spans of connections failed')])
  })
})

describe('spans on their way', () => {
  test('are dropped and counted while the queue is full, and said once a minute and at the end', async () => {
    const { clock, exporter, lines, said, traces } = play({}, { batchMax: 4, queueMax: 4 })
    exporter.answer = null
    // Four are on their way, four wait, and the rest has no room.
    for (let told = 0; told < 20; told += 1) tellClosed(makeId())
    expect(exporter.batches.map(({ length }) => length)).toEqual([4])
    expect(traces.counts.dropped).toBe(12)
    expect(lines).toEqual(['spans are dropped: 4 wait to be sent; sample fewer, or let more wait (OTEL_BSP_MAX_QUEUE_SIZE)'])
    clock.advance(60_000)
    for (let told = 0; told < 5; told += 1) tellClosed(makeId())
    expect(lines).toHaveLength(2)
    exporter.answerWith({ code: 0 })
    await traces[Symbol.asyncDispose]()
    expect(traces.counts).toEqual({ dropped: 17, exported: 8, failed: 0 })
    expect(said).toEqual([{ spans: 1 }, { spans: 12 }, { spans: 4 }])
  })

  test('that an export loses are counted, and whoever watches is told how each went', async () => {
    const { exporter, traces, watched } = play({}, { batchMax: 2 })
    exporter.answer = { code: 1, error: new Error('connect ECONNREFUSED') }
    for (let told = 0; told < 3; told += 1) tellClosed(makeId())
    await new Promise(setImmediate)
    exporter.answer = { code: 0 }
    await traces[Symbol.asyncDispose]()
    expect(traces.counts).toEqual({ dropped: 0, exported: 1, failed: 2 })
    expect(watched).toEqual(['Error: connect ECONNREFUSED', 'succeeded'])
  })

  test('hold up the end for two seconds at most', async () => {
    const { clock, exporter, traces, watched } = play()
    exporter.answer = null
    tellClosed(makeId())
    const ended = traces[Symbol.asyncDispose]()
    await clock.run(2_000)
    await ended
    expect(watched).toEqual(['Error: no answer within 2000 ms at the end'])
    // Nobody is told of what comes after the end.
    exporter.answerWith({ code: 0 })
    expect(watched).toHaveLength(1)
  })
})
