import type { LogRecordExporter } from '@opentelemetry/sdk-logs'
import type { OtlpProtocol } from '../../config/otel.ts'

/** The log exporters of the OpenTelemetry SDK. Address, headers, certificates, compression and time-out they read from OTEL_* themselves. */

/** Loads only the one that is used. `version` of Waybill, for the user agent. */
export async function loadLineExporter(protocol: OtlpProtocol, version: string): Promise<LogRecordExporter> {
  const { OTLPLogExporter } = protocol === 'grpc'
    ? await import('@opentelemetry/exporter-logs-otlp-grpc')
    : await import('@opentelemetry/exporter-logs-otlp-proto')
  return new OTLPLogExporter({ concurrencyLimit: 1, userAgent: `waybill/${version}` })
}
