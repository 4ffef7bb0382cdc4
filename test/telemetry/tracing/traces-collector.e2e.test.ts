import { beforeAll, describe, expect, test, vi } from 'vitest'
import { collectorBinary, collectorMissing } from '../../support/collector/binary.ts'
import { startCollector, type RunningCollector } from '../../support/collector/collector.ts'
import { spansIn, type ReceivedSpan } from '../../support/collector/otlp-spans.ts'
import { exchange, refusedClient } from '../../support/counted-client.ts'
import { freePort } from '../../support/kafka/ports.ts'
import { tlsEcho } from '../../support/peers.ts'
import { rawLines, rawRecords, startWaybill, TemporaryFolder, type RawRecord, type RunningWaybill } from '../../support/waybill.ts'

/** Spans of a real node at a real OpenTelemetry Collector, which nobody here wrote: found from the records, and back. */

const because = await collectorMissing()
if (because !== null) process.stderr.write(`skipped, all tests of traces with an OpenTelemetry Collector: ${because}\n`)
const buildTimeoutMs = 1_200_000
const testTimeoutMs = 120_000
const waiting = { interval: 50, timeout: 60_000 }
const trace = '4bf92f3577b34da6a3ce929d0e0e4736'
const callersSpan = '00f067aa0ba902b7'
const traceparent = `00-${trace}-${callersSpan}-01`

function variables({ endpoints }: RunningCollector, protocol: string, more: Readonly<Record<string, string>> = {}): string[] {
  const all = {
    OTEL_BSP_SCHEDULE_DELAY: '100',
    OTEL_EXPORTER_OTLP_ENDPOINT: protocol === 'grpc' ? endpoints.grpc : endpoints.http,
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20s3cr3t-of-headers',
    OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
    OTEL_LOGS_EXPORTER: 'none',
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_TRACES_SAMPLER: 'parentbased_always_on',
    ...more,
  }
  return ['env', ...Object.entries(all).map(([name, value]) => `${name}=${value}`)]
}

async function addPool(node: RunningWaybill, ports: readonly number[], headers: Readonly<Record<string, string>> = {}): Promise<void> {
  const backends = ports.map((port) => ({ url: `https://127.0.0.1:${port}` }))
  const answer = await fetch(`${node.api}/api/pools`, { method: 'POST', headers, body: JSON.stringify({ backends, name: 'app', server_names: ['app.example.test'] }) })
  if (answer.status !== 201) throw new Error(await answer.text())
}

function ofType(folder: TemporaryFolder, stream: string, type: string): RawRecord[] {
  return rawRecords(folder.path, stream).filter((record) => record.type === `dev.waybill.${type}.v1`)
}

/** It writes what it got a moment later. */
async function spansAt(collector: RunningCollector, least: number): Promise<ReceivedSpan[]> {
  const spans = await vi.waitUntil(async () => {
    const found = spansIn(await collector.received())
    return found.length >= least && found
  }, waiting)
  return spans
}

const idOf = (uuid: string): string => uuid.replaceAll('-', '')

