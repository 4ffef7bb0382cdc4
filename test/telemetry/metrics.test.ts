import { describe, expect, test } from 'vitest'
import { closeReasons, refusalReasons } from '../../events/connection.ts'
import { backendChecked, connectionClosed, connectionOpened, connectionRefused, dialFailed, logAcknowledged, logCommitted } from '../../src/core/channels.ts'
import { silentLogger, type Logger } from '../../src/core/logger.ts'
import { backendsShownMax, seriesKeptMs } from '../../src/telemetry/metrics-traffic.ts'
import { closedData, openedData, PlayedSources, seriesOf, stand } from './played-sources.ts'

const opened = (changes = {}): void =>
  connectionOpened.tell({ acceptedMs: 0, dialMs: 30, helloMs: 10, opened: openedData({ backend: 'b:1', pool: 'a', ...changes }), recordMs: 35 })
const closed = (changes = {}): void => connectionClosed.tell({ closed: closedData({ backend: 'b:1', pool: 'a', ...changes }), closedMs: 0, opened: openedData() })
const ofA = '{pool="a",backend="b:1"'

function lines(): { readonly logger: Logger; readonly said: string[] } {
  const said: string[] = []
  return { logger: { ...silentLogger, error: (sentence) => said.push(sentence) }, said }
}

describe('what is there before anything happens', () => {
  test('reasons that are known, with 0, and what the configuration has', async () => {
    using played = stand()
    played.sources.configured.set('a', [{ id: 'b:1', isUp: false, weight: 0 }])
    played.sources.configured.set('empty', [])
    const all = await played.series()
    for (const reason of closeReasons) expect(all.get(`waybill_connections_closed_total{reason="${reason}"}`)).toBe(0)
    for (const reason of refusalReasons) expect(all.get(`waybill_connections_refused_total{reason="${reason}"}`)).toBe(0)
    for (const direction of ['to_backend', 'to_client']) expect(all.get(`waybill_bytes_total${ofA},direction="${direction}"}`)).toBe(0)
    expect(all.get(`waybill_connections_opened_total${ofA}}`)).toBe(0)
    expect(all.get(`waybill_backend_up${ofA}}`)).toBe(0)
    expect(all.get(`waybill_backend_dial_failures_total${ofA},reason="ECONNREFUSED"}`)).toBe(0)
    expect(all.get('waybill_connection_duration_seconds_count{pool="empty"}')).toBe(0)
    expect(all.get('waybill_log_commit_duration_seconds_count{stream="control"}')).toBe(0)
    expect(all.get('waybill_build_info{node_version="26.10.0",openssl="3.5.0",version="0.1.0"}')).toBe(1)
    expect(all.get('process_open_fds')).toBe(42)
  })

  test('nothing that is not known yet: no node, no number', async () => {
    using played = stand({ isAttached: false })
    const all = await played.series()
    for (const name of ['waybill_connections_limit', 'waybill_peeks_active', 'waybill_log_disk_free_bytes', 'process_open_fds']) expect(all.has(name)).toBe(false)
    expect(all.get('waybill_connections_closed_total{reason="finished"}')).toBe(0)
  })

  test('nothing of Kafka on a node that has its log to itself', async () => {
    using played = stand()
    const kafka = [...(await played.series()).keys()].filter((name) => /backlog|skew|acknowledge|certificate/.test(name))
    expect(kafka).toEqual([])
  })
})

