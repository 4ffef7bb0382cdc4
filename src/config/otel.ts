import { Fault } from '../core/errors.ts'
import { readEndpoint, readHeaders, secretsOf, type Signal } from './otel-endpoint.ts'
import { readResource, type ResourceSettings } from './otel-resource.ts'
import { numberOf, textOf, wholeNumberOf, wordOf, type OtelReading } from './otel-values.ts'
import type { Environment } from './settings.ts'

/**
 * The standard OTEL_* variables: what is sent to an OpenTelemetry collector, and how often. Where it goes, with which
 * headers and certificates, the exporters read from the same variables themselves, so that no secret passes through here.
 */

export type OtlpProtocol = 'grpc' | 'http/protobuf'

export interface OtlpTarget {
  readonly protocol: OtlpProtocol
  /** For people: without what stands before an @ in it. */
  readonly endpoint: string
}

export interface OtelMetrics extends OtlpTarget {
  readonly intervalMs: number
  /** How long one export may take, its collection and its retries included. */
  readonly timeoutMs: number
}

/** How spans or lines wait to be sent together; those that come while the queue is full are dropped. */
export interface OtelBatching {
  readonly scheduleDelayMs: number
  readonly exportTimeoutMs: number
  readonly queueMax: number
  readonly batchMax: number
}

export interface OtelSampler {
  readonly name: (typeof samplers)[number]
  /** Of the samplers whose name has `traceidratio`. */
  readonly ratio: number
}

export interface OtelTraces extends OtlpTarget {
  readonly sampler: OtelSampler
  readonly batching: OtelBatching
}

export interface OtelLogs extends OtlpTarget {
  readonly batching: OtelBatching
}

/** A PEM file that an exporter reads by itself, and does without when it can't. */
export interface OtelFile {
  readonly variable: string
  readonly path: string
  readonly holds: 'certificates' | 'key'
}

export interface OtelSettings {
  /** Null: this signal is not exported. */
  readonly metrics: OtelMetrics | null
  readonly traces: OtelTraces | null
  readonly logs: OtelLogs | null
  /** Of all signals that are exported. To be checked at the start: without them it would send to anybody, or as nobody. */
  readonly files: readonly OtelFile[]
  readonly resource: ResourceSettings
  /** What was written and does nothing, one sentence each. */
  readonly notices: readonly string[]
  /** The text without the secrets that the variables hold: for every text of an exporter that somebody may see. */
  readonly withoutSecrets: (text: string) => string
}

const samplers = [
  'always_on', 'always_off', 'traceidratio', 'parentbased_always_on', 'parentbased_always_off', 'parentbased_traceidratio',
] as const

const dayMs = 86_400_000

/**
 * A signal is exported when its OTEL_<SIGNAL>_EXPORTER says otlp, or when an endpoint is set and that variable does not say
 * none; traces besides need a sampler. Only variables of signals that are exported are looked at. An empty variable
 * counts as not set. Throws one `Fault` (`settings_invalid`) that names every problem.
 */
export function readOtelSettings(environment: Environment = process.env): OtelSettings {
  const reading: OtelReading = { environment, problems: [], notices: [] }
  const isDisabled = wordOf(reading, 'OTEL_SDK_DISABLED', ['true', 'false'], 'false') === 'true'
  const isExported = (signal: Signal): boolean => !isDisabled && isAskedFor(reading, signal)
  const metrics = isExported('METRICS') ? readMetrics(reading) : null
  const traces = isExported('TRACES') ? readTraces(reading) : null
  const logs = isExported('LOGS') ? readLogs(reading) : null
  const isNothing = metrics === null && traces === null && logs === null
  const resource = isNothing ? { attributes: {}, serviceName: null } : readResource(reading)
  if (reading.problems.length > 0) throw new Fault('settings_invalid', 'settings', [...new Set(reading.problems)].join('\n'))
  const exported = ([['METRICS', metrics], ['TRACES', traces], ['LOGS', logs]] as const).flatMap(([signal, its]) => (its === null ? [] : [signal]))
  const files = new Map(exported.flatMap((signal) => filesOf(reading, signal)).map((file) => [file.variable, file]))
  return { files: [...files.values()], logs, metrics, notices: reading.notices, resource, traces, withoutSecrets: secretsOf(environment) }
}

/** What an OTEL_<SIGNAL>_EXPORTER may say besides `otlp` and `none`: GET /metrics is there anyway. */
const otherExporters: Readonly<Record<Signal, readonly string[]>> = { LOGS: [], METRICS: ['prometheus'], TRACES: [] }

function isAskedFor(reading: OtelReading, signal: Signal): boolean {
  const variable = `OTEL_${signal}_EXPORTER`
  const text = textOf(reading, variable)
  if (text === null) {
    return [`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`, 'OTEL_EXPORTER_OTLP_ENDPOINT'].some((name) => textOf(reading, name) !== null)
  }
  const known = ['otlp', 'none', ...otherExporters[signal]]
  const words = text.split(',').map((word) => word.trim()).filter((word) => word !== '')
  const unknown = words.find((word) => !known.includes(word))
  if (unknown !== undefined) reading.problems.push(`${variable}: "${unknown}" is none of ${known.join(', ')}.`)
  return words.includes('otlp') && !words.includes('none')
}

