import type { Resource } from '@opentelemetry/resources'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import type { OtelMetrics } from '../../config/otel.ts'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/logger.ts'
import type { Family } from '../exposition.ts'
import { lastExportMs } from './counted-exporter.ts'
import { ExportWatch } from './export-watch.ts'
import { loadMetricExporter } from './metric-exporter.ts'
import { OneAtATimeReader } from './metric-reader.ts'
import { NodeMetricProducer } from './metric-producer.ts'

/** Sends the metrics of a node to an OpenTelemetry collector, at intervals and once more at the end. */

export interface MetricsExportOptions {
  readonly clock: Clock
  /** As of now: what has just ended is in it. */
  readonly collect: () => Promise<readonly Family[]>
  readonly logger: Logger
  readonly resource: Resource
  readonly settings: OtelMetrics
  /** When everything was zero, milliseconds since the epoch. */
  readonly sinceMs: number
  readonly version: string
  readonly withoutSecrets: (text: string) => string
}

/** Its disposal makes the last export and returns in bounded time, whatever the collector does. */
export async function startMetricsExport(options: MetricsExportOptions): Promise<AsyncDisposable> {
  const { clock, collect, logger, resource, sinceMs, version, withoutSecrets } = options
  const { endpoint, intervalMs, protocol, timeoutMs } = options.settings
  const watch = new ExportWatch({
    clock, consequence: 'they go on being counted, and the next export has them all', endpoint, logger, what: 'metrics', withoutSecrets,
  })
  const reader = new OneAtATimeReader({
    clock, exporter: await loadMetricExporter({ protocol, version }), intervalMs, lastExportMs,
    producer: new NodeMetricProducer({ clock, collect, sinceMs, version }), timeoutMs, watch,
  })
  const provider = new MeterProvider({ readers: [reader], resource })
  logger.info('metrics go to an OpenTelemetry collector', { endpoint, interval_ms: intervalMs, protocol })
  return { [Symbol.asyncDispose]: () => provider.shutdown() }
}
