import type { OtelSettings } from '../config/otel.ts'
import type { Settings } from '../config/settings.ts'
import type { ResourceFacts } from '../telemetry/otlp/resource.ts'
import type { Traces } from '../telemetry/tracing/traces.ts'
import { unlessItFails, type OtlpOptions } from './otlp-parts.ts'

/** Spans that go to an OpenTelemetry collector. Nothing of the SDK is loaded unless they do. */

export interface TracePartsOptions extends OtlpOptions {
  readonly settings: Pick<Settings, 'api'>
}

/** Null: no spans are asked for, or their exporter does not start, which is said. Never rejects. */
export async function startTraces(options: TracePartsOptions, facts: ResourceFacts): Promise<Traces | null> {
  const { traces } = options.otel
  if (traces === null) return null
  return await unlessItFails(options, 'spans can not be sent to an OpenTelemetry collector: their exporter does not start', () => startExport(options, traces, facts))
}

async function startExport(
  { clock, logger, otel, settings }: TracePartsOptions, traces: NonNullable<OtelSettings['traces']>, facts: ResourceFacts,
): Promise<Traces> {
  const { ExportWatch } = await import('../telemetry/otlp/export-watch.ts')
  const { resourceOf } = await import('../telemetry/otlp/resource.ts')
  const { loadSpanExporter } = await import('../telemetry/tracing/span-exporter.ts')
  const { Traces } = await import('../telemetry/tracing/traces.ts')
  const { batching: { batchMax, queueMax }, endpoint, protocol, sampler } = traces
  const { version } = facts
  const resource = resourceOf(facts, otel.resource)
  const watch = new ExportWatch({
    clock, consequence: 'those of failed exports are lost; records and metrics are not', endpoint, logger, what: 'spans',
    withoutSecrets: otel.withoutSecrets,
  })
  // At the end all that wait are sent at once, beside the batch that is under way.
  const exporter = await loadSpanExporter(protocol, version, Math.ceil(queueMax / batchMax) + 1)
  const started = new Traces({ api: settings.api, clock, exporter, logger, resource, settings: traces, version, watch })
  logger.info('spans go to an OpenTelemetry collector', { endpoint, protocol, sampler: sampler.name, ...(sampler.name.includes('ratio') ? { ratio: sampler.ratio } : {}) })
  return started
}