function readTarget(reading: OtelReading, signal: Signal): OtlpTarget {
  const protocol = readProtocol(reading, signal)
  for (const name of [`OTEL_EXPORTER_OTLP_${signal}`, 'OTEL_EXPORTER_OTLP']) {
    wordOf(reading, `${name}_COMPRESSION`, ['gzip', 'none'], 'none')
    wholeNumberOf(reading, `${name}_TIMEOUT`, { least: 1, most: dayMs, otherwise: 10_000 })
    readHeaders(reading, `${name}_HEADERS`)
  }
  return { endpoint: readEndpoint(reading, signal, protocol), protocol }
}

const fileKinds = { CERTIFICATE: 'certificates', CLIENT_CERTIFICATE: 'certificates', CLIENT_KEY: 'key' } as const

function filesOf(reading: OtelReading, signal: Signal): OtelFile[] {
  return Object.entries(fileKinds).flatMap(([kind, holds]) => {
    const variable = [`OTEL_EXPORTER_OTLP_${signal}_${kind}`, `OTEL_EXPORTER_OTLP_${kind}`].find((name) => textOf(reading, name) !== null)
    return variable === undefined ? [] : [{ holds, path: textOf(reading, variable)!, variable }]
  })
}

const protocols = ['grpc', 'http/protobuf'] as const

function readProtocol(reading: OtelReading, signal: Signal): OtlpProtocol {
  const own = `OTEL_EXPORTER_OTLP_${signal}_PROTOCOL`
  const variable = textOf(reading, own) === null ? 'OTEL_EXPORTER_OTLP_PROTOCOL' : own
  return wordOf(reading, variable, protocols, 'http/protobuf')
}

function readMetrics(reading: OtelReading): OtelMetrics {
  // What prom-client counts are totals and fixed buckets; both would have to be guessed out of them.
  const preferences = 'OTEL_EXPORTER_OTLP_METRICS'
  wordOf(reading, `${preferences}_TEMPORALITY_PREFERENCE`, ['cumulative'], 'cumulative')
  wordOf(reading, `${preferences}_DEFAULT_HISTOGRAM_AGGREGATION`, ['explicit_bucket_histogram'], 'explicit_bucket_histogram')
  return {
    ...readTarget(reading, 'METRICS'),
    intervalMs: wholeNumberOf(reading, 'OTEL_METRIC_EXPORT_INTERVAL', { least: 100, most: dayMs, otherwise: 60_000 }),
    timeoutMs: wholeNumberOf(reading, 'OTEL_METRIC_EXPORT_TIMEOUT', { least: 1, most: dayMs, otherwise: 30_000 }),
  }
}

function readTraces(reading: OtelReading): OtelTraces | null {
  if (textOf(reading, 'OTEL_TRACES_SAMPLER') === null) {
    if (textOf(reading, 'OTEL_TRACES_EXPORTER') !== null) {
      reading.notices.push('OTEL_TRACES_EXPORTER asks for traces, and none are made until OTEL_TRACES_SAMPLER says which, such as parentbased_traceidratio with OTEL_TRACES_SAMPLER_ARG=0.01')
    }
    return null
  }
  const name = wordOf(reading, 'OTEL_TRACES_SAMPLER', samplers, 'always_off')
  const ratio = name.includes('traceidratio') ? numberOf(reading, 'OTEL_TRACES_SAMPLER_ARG', { least: 0, most: 1, otherwise: 1 }) : 1
  if (name === 'always_off') return null
  return { ...readTarget(reading, 'TRACES'), batching: readBatching(reading, 'OTEL_BSP', 5_000), sampler: { name, ratio } }
}

function readLogs(reading: OtelReading): OtelLogs {
  return { ...readTarget(reading, 'LOGS'), batching: readBatching(reading, 'OTEL_BLRP', 1_000) }
}

const queueLimit = 65_536

function readBatching(reading: OtelReading, prefix: 'OTEL_BLRP' | 'OTEL_BSP', delayMs: number): OtelBatching {
  const queueMax = wholeNumberOf(reading, `${prefix}_MAX_QUEUE_SIZE`, { least: 1, most: queueLimit, otherwise: 2_048 })
  return {
    batchMax: Math.min(queueMax, wholeNumberOf(reading, `${prefix}_MAX_EXPORT_BATCH_SIZE`, { least: 1, most: queueLimit, otherwise: 512 })),
    exportTimeoutMs: wholeNumberOf(reading, `${prefix}_EXPORT_TIMEOUT`, { least: 1, most: dayMs, otherwise: 30_000 }),
    queueMax,
    scheduleDelayMs: wholeNumberOf(reading, `${prefix}_SCHEDULE_DELAY`, { least: 1, most: dayMs, otherwise: delayMs }),
  }
}