describe('counting', () => {
  test('a connection from its opening to its end, open bytes included at any time', async () => {
    using played = stand()
    const { sources } = played
    opened({ attempts: [{ backend: 'c:1', code: 'ECONNREFUSED', ip: null, ms: 1 }] })
    sources.opened.push({ backend: 'b:1', bytesToBackend: 10, bytesToClient: 20, connections: 1, pool: 'a' })
    const during = await played.series()
    expect(during.get(`waybill_connections_opened_total${ofA}}`)).toBe(1)
    expect(during.get(`waybill_connections_active${ofA}}`)).toBe(1)
    expect(during.get(`waybill_bytes_total${ofA},direction="to_client"}`)).toBe(20)
    expect(during.get('waybill_backend_dial_retries_total{pool="a"}')).toBe(1)
    expect(during.get('waybill_hello_duration_seconds_sum')).toBe(0.01)
    expect(during.get('waybill_dial_duration_seconds_sum{pool="a"}')).toBe(0.02)
    expect(during.get('waybill_record_duration_seconds_sum')).toBe(0.005)
    sources.opened.length = 0
    closed({ bytes_to_backend: 11, bytes_to_client: 25, timings: { dial: 1, first_backend_byte: 1, hello: 1, queue: 0, record: 1, total: 250 } })
    const after = await played.series()
    expect(after.get(`waybill_connections_active${ofA}}`)).toBe(0)
    expect(after.get(`waybill_bytes_total${ofA},direction="to_client"}`)).toBe(25)
    expect(after.get('waybill_connection_duration_seconds_sum{pool="a"}')).toBe(0.25)
    expect(after.get('waybill_connections_closed_total{reason="finished"}')).toBe(1)
    expect(after.get('waybill_tls_negotiated_total{version="TLSv1.3",cipher="TLS_AES_256_GCM_SHA384"}')).toBe(1)
  })

  test('a backend that was removed and added again has one series, over both', async () => {
    using played = stand()
    for (const connections of [1, 2]) played.sources.opened.push({ backend: 'b:1', bytesToBackend: connections, bytesToClient: 0, connections, pool: 'a' })
    const all = await played.series()
    expect(all.get(`waybill_connections_active${ofA}}`)).toBe(3)
    expect(all.get(`waybill_bytes_total${ofA},direction="to_backend"}`)).toBe(3)
  })

  test('dials that failed by their errno name, of which there is an end', async () => {
    using played = stand()
    for (const code of ['ECONNREFUSED', 'ECONNREFUSED', 'EMADEUP1', 'EMADEUP2']) dialFailed.tell({ backend: 'b:1', code, ms: 1, pool: 'a' })
    const all = await played.series()
    expect(all.get(`waybill_backend_dial_failures_total${ofA},reason="ECONNREFUSED"}`)).toBe(2)
    expect(all.get(`waybill_backend_dial_failures_total${ofA},reason="other"}`)).toBe(2)
  })

  test.each([
    ['dial_failed', 3, 2],
    ['resource_exhausted', 1, 0],
    ['client_gone', 2, 2],
    ['append_timeout', 1, 1],
    ['no_healthy_backend', 0, 0],
  ] as const)('of a client refused as %s after %d failed dials, %d were followed by another one', async (because, attempts, retries) => {
    using played = stand()
    connectionRefused.tell({ afterMs: 1, attempts, because, listener: 'shared', pool: 'a', record: null })
    const all = await played.series()
    expect(all.get(`waybill_connections_refused_total{reason="${because}"}`)).toBe(1)
    expect(all.get('waybill_backend_dial_retries_total{pool="a"}') ?? 0).toBe(retries)
  })

  test('checks, commits and acknowledgements', async () => {
    const sources = new PlayedSources()
    sources.played = { backlog: { oldestMs: 1_500, records: 9 }, skewMs: -20 }
    sources.expiries.set('kafka_ca', 1_800_000_000_000)
    using played = stand({ sources })
    backendChecked.tell({ backend: 'b:1', code: null, ms: 2, pool: 'a' })
    backendChecked.tell({ backend: 'b:1', code: 'timeout', ms: 5_000, pool: 'a' })
    logCommitted.tell({ bytes: 900, durable: true, ms: 4, records: 3, stream: 'control' })
    logCommitted.tell({ bytes: 900, durable: false, ms: 4, records: 3, stream: 'control' })
    logAcknowledged.tell({ ms: 8, records: 3, stream: 'control' })
    sources.lags.set('connections', 5)
    sources.sizes.set('control', 7)
    const all = await played.series()
    expect(all.get(`waybill_backend_checks_total${ofA},result="failed"}`)).toBe(1)
    expect(all.get(`waybill_backend_checks_total${ofA},result="succeeded"}`)).toBe(1)
    expect(all.get('waybill_log_records_total{stream="control"}')).toBe(3)
    expect(all.get('waybill_log_commit_records_count{stream="control"}')).toBe(1)
    expect(all.get('waybill_log_commit_failures_total{stream="control"}')).toBe(1)
    expect(all.get('waybill_log_acknowledge_duration_seconds_sum{stream="control"}')).toBe(0.008)
    expect(all.get('waybill_log_backlog_records')).toBe(9)
    expect(all.get('waybill_log_backlog_age_seconds')).toBe(1.5)
    expect(all.get('waybill_clock_skew_seconds')).toBe(-0.02)
    expect(all.get('waybill_fold_lag{stream="connections"}')).toBe(5)
    expect(all.get('waybill_log_size{stream="control"}')).toBe(7)
    expect(all.get('waybill_certificate_expiry_timestamp_seconds{certificate="kafka_ca"}')).toBe(1_800_000_000)
    expect(all.has('waybill_certificate_expiry_timestamp_seconds{certificate="kafka_client"}')).toBe(false)
  })

  test('how long a stream takes no records, while it lasts and afterwards', async () => {
    using played = stand()
    const name = 'waybill_log_unavailable_seconds_total{stream="connections"}'
    played.clock.advance(5_000)
    played.sources.setAvailable('connections', false)
    played.clock.advance(2_000)
    played.sources.setAvailable('connections', false)
    const during = await played.series()
    expect([during.get(name), during.get('waybill_log_available{stream="connections"}')]).toEqual([3, 0])
    played.sources.setAvailable('connections', true)
    played.clock.advance(60_000)
    expect((await played.series()).get(name)).toBe(3)
  })

  test.each([
    [{ because: 'reset', by: 'client' }, 'client'],
    [{ because: 'network_error', by: 'backend' }, 'backend'],
    [{ because: 'operator_ended', by: 'operator' }, 'operator'],
    [{ because: 'backend_not_tls', by: 'proxy' }, 'proxy'],
    [{ because: 'finished', by: 'client' }, null],
  ] as const)('an end by %j as a reset by %s', async (how, by) => {
    using played = stand()
    closed({ close: { actor: null, code: null, phase: 'relay', ...how } })
    const all = await played.series()
    for (const party of ['backend', 'client', 'operator', 'proxy']) {
      expect(all.get(`waybill_connections_reset_total{by="${party}"}`)).toBe(party === by ? 1 : 0)
    }
  })

  test('suites without a name under one', async () => {
    using played = stand()
    const { tls } = closedData()
    for (const cipher of ['0x1234', '0xabcd']) closed({ tls: { ...tls!, cipher, version: '0x7f1c' } })
    closed({ tls: null })
    const all = await played.series()
    expect([...all].filter(([name]) => name.startsWith('waybill_tls_negotiated'))).toEqual([
      ['waybill_tls_negotiated_total{version="other",cipher="other"}', 2], ['waybill_tls_negotiated_total{version="none",cipher="none"}', 1],
    ])
  })
})

