import type { OtelMetrics, OtelSettings } from '../config/otel.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { ResourceFacts } from '../telemetry/otlp/resource.ts'

/** Metrics that go to an OpenTelemetry collector, and what the SDK complains of. Nothing of it is loaded unless it is used. */

export interface OtlpOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly otel: OtelSettings
}

/** Says what was written and does nothing, and hears what the SDK complains of until it is disposed. Never rejects. */
export async function startOtlp({ clock, logger, otel }: OtlpOptions): Promise<Disposable> {
  const { logs, metrics, notices, traces, withoutSecrets } = otel
  for (const notice of notices) logger.warn(notice)
  const parts = new DisposableStack()
  if (logs === null && metrics === null && traces === null) return parts
  const { hearDiagnostics } = await import('../telemetry/otlp/diagnostics.ts')
  parts.use(hearDiagnostics({ clock, logger, withoutSecrets }))
  return parts
}

export interface SendMetricsOptions extends OtlpOptions {
  readonly metrics: Metrics
  /** When the metrics were zero, milliseconds since the epoch. */
  readonly sinceMs: number
}

/**
 * Null: no export is asked for, or its exporter does not start, which is said. Never rejects: a node without a collector is
 * a node. Disposal takes bounded time, whatever the collector does.
 */
export async function sendMetrics(options: SendMetricsOptions, facts: ResourceFacts): Promise<AsyncDisposable | null> {
  const { metrics } = options.otel
  if (metrics === null) return null
  return await unlessItFails(options, 'metrics can not be sent to an OpenTelemetry collector: its exporter does not start', () => startExport(options, metrics, facts))
}

interface Fallible {
  readonly logger: Logger
  readonly otel: Pick<OtelSettings, 'withoutSecrets'>
}

/** Null: it failed, which is said. */
export async function unlessItFails<Part>({ logger, otel }: Fallible, sentence: string, start: () => Promise<Part>): Promise<Part | null> {
  try {
    return await start()
  } catch (error) {
    logger.error(sentence, { because: otel.withoutSecrets(messageOf(error)) })
    return null
  }
}

async function startExport(options: SendMetricsOptions, settings: OtelMetrics, facts: ResourceFacts): Promise<AsyncDisposable> {
  const { clock, logger, metrics, otel, sinceMs } = options
  const { startMetricsExport } = await import('../telemetry/otlp/metrics-export.ts')
  const { resourceOf } = await import('../telemetry/otlp/resource.ts')
  return startMetricsExport({
    clock, collect: () => metrics.collectNow(), logger, resource: resourceOf(facts, otel.resource), settings, sinceMs,
    version: facts.version, withoutSecrets: otel.withoutSecrets,
  })
}