// There is nothing to build a collector with. Under CI that is an error.
describe.skipIf(because !== null)('a collector', () => {
  beforeAll(() => collectorBinary(), buildTimeoutMs)

  test.each(['http/protobuf', 'grpc'])('has a span for every connection, refused client and call on record: %s', async (protocol) => {
    using folder = new TemporaryFolder()
    await using collector = await startCollector()
    await using backend = await tlsEcho('echo')
    const dead = await freePort()
    const beforeNs = BigInt(Date.now() - 1) * 1_000_000n
    await using node = await startWaybill(folder.path, ['--cluster', 'edge', '--node', 'a'], variables(collector, protocol))
    await addPool(node, [backend.port, dead], { traceparent })
    for (let index = 0; index < 6; index += 1) await exchange(node.port, 'hello', 10)
    await refusedClient(node.port)
    await (await fetch(`${node.api}/api/pools/app`)).text()
    await (await fetch(`${node.api}/health/live`)).text()
    expect(await node.stop()).toBe(0)
    const spans = await spansAt(collector, 9)
    const byTrace = new Map(spans.map((span) => [span.traceId, span]))

    const closed = ofType(folder, 'connections', 'connection.closed')
    const opened = ofType(folder, 'connections', 'connection.opened')
    expect(closed).toHaveLength(6)
    for (const { data } of closed) {
      const span = byTrace.get(idOf(data['connection_id'] as string))!
      expect(span).toMatchObject({ kind: 2, name: 'connection app', parentSpanId: '', status: 0 })
      expect(span.attributes).toMatchObject({
        'client.address': '127.0.0.1', 'client.port': String(data['client'].port), 'server.address': 'app.example.test',
        'tls.protocol.version': '1.3', 'waybill.backend': data['backend'] as string, 'waybill.bytes_to_client': String(data['bytes_to_client']),
        'waybill.close.because': data['close'].because as string, 'waybill.connection_id': data['connection_id'] as string,
      })
      expectInOrder(span, beforeNs)
      const { attempts } = opened.find((record) => record.data['connection_id'] === data['connection_id'])!.data as { attempts: { backend: string }[] }
      expect(span.events.map(({ name }) => name)).toEqual(['peek', ...attempts.map(() => 'dial_failed'), 'dial', 'record', 'relay'])
      for (const [index, { backend: tried }] of attempts.entries()) expect(span.events[index + 1]!.attributes).toMatchObject({ 'error.type': 'ECONNREFUSED', 'waybill.backend': tried })
    }

    const [refusal, ...moreRefusals] = ofType(folder, 'connections', 'connection.refused') as (RawRecord & { readonly id: string })[]
    expect(moreRefusals).toEqual([])
    expect(byTrace.get(idOf(refusal!.id))).toMatchObject({ attributes: { 'error.type': 'not_tls', 'waybill.record_id': refusal!.id }, name: 'connection', status: 2 })

    type Traced = RawRecord & { readonly id: string; readonly traceparent?: string }
    const [change] = ofType(folder, 'control', 'pool.created') as Traced[]
    const call = spans.find(({ parentSpanId }) => parentSpanId === callersSpan)!
    expect(call).toMatchObject({ name: 'POST /api/pools', traceId: trace, attributes: { 'http.response.status_code': '201', 'waybill.record_id': change!.id } })
    expect(change!.traceparent).toBe(`00-${trace}-${call.spanId}-01`)
    const read = spans.find(({ name }) => name === 'GET /api/pools/:name')!
    expect(read).toMatchObject({ parentSpanId: '', traceId: idOf(read.attributes['waybill.request_id']!) })
    const accesses = ofType(folder, 'operations', 'access.granted') as Traced[]
    const paths = Object.fromEntries(accesses.map(({ data, traceparent: its }) => [data['path'] as string, its]))
    expect(paths).toMatchObject({ '/api/pools': change!.traceparent, '/api/pools/app': `00-${read.traceId}-${read.spanId}-01` })

    expect(spans).toHaveLength(closed.length + 1 + 2)
    expect(read.resource).toMatchObject({ 'service.instance.id': 'edge/a', 'service.name': 'waybill' })
    const everything = [...node.lines, ...['connections', 'control', 'operations'].flatMap((stream) => rawLines(folder.path, stream))].join('\n')
    expect(everything).not.toContain('s3cr3t')
  }, testTimeoutMs)

  test('has those of one in so many, and /metrics points at one of them', async () => {
    using folder = new TemporaryFolder()
    await using collector = await startCollector()
    await using backend = await tlsEcho('echo')
    await using node = await startWaybill(folder.path, [], variables(collector, 'http/protobuf', { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.2' }))
    await addPool(node, [backend.port])
    for (let index = 0; index < 60; index += 1) await exchange(node.port, 'hello', 10)
    const scraped = await (await fetch(`${node.api}/metrics`, { headers: { accept: 'application/openmetrics-text; version=1.0.0' } })).text()
    expect(await node.stop()).toBe(0)
    const exemplars = [...scraped.matchAll(/trace_id="([0-9a-f]{32})"/g)].map(([, id]) => id!)
    expect(exemplars.length).toBeGreaterThan(0)
    const traces = await vi.waitUntil(async () => {
      const found = spansIn(await collector.received()).filter(({ name }) => name === 'connection app').map(({ traceId }) => traceId)
      return exemplars.every((id) => found.includes(id)) && found
    }, waiting)
    const all = ofType(folder, 'connections', 'connection.closed').map(({ data }) => idOf(data['connection_id'] as string))
    expect(all).toHaveLength(60)
    expect(all).toEqual(expect.arrayContaining(traces))
    // A binomial distribution: 12 with a deviation of 3.
    expect(traces.length).toBeGreaterThan(0)
    expect(traces.length).toBeLessThan(30)
  }, testTimeoutMs)

  test('that is gone costs the data path nothing, one line and two seconds at the end', async () => {
    using folder = new TemporaryFolder()
    await using collector = await startCollector()
    await using backend = await tlsEcho('echo')
    await using node = await startWaybill(folder.path, [], variables(collector, 'http/protobuf', { OTEL_EXPORTER_OTLP_TIMEOUT: '500' }))
    await addPool(node, [backend.port])
    await vi.waitUntil(async () => spansIn(await collector.received()).length > 0, waiting)
    await collector.kill()
    for (let index = 0; index < 40; index += 1) await exchange(node.port, 'hello', 10)
    await vi.waitUntil(() => node.lines.some((line) => line.includes('spans do not reach')), waiting)
    await collector.start()
    await exchange(node.port, 'hello', 10)
    await vi.waitUntil(() => node.lines.some((line) => line.includes('spans reach the OpenTelemetry collector again')), waiting)
    expect(node.lines.filter((line) => line.includes('spans do not reach'))).toHaveLength(1)
    collector.pause()
    await exchange(node.port, 'hello', 10)
    expect(await node.stop()).toBe(0)
    expect(ofType(folder, 'connections', 'connection.closed')).toHaveLength(42)
  }, testTimeoutMs)
})

test('without a sampler there are no spans, and records have the trace that a caller says', async () => {
  using folder = new TemporaryFolder()
  await using backend = await tlsEcho('echo')
  await using node = await startWaybill(folder.path, [], ['env', 'OTEL_TRACES_EXPORTER=otlp'])
  await addPool(node, [backend.port], { traceparent })
  await exchange(node.port, 'hello', 10)
  expect(await node.stop()).toBe(0)
  expect(node.lines.filter((line) => line.includes('OTEL_TRACES_SAMPLER'))).toHaveLength(1)
  expect(node.lines.filter((line) => line.includes('spans go to'))).toEqual([])
  expect(ofType(folder, 'control', 'pool.created')[0]).toMatchObject({ traceparent })
  expect(node.lines.filter((line) => line.includes('POST /api/pools')).map((line) => JSON.parse(line) as object)).toMatchObject([{ span_id: callersSpan, trace_id: trace }])
})

/** Within the life of the node, and each event after the one before it. */
function expectInOrder({ endNs, events, startNs }: ReceivedSpan, beforeNs: bigint): void {
  const times = [beforeNs, startNs, ...events.map(({ atNs }) => atNs), endNs, BigInt(Date.now() + 1) * 1_000_000n]
  expect(times).toEqual(times.toSorted((one, other) => (one < other ? -1 : one > other ? 1 : 0)))
}