describe('series of what left the configuration', () => {
  const shown = async (played: ReturnType<typeof stand>): Promise<string[]> => [...(await played.series()).keys()].filter((name) => name.includes('pool="a"'))

  test('stay for a while and go, without anybody collecting', async () => {
    using played = stand()
    played.sources.configured.set('a', [{ id: 'b:1', isUp: true, weight: 1 }])
    opened()
    expect((await shown(played)).length).toBeGreaterThan(50)
    played.sources.configured.clear()
    expect(await shown(played)).toContain(`waybill_connections_opened_total${ofA}}`)
    expect(await shown(played)).not.toContain(`waybill_backend_up${ofA}}`)
    played.clock.advance(seriesKeptMs + 60_000)
    expect(await shown(played)).toEqual([])
  })

  test('never while they may still grow', async () => {
    using played = stand()
    played.sources.opened.push({ backend: 'b:1', bytesToBackend: 5, bytesToClient: 0, connections: 1, pool: 'a' })
    played.clock.advance(10 * seriesKeptMs)
    expect((await played.series()).get(`waybill_bytes_total${ofA},direction="to_backend"}`)).toBe(5)
    played.sources.opened.length = 0
    closed({ bytes_to_backend: 6 })
    played.clock.advance(seriesKeptMs / 2)
    expect((await played.series()).get(`waybill_bytes_total${ofA},direction="to_backend"}`)).toBe(6)
  })

  test('begin again where they are back in time', async () => {
    using played = stand()
    opened()
    played.clock.advance(seriesKeptMs / 2)
    played.sources.configured.set('a', [{ id: 'b:1', isUp: true, weight: 1 }])
    played.clock.advance(2 * seriesKeptMs)
    expect((await played.series()).get(`waybill_connections_opened_total${ofA}}`)).toBe(1)
  })
})

