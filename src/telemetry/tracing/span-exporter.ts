import type { SpanExporter } from '@opentelemetry/sdk-trace'
import type { OtlpProtocol } from '../../config/otel.ts'

/** The span exporters of the OpenTelemetry SDK. Address, headers, certificates, compression and time-out they read from OTEL_* themselves. */

/**
 * Loads only the one that is used. `version` of Waybill, for the user agent. `concurrencyLimit`: how many batches may be
 * under way; one more is refused and lost, and at its end the SDK sends all that wait at once.
 */
export async function loadSpanExporter(protocol: OtlpProtocol, version: string, concurrencyLimit: number): Promise<SpanExporter> {
  const { OTLPTraceExporter } = protocol === 'grpc'
    ? await import('@opentelemetry/exporter-trace-otlp-grpc')
    : await import('@opentelemetry/exporter-trace-otlp-proto')
  return new OTLPTraceExporter({ concurrencyLimit, userAgent: `waybill/${version}` })
}
