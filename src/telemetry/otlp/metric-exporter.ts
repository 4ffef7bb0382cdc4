import type { PushMetricExporter } from '@opentelemetry/sdk-metrics'
import type { OtlpProtocol } from '../../config/otel.ts'

/** The exporters of the OpenTelemetry SDK. Address, headers, certificates, compression and time-out they read from OTEL_* themselves. */

export interface ExporterOptions {
  readonly protocol: OtlpProtocol
  /** Of Waybill, for the user agent. */
  readonly version: string
}

/** Loads only the one that is used: that of gRPC takes a while. */
export async function loadMetricExporter({ protocol, version }: ExporterOptions): Promise<PushMetricExporter> {
  const { OTLPMetricExporter } = protocol === 'grpc'
    ? await import('@opentelemetry/exporter-metrics-otlp-grpc')
    : await import('@opentelemetry/exporter-metrics-otlp-proto')
  // One export at a time is all there ever is; more would be a leak.
  return new OTLPMetricExporter({ concurrencyLimit: 1, userAgent: `waybill/${version}` })
}