test('backends beyond those that are shown share series in their pool, which never go down', async () => {
  using played = stand()
  const { sources } = played
  const many = Array.from({ length: backendsShownMax }, (_, index) => ({ id: `many:${index}`, isUp: true, weight: 1 }))
  sources.configured.set('many', many)
  await played.series()
  sources.configured.set('a', [{ id: 'b:1', isUp: true, weight: 1 }, { id: 'b:2', isUp: false, weight: 2 }])
  for (const backend of ['b:1', 'b:2']) {
    opened({ backend })
    sources.opened.push({ backend, bytesToBackend: 10, bytesToClient: 0, connections: 1, pool: 'a' })
  }
  const other = 'pool="a",backend="other"'
  const before = await played.series()
  expect(before.get(`waybill_connections_opened_total{${other}}`)).toBe(2)
  expect(before.get(`waybill_bytes_total{${other},direction="to_backend"}`)).toBe(20)
  expect(before.get(`waybill_backend_up{${other}}`)).toBe(1)
  expect(before.get(`waybill_backend_weight{${other}}`)).toBe(3)
  expect([...before.keys()].filter((name) => name.includes('b:1'))).toEqual([])

  sources.configured.delete('many')
  sources.opened.shift()
  closed({ backend: 'b:1', bytes_to_backend: 11 })
  played.clock.advance(2 * seriesKeptMs)
  opened({ backend: 'b:2' })
  const after = await played.series()
  expect(after.get(`waybill_connections_opened_total{${other}}`)).toBe(3)
  expect(after.get(`waybill_bytes_total{${other},direction="to_backend"}`)).toBe(21)
  opened({ backend: 'b:3' })
  expect((await played.series()).get('waybill_connections_opened_total{pool="a",backend="b:3"}')).toBe(1)
})

describe('collecting', () => {
  test('serves all who ask at once, or within a second, with one look at the node', async () => {
    using played = stand()
    let looks = 0
    played.sources.peeking = () => (looks += 1)
    const all = await Promise.all([played.metrics.exposition(undefined), played.metrics.exposition('application/openmetrics-text'), played.metrics.exposition('text/plain')])
    await played.metrics.exposition(undefined)
    expect(looks).toBe(1)
    expect(seriesOf(all[0]!.body.toString()).get('waybill_peeks_active')).toBe(1)
    expect(all[1]!.contentType).toMatch(/^application\/openmetrics-text;/)
    played.clock.advance(1_000)
    expect(seriesOf((await played.metrics.exposition(undefined))!.body.toString()).get('waybill_peeks_active')).toBe(2)
  })

  test('does not wait for a disk that does not answer, and asks it once', async () => {
    using played = stand()
    let asked = 0
    played.sources.space = () => {
      asked += 1
      return new Promise(() => {})
    }
    for (let round = 0; round < 3; round += 1) {
      const collecting = played.metrics.exposition(undefined)
      await played.clock.run(1_000)
      const all = seriesOf((await collecting)!.body.toString())
      expect(all.has('waybill_log_disk_free_bytes')).toBe(false)
      expect(all.get('waybill_peeks_active')).toBe(3)
      await played.clock.run(1_000)
    }
    expect(asked).toBe(1)
  })

  test('leaves out what can not be told, and says so once', async () => {
    const { logger, said } = lines()
    using played = stand({ logger })
    played.sources.listeners = () => {
      throw new Error('no listeners')
    }
    for (let round = 0; round < 3; round += 1) expect((await played.series()).get('waybill_log_available{stream="control"}')).toBe(1)
    expect(said).toEqual([expect.stringContaining('no listeners')])
  })

  test('a bug in counting ends nothing, and is told once', async () => {
    const { logger, said } = lines()
    using played = stand({ logger })
    for (let round = 0; round < 3; round += 1) closed({ close: null })
    opened()
    expect((await played.series()).get(`waybill_connections_opened_total${ofA}}`)).toBe(1)
    expect(said).toEqual([expect.stringContaining('counting closed connections failed')])
  })

  test('counts nothing any more when it has ended', async () => {
    using played = stand()
    played.metrics[Symbol.dispose]()
    opened()
    expect((await played.series()).has(`waybill_connections_opened_total${ofA}}`)).toBe(false)
  })
})

test('a bucket points to the trace of a connection, in OpenMetrics', async () => {
  using played = stand({ traceIdOf: (id) => (id.endsWith('1') ? 'f00d' : null) })
  const [traced, other] = ['0198c0de-0000-7000-8000-000000000001', '0198c0de-0000-7000-8000-000000000002']
  for (const connection_id of [traced, other]) opened({ connection_id })
  closed({ connection_id: traced })
  played.clock.advance(1_000)
  const body = (await played.metrics.exposition('application/openmetrics-text'))!.body.toString()
  expect(body).toContain('waybill_dial_duration_seconds_count{pool="a"} 2\n')
  expect(body).toMatch(/^waybill_dial_duration_seconds_bucket\{le="0\.025",pool="a"\} 2 # \{trace_id="f00d"\} 0\.02 [0-9.]+$/m)
  expect(body.match(/trace_id/g)).toHaveLength(2)
})
