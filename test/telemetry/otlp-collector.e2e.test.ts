import { beforeAll, describe, expect, test, vi } from 'vitest'
import { otelName, prometheusName, type InstrumentName } from '../../src/telemetry/instruments.ts'
import { collectorBinary, collectorMissing } from '../support/collector/binary.ts'
import { startCollector, type RunningCollector } from '../support/collector/collector.ts'
import { metricsIn, totalOf, type ReceivedMetrics } from '../support/collector/otlp-json.ts'
import { exchange, refusedClient, type Counted } from '../support/counted-client.ts'
import { tlsEcho } from '../support/peers.ts'
import { rawLines, rawRecords, runWaybill, startWaybill, TemporaryFolder, type RunningWaybill } from '../support/waybill.ts'

/** A real node and a real OpenTelemetry Collector, which nobody here wrote, with the configuration of the documents. */

const because = await collectorMissing()
if (because !== null) process.stderr.write(`skipped, all tests with an OpenTelemetry Collector: ${because}\n`)
const buildTimeoutMs = 1_200_000
const testTimeoutMs = 120_000
const waiting = { interval: 50, timeout: 60_000 }
const protocols = ['http/protobuf', 'grpc'] as const
type Protocol = (typeof protocols)[number]

const secrets = ['s3cr3t-of-headers', 'c0llect0r-token']

