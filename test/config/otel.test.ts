import { describe, expect, test } from 'vitest'
import { readOtelSettings } from '../../src/config/otel.ts'
import { Fault } from '../../src/core/errors.ts'

function problemsOf(environment: Readonly<Record<string, string>>): string {
  try {
    readOtelSettings(environment)
    return ''
  } catch (error) {
    if (error instanceof Fault) return error.message
    throw error
  }
}

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }

test('what is wrong is said once, however many signals it is wrong for', () => {
  expect(problemsOf({ OTEL_EXPORTER_OTLP_ENDPOINT: 'nowhere' })).toMatch(/^OTEL_EXPORTER_OTLP_ENDPOINT: is not a URL[^\n]*$/)
})

test('a query has no place before a path that is added; in the whole address of a signal it has', () => {
  expect(problemsOf({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318/x?token=SECRETQQ', OTEL_LOGS_EXPORTER: 'none' })).toBe(
    'OTEL_EXPORTER_OTLP_ENDPOINT: has a query or a fragment, behind which no path can be added; write the whole address into OTEL_EXPORTER_OTLP_METRICS_ENDPOINT.',
  )
  expect(problemsOf({ OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://c:4318/v1/metrics?token=SECRETQQ' })).toBe('')
})

test('a secret is taken out of a text also where JSON spells it', () => {
  const { withoutSecrets } = readOtelSettings({ ...endpoint, OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer TOP"x\\SECRET' })
  expect(withoutSecrets(JSON.stringify({ said: 'Bearer TOP"x\\SECRET' }))).not.toContain('SECRET')
})

describe('what is exported', () => {
  test('nothing, unless somebody asks', () => {
    const { logs, metrics, notices, traces } = readOtelSettings({ HOME: '/', OTEL_METRIC_EXPORT_INTERVAL: '1000', OTEL_TRACES_SAMPLER: 'always_on' })
    expect({ logs, metrics, notices, traces }).toEqual({ logs: null, metrics: null, notices: [], traces: null })
  })

  test.each([
    [{ OTEL_METRICS_EXPORTER: 'otlp' }, ['metrics']],
    [{ OTEL_METRICS_EXPORTER: 'prometheus, otlp' }, ['metrics']],
    [{ OTEL_METRICS_EXPORTER: 'prometheus' }, []],
    [{ OTEL_LOGS_EXPORTER: 'otlp' }, ['logs']],
    [endpoint, ['metrics', 'logs']],
    [{ ...endpoint, OTEL_LOGS_EXPORTER: 'none' }, ['metrics']],
    [{ ...endpoint, OTEL_TRACES_SAMPLER: 'always_on' }, ['metrics', 'traces', 'logs']],
    [{ ...endpoint, OTEL_TRACES_SAMPLER: 'always_off' }, ['metrics', 'logs']],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c:4318/v1/traces', OTEL_TRACES_SAMPLER: 'always_on' }, ['traces']],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: ' ', OTEL_METRICS_EXPORTER: '' }, []],
    [{ ...endpoint, OTEL_SDK_DISABLED: 'True' }, []],
  ])('%j: %j', (environment, exported) => {
    const settings = readOtelSettings(environment)
    expect((['metrics', 'traces', 'logs'] as const).filter((signal) => settings[signal] !== null)).toEqual(exported)
  })

  test('traces that are asked for without a sampler are none, and that is said', () => {
    const { notices, traces } = readOtelSettings({ OTEL_TRACES_EXPORTER: 'otlp' })
    expect(traces).toBeNull()
    expect(notices).toEqual([expect.stringContaining('OTEL_TRACES_SAMPLER')])
  })
})

describe('values', () => {
  test('are the defaults of the specification', () => {
    const { logs, metrics, traces } = readOtelSettings({ ...endpoint, OTEL_TRACES_SAMPLER: 'parentbased_always_on' })
    expect(metrics).toEqual({ endpoint: 'http://collector:4318/v1/metrics', intervalMs: 60_000, protocol: 'http/protobuf', timeoutMs: 30_000 })
    expect(traces).toEqual({
      batching: { batchMax: 512, exportTimeoutMs: 30_000, queueMax: 2_048, scheduleDelayMs: 5_000 },
      endpoint: 'http://collector:4318/v1/traces', protocol: 'http/protobuf', sampler: { name: 'parentbased_always_on', ratio: 1 },
    })
    expect(logs?.batching.scheduleDelayMs).toBe(1_000)
  })

  test('of a signal win over those of all', () => {
    const { logs, metrics } = readOtelSettings({
      ...endpoint, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'collector:4317', OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: 'grpc',
      OTEL_METRIC_EXPORT_INTERVAL: '5000', OTEL_METRIC_EXPORT_TIMEOUT: '700',
    })
    expect(metrics).toEqual({ endpoint: 'collector:4317', intervalMs: 5_000, protocol: 'grpc', timeoutMs: 700 })
    expect(logs).toMatchObject({ endpoint: 'http://collector:4318/v1/logs', protocol: 'http/protobuf' })
  })

  test('a batch is never larger than its queue', () => {
    expect(readOtelSettings({ ...endpoint, OTEL_BLRP_MAX_QUEUE_SIZE: '100' }).logs?.batching).toMatchObject({ batchMax: 100, queueMax: 100 })
  })

  test('a sampler has its ratio', () => {
    const sampler = { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.01' }
    expect(readOtelSettings({ ...endpoint, ...sampler }).traces?.sampler).toEqual({ name: 'parentbased_traceidratio', ratio: 0.01 })
  })
})

describe('what is wrong', () => {
  test.each([
    [{ ...endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' }, 'OTEL_EXPORTER_OTLP_PROTOCOL: "http/json" is not supported; write grpc or http/protobuf, or leave it out.'],
    [{ ...endpoint, OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: 'udp' }, 'OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: "udp" is not supported'],
    [{ ...endpoint, OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'delta' }, 'OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: "delta" is not supported; write cumulative'],
    [{ ...endpoint, OTEL_EXPORTER_OTLP_COMPRESSION: 'zstd' }, 'OTEL_EXPORTER_OTLP_COMPRESSION: "zstd" is not supported; write gzip or none'],
    [{ ...endpoint, OTEL_METRIC_EXPORT_INTERVAL: '10' }, 'OTEL_METRIC_EXPORT_INTERVAL: "10" is not a whole number from 100 to 86400000.'],
    [{ ...endpoint, OTEL_EXPORTER_OTLP_TIMEOUT: '10s' }, 'OTEL_EXPORTER_OTLP_TIMEOUT: "10s" is not a whole number'],
    [{ ...endpoint, OTEL_TRACES_SAMPLER: 'xray' }, 'OTEL_TRACES_SAMPLER: "xray" is not supported; write always_on or'],
    [{ ...endpoint, OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '1.5' }, 'OTEL_TRACES_SAMPLER_ARG: "1.5" is not a number from 0 to 1.'],
    [{ OTEL_METRICS_EXPORTER: 'console' }, 'OTEL_METRICS_EXPORTER: "console" is none of otlp, none, prometheus.'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' }, 'OTEL_EXPORTER_OTLP_ENDPOINT: is not a URL for http/protobuf'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'ftp://collector', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'OTEL_EXPORTER_OTLP_ENDPOINT: is not an address for grpc'],
    [{ OTEL_SDK_DISABLED: 'yes' }, 'OTEL_SDK_DISABLED: "yes" is not supported; write true or false'],
    [{ ...endpoint, OTEL_RESOURCE_ATTRIBUTES: 'team' }, 'OTEL_RESOURCE_ATTRIBUTES: "team" is not KEY=VALUE.'],
    [{ ...endpoint, OTEL_RESOURCE_ATTRIBUTES: 'a=%zz' }, 'OTEL_RESOURCE_ATTRIBUTES: "a=%zz" has a % that'],
  ])('%j', (environment, sentence) => {
    expect(problemsOf(environment)).toContain(sentence)
  })

  test('is told all at once, each in a line', () => {
    expect(problemsOf({ ...endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: 'x', OTEL_METRIC_EXPORT_TIMEOUT: '-1', OTEL_RESOURCE_ATTRIBUTES: '=' }).split('\n')).toHaveLength(3)
  })

  test('does not matter where nothing is exported', () => {
    const wrong = { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json', OTEL_METRIC_EXPORT_INTERVAL: 'often', OTEL_RESOURCE_ATTRIBUTES: 'x' }
    expect(problemsOf(wrong)).toBe('')
    expect(problemsOf({ ...wrong, ...endpoint, OTEL_SDK_DISABLED: 'true' })).toBe('')
  })
})

describe('the resource', () => {
  test('has what the operator says, decoded', () => {
    const { resource } = readOtelSettings({ ...endpoint, OTEL_RESOURCE_ATTRIBUTES: ' deployment.environment.name=prod , team=a%2Cb,service.name=edge,empty= ' })
    expect(resource).toEqual({ attributes: { 'deployment.environment.name': 'prod', empty: '', team: 'a,b' }, serviceName: 'edge' })
  })

  test('OTEL_SERVICE_NAME wins', () => {
    expect(readOtelSettings({ ...endpoint, OTEL_RESOURCE_ATTRIBUTES: 'service.name=edge', OTEL_SERVICE_NAME: 'lb' }).resource.serviceName).toBe('lb')
  })

  test('is bounded', () => {
    const many = Array.from({ length: 129 }, (_, index) => `k${index}=v`).join(',')
    expect(problemsOf({ ...endpoint, OTEL_RESOURCE_ATTRIBUTES: many })).toBe('OTEL_RESOURCE_ATTRIBUTES: has more than 128 attributes.')
    expect(problemsOf({ ...endpoint, OTEL_RESOURCE_ATTRIBUTES: `k=${'v'.repeat(256)}` })).toContain('is longer than 255 characters')
  })
})

describe('secrets', () => {
  const token = 'c2VjcmV0LXRva2Vu'
  const environment = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://waybill:pass%20word@collector:4318',
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${token},x-tenant=acme-tenant`,
    OTEL_EXPORTER_OTLP_METRICS_HEADERS: 'api-key=k%2Cey-of-metrics',
  }

  test('are in no value', () => {
    const settings = readOtelSettings(environment)
    expect(settings.metrics?.endpoint).toBe('https://[redacted]@collector:4318/v1/metrics')
    const text = JSON.stringify(settings)
    for (const secret of [token, 'acme-tenant', 'ey-of-metrics', 'pass']) expect(text).not.toContain(secret)
  })

  test('are taken out of every text', () => {
    const { withoutSecrets } = readOtelSettings(environment)
    const said = `sent authorization: Bearer ${token}, ${token}, acme-tenant, k,ey-of-metrics, pass word to https://waybill:pass%20word@collector:4318/v1`
    expect(withoutSecrets(said)).toBe(
      'sent authorization: [redacted], [redacted], [redacted], [redacted], [redacted] to https://[redacted]@collector:4318/v1',
    )
    expect(withoutSecrets('connect ECONNREFUSED 127.0.0.1:4318')).toBe('connect ECONNREFUSED 127.0.0.1:4318')
  })

  test.each([
    ['authorization=Bearer s3cr3t-line\u0007', 'the 1. header (authorization) has a value'],
    ['a=b,s3cr3t-line', 'the 2. header is not NAME=VALUE'],
    ['a b=s3cr3t-line', 'the 1. header has a name'],
    ['a=s3cr3t-line%', 'the 1. header is not NAME=VALUE'],
  ])('a header that can not be sent is told without its value: %j', (headers, sentence) => {
    const problems = problemsOf({ ...endpoint, OTEL_EXPORTER_OTLP_HEADERS: headers })
    expect(problems).toContain(`OTEL_EXPORTER_OTLP_HEADERS: ${sentence}`)
    expect(problems).not.toContain('s3cr3t')
  })

  test('the query of an endpoint is not shown, and taken out of every text', () => {
    const { metrics, traces, withoutSecrets } = readOtelSettings({
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'https://c:4318/base/?api_token_x=SECRETQ#part', OTEL_TRACES_SAMPLER: 'always_on',
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://c:4318/v1/traces?a=1&key=s3cr3t%2Ctraces',
    })
    expect([metrics?.endpoint, traces?.endpoint]).toEqual(['https://c:4318/base/', 'https://c:4318/v1/traces'])
    expect(withoutSecrets('GET /base/?api_token_x=SECRETQ failed, s3cr3t%2Ctraces, s3cr3t,traces')).toBe('GET /base/?[redacted] failed, [redacted], [redacted]')
  })

  test('what is too short to be one stays readable', () => {
    const { withoutSecrets } = readOtelSettings({ ...endpoint, OTEL_EXPORTER_OTLP_HEADERS: 'x-scope-orgid=node,api-key=4000,x-token=8letters' })
    expect(withoutSecrets('the node listens on 127.0.0.1:4000, says 8letters')).toBe('the node listens on 127.0.0.1:4000, says [redacted]')
  })

  test('an endpoint that is wrong is not shown', () => {
    const login = 'me:s3cr3t@'
    expect(problemsOf({ OTEL_EXPORTER_OTLP_ENDPOINT: `tcp://${login}host` })).not.toContain('s3cr3t')
    const problems = problemsOf({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://${login}host:4317`, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' })
    expect(problems).toContain('put them into OTEL_EXPORTER_OTLP_HEADERS')
    expect(problems).not.toContain('s3cr3t')
  })
})