function variables({ endpoints }: RunningCollector, protocol: Protocol, more: Readonly<Record<string, string>> = {}): string[] {
  const all = {
    OTEL_EXPORTER_OTLP_ENDPOINT: protocol === 'grpc' ? endpoints.grpc : endpoints.http,
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${secrets[0]},x-token=${secrets[1]}`,
    OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
    OTEL_LOGS_EXPORTER: 'none',
    OTEL_METRIC_EXPORT_INTERVAL: '200',
    ...more,
  }
  return ['env', ...Object.entries(all).map(([name, value]) => `${name}=${value}`)]
}

async function addPool(node: RunningWaybill, ports: readonly number[]): Promise<void> {
  const backends = ports.map((port) => ({ url: `https://127.0.0.1:${port}` }))
  const answer = await node.post('/api/pools', { backends, name: 'app', server_names: ['app.example.test'] })
  if (answer.status !== 201) throw new Error(await answer.text())
}

async function lastMetrics(collector: RunningCollector): Promise<ReceivedMetrics | null> {
  const exports = (await collector.received()).filter(({ resourceMetrics }) => resourceMetrics !== undefined)
  const last = exports.at(-1)
  return last === undefined ? null : metricsIn(last)
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((one, other) => one + other, 0)
}

// Said above: there is nothing to build a collector with. Under CI that is an error.
describe.skipIf(because !== null)('a collector', () => {
  beforeAll(() => collectorBinary(), buildTimeoutMs)

  test.each(protocols)('has the numbers of the log and of the client: %s', async (protocol) => {
    using folder = new TemporaryFolder()
    await using collector = await startCollector()
    await using one = await tlsEcho('one')
    await using two = await tlsEcho('two')
    const startedMs = Date.now()
    await using node = await startWaybill(folder.path, ['--cluster', 'edge', '--node', 'a'], variables(collector, protocol, {
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test,waybill.cluster=renamed',
    }))
    await addPool(node, [one.port, two.port])
    const counted: Counted[] = []
    for (let round = 0; round < 6; round += 1) {
      // What the backend answers is this with its name before each chunk; more than one chunk where it is long.
      counted.push(...(await Promise.all(Array.from({ length: 10 }, (_, index) => exchange(node.port, 'x'.repeat(1 + 997 * index), 1 + 997 * index)))))
    }
    await Promise.all([refusedClient(node.port), refusedClient(node.port)])
    expect(await node.stop()).toBe(0)

    const closed = rawRecords(folder.path, 'connections').filter(({ type }) => type === 'dev.waybill.connection.closed.v1').map(({ data }) => data)
    const refused = rawRecords(folder.path, 'connections').filter(({ type }) => type === 'dev.waybill.connection.refused.v1').map(({ data }) => data)
    expect(closed).toHaveLength(counted.length)
    const streams = ['connections', 'control', 'operations']
    const last = await vi.waitUntil(async () => {
      const metrics = await lastMetrics(collector)
      return metrics !== null && totalOf(metrics, 'waybill.log.records') >= sum(streams.map((stream) => rawLines(folder.path, stream).length)) && metrics
    }, waiting)

    // Of the client.
    expect(totalOf(last, 'waybill.bytes', { direction: 'to_backend' })).toBe(sum(counted.map(({ sent }) => sent)))
    expect(totalOf(last, 'waybill.bytes', { direction: 'to_client' })).toBe(sum(counted.map(({ received }) => received)))
    // Of the log.
    expect(totalOf(last, 'waybill.connections.opened')).toBe(closed.length)
    expect(totalOf(last, 'waybill.connections.active')).toBe(0)
    expect(totalOf(last, 'waybill.connections.refused')).toBe(sum(refused.map(({ count }) => (count as number | undefined) ?? 1)))
    expect(totalOf(last, 'waybill.connections.refused')).toBe(2)
    for (const { port } of [one, two]) {
      const backend = `127.0.0.1:${port}`
      const its = closed.filter((data) => data['backend'] === backend)
      expect(its.length).toBeGreaterThan(0)
      expect(totalOf(last, 'waybill.connections.opened', { backend, pool: 'app' })).toBe(its.length)
      for (const direction of ['to_backend', 'to_client'] as const) {
        expect(totalOf(last, 'waybill.bytes', { backend, direction })).toBe(sum(its.map((data) => data[`bytes_${direction}`] as number)))
      }
    }
    for (const reason of new Set(closed.map((data) => data['close'].because as string))) {
      expect(totalOf(last, 'waybill.connections.closed', { reason })).toBe(closed.filter((data) => data['close'].because === reason).length)
    }
    for (const stream of streams) expect(totalOf(last, 'waybill.log.records', { stream })).toBe(rawLines(folder.path, stream).length)
    const { series: [durations] } = last.metrics.get('waybill.connection.duration')!
    expect(durations).toMatchObject({ attributes: { pool: 'app' }, value: closed.length })
    expect(sum(durations!.buckets!)).toBe(closed.length)

    // How it is said.
    expect(last.scope.name).toBe('waybill')
    expect(last.resource).toMatchObject({
      'deployment.environment.name': 'test', 'process.pid': String(node.pid), 'service.instance.id': 'edge/a', 'service.name': 'waybill',
      'service.version': last.scope.version, 'waybill.cluster': 'renamed', 'waybill.node': 'a',
    })
    const bytes = last.metrics.get('waybill.bytes')!
    expect(bytes).toMatchObject({ isCumulative: true, isMonotonic: true, kind: 'sum', unit: 'By' })
    expect(bytes.startsMs).toBeGreaterThanOrEqual(startedMs)
    expect(last.metrics.get('process_cpu_seconds_total')).toMatchObject({ isCumulative: true, isMonotonic: true, kind: 'sum' })
    expect(last.metrics.get('waybill.backend.up')).toMatchObject({ kind: 'gauge', unit: '{backend}' })

    const everything = [...node.lines, ...streams.flatMap((stream) => rawLines(folder.path, stream))].join('\n')
    expect(everything).toContain('dev.waybill.node.started.v1')
    for (const secret of secrets) expect(everything).not.toContain(secret)
  }, testTimeoutMs)

  test('has the same numbers as GET /metrics, and neither has a secret', async () => {
    using folder = new TemporaryFolder()
    await using collector = await startCollector()
    await using backend = await tlsEcho('b')
    await using node = await startWaybill(folder.path, [], variables(collector, 'http/protobuf'))
    await addPool(node, [backend.port])
    for (let index = 0; index < 5; index += 1) await exchange(node.port, 'hello', 7)
    const names = ['bytes', 'connections.opened', 'connections.closed', 'dial.duration', 'connection.duration', 'tls.negotiated'] as const
    await vi.waitUntil(async () => {
      const last = await lastMetrics(collector)
      return last !== null && totalOf(last, 'waybill.connections.closed') === 5
    }, waiting)
    const text = await (await fetch(`${node.api}/metrics`)).text()
    const last = (await lastMetrics(collector))!
    for (const name of names satisfies readonly InstrumentName[]) {
      const { kind, series } = last.metrics.get(otelName(name))!
      expect(series.length).toBeGreaterThan(0)
      for (const { attributes, sum: total, value } of series) {
        const suffixes: readonly (readonly [string, number])[] = kind === 'histogram' ? [['_count', value], ['_sum', total!]] : [['', value]]
        for (const [suffix, number] of suffixes) expect(scraped(text, prometheusName(name) + suffix, attributes)).toBe(number)
      }
    }
    for (const secret of secrets) expect(text).not.toContain(secret)
  }, testTimeoutMs)

  // An exporter would wait for longer than this test may take.
  const patient = { OTEL_EXPORTER_OTLP_TIMEOUT: '600000', OTEL_METRIC_EXPORT_TIMEOUT: '300' }

  test.each(protocols)('that hangs costs the data path nothing and the end two seconds: %s', async (protocol) => {
    using folder = new TemporaryFolder()
    await using collector = await startCollector()
    await using backend = await tlsEcho('b')
    await using node = await startWaybill(folder.path, [], variables(collector, protocol, patient))
    await addPool(node, [backend.port])
    await vi.waitUntil(async () => (await lastMetrics(collector)) !== null, waiting)
    collector.pause()
    await vi.waitUntil(() => linesOf(node, 'do not reach').length > 0, waiting)
    await serveMany(node)
    expect(linesOf(node, 'reach the OpenTelemetry collector')).toHaveLength(1)

    collector.resume()
    await vi.waitUntil(() => linesOf(node, 'again').length > 0, waiting)
    await vi.waitUntil(async () => totalOf((await lastMetrics(collector))!, 'waybill.connections.closed') === manyClients, waiting)
    collector.pause()
    await serveMany(node)
    expect(await node.stop()).toBe(0)
    expect(linesOf(node, 'do not reach')).toHaveLength(2)
    expect(linesOf(node, 'stopped; everything is on record')).toHaveLength(1)
  }, testTimeoutMs)

  test.each(protocols)('that is killed costs the data path nothing, and has all counts when it is back: %s', async (protocol) => {
    using folder = new TemporaryFolder()
    await using collector = await startCollector()
    await using backend = await tlsEcho('b')
    await using node = await startWaybill(folder.path, [], variables(collector, protocol, { OTEL_EXPORTER_OTLP_TIMEOUT: '500' }))
    await addPool(node, [backend.port])
    await vi.waitUntil(async () => (await lastMetrics(collector)) !== null, waiting)
    await collector.kill()
    await vi.waitUntil(() => linesOf(node, 'do not reach').length > 0, waiting)
    await serveMany(node)
    await collector.start()
    await vi.waitUntil(() => linesOf(node, 'again').length > 0, waiting)
    await vi.waitUntil(async () => totalOf((await lastMetrics(collector))!, 'waybill.connections.closed') === manyClients, waiting)
    expect(linesOf(node, 'do not reach')).toHaveLength(1)
    expect(linesOf(node, 'again')).toHaveLength(1)
    expect(await node.stop()).toBe(0)
  }, testTimeoutMs)
})

const manyClients = 40

async function serveMany(node: RunningWaybill): Promise<void> {
  for (let index = 0; index < manyClients; index += 1) await exchange(node.port, 'hello', 7)
}

function linesOf({ lines }: RunningWaybill, text: string): string[] {
  return lines.filter((line) => line.includes(text))
}

/** The value of one series in the text that Prometheus scrapes. */
function scraped(text: string, name: string, labels: Readonly<Record<string, string>>): number {
  const line = text.split('\n').find((each) => {
    const braced = each.startsWith(`${name}{`) || each.startsWith(`${name} `)
    return braced && Object.entries(labels).every(([label, value]) => each.includes(`${label}="${value}"`))
  })
  return Number(line?.slice(line.lastIndexOf(' ') + 1))
}

test('variables that are wrong stop the start with a sentence, and show no secret', async () => {
  using folder = new TemporaryFolder()
  const { code, stderr } = await runWaybill(['serve', '--data', folder.path, '--api', '127.0.0.1:0', '--listen', '127.0.0.1:0'], [
    'env', 'OTEL_EXPORTER_OTLP_ENDPOINT=http://me:s3cr3t@collector', 'OTEL_EXPORTER_OTLP_PROTOCOL=http/json', 'OTEL_EXPORTER_OTLP_HEADERS=a=s3cr3t%',
  ])
  expect(code).toBe(2)
  expect(stderr).toContain('waybill: OTEL_EXPORTER_OTLP_PROTOCOL: "http/json" is not supported; write grpc or http/protobuf')
  expect(stderr).not.toContain('s3cr3t')
})
