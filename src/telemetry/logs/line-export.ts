import {
  isSpanContextValid, ROOT_CONTEXT, SeverityNumber, trace, TraceFlags, type AnyValue, type Logger as OtelLogger, type SpanContext,
} from '@opentelemetry/api'
import type { Resource } from '@opentelemetry/resources'
import { BatchLogRecordProcessor, LoggerProvider, type LogRecordExporter, type ReadableLogRecord } from '@opentelemetry/sdk-logs'
import type { OtelBatching } from '../../config/otel.ts'
import type { Clock } from '../../core/clock.ts'
import type { LogLevel, LogLine } from '../logger.ts'
import { CountedExporter, type ExportCounts, type ExportsWatched } from '../otlp/counted-exporter.ts'
import { hrTime } from '../otlp/hr-time.ts'
import type { FieldObject, FieldValue } from './fields.ts'

/**
 * Lines on their way to a collector, beside standard output: a bounded queue that holds nobody up. What comes while it is
 * full and what an export loses are missing there and counted here; standard output has them all.
 */

export interface LineExportOptions {
  readonly batching: OtelBatching
  readonly clock: Clock
  readonly exporter: LogRecordExporter
  readonly resource: Resource
  /** Of Waybill. */
  readonly version: string
  /** Must say nothing in lines that come back here. */
  readonly watch: ExportsWatched
}

export class LineExport implements AsyncDisposable {
  readonly #exporter: CountedExporter<ReadableLogRecord>
  readonly #provider: LoggerProvider
  readonly #logger: OtelLogger

  constructor({ batching, clock, exporter, resource, version, watch }: LineExportOptions) {
    const { batchMax, exportTimeoutMs, queueMax, scheduleDelayMs } = batching
    const counted = new CountedExporter({ clock, exporter, queueMax, watch })
    const processor = new BatchLogRecordProcessor({
      exporter: {
        export: (records, done) => counted.export(records, done), forceFlush: () => exporter.forceFlush(), shutdown: () => counted.shutdown(),
      },
      exportTimeoutMillis: exportTimeoutMs, maxExportBatchSize: batchMax, maxQueueSize: queueMax, scheduledDelayMillis: scheduleDelayMs,
    })
    this.#exporter = counted
    this.#provider = new LoggerProvider({ processors: [processor], resource })
    this.#logger = this.#provider.getLogger('waybill', version)
  }

  get counts(): ExportCounts {
    return this.#exporter.counts
  }

  /** Never throws: a line that can't be sent on is told to the watch, and whoever said it goes on. */
  add(line: LogLine): void {
    if (!this.#exporter.admit()) return
    try {
      this.#emit(line)
    } catch (error) {
      this.#exporter.lost(error)
    }
  }

  #emit({ level, epochMs, sentence, fields }: LogLine): void {
    const span = spanOf(fields)
    this.#logger.emit({
      attributes: attributesOf(fields, span), body: sentence, context: span === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, span),
      severityNumber: severities[level], severityText: level.toUpperCase(),
      // Not as a number: one from before the process would be taken for a time since its start.
      timestamp: hrTime(epochMs),
    })
  }

  /** Sends what waits, for a bounded time. Never rejects. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#exporter.end(this.#provider.shutdown())
  }
}

const severities: Readonly<Record<LogLevel, SeverityNumber>> = {
  debug: SeverityNumber.DEBUG, info: SeverityNumber.INFO, warn: SeverityNumber.WARN, error: SeverityNumber.ERROR,
}

/** As in the JSON line, but for an error, which has names of its own in the semantic conventions, and the ids of a span. */
function attributesOf(fields: FieldObject, span: SpanContext | null): Record<string, AnyValue> {
  const attributes: Record<string, FieldValue> = {}
  for (const [name, value] of Object.entries(fields)) {
    if (span !== null && (name === 'trace_id' || name === 'span_id')) continue
    if (name === 'error' && isObject(value)) {
      for (const [part, its] of Object.entries(value)) attributes[exceptionNames[part] ?? `error.${part}`] = its
    } else attributes[name] = value
  }
  return attributes
}

const exceptionNames: Readonly<Record<string, string>> = {
  message: 'exception.message', stack: 'exception.stacktrace', type: 'exception.type',
}

function isObject(value: FieldValue): value is FieldObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Where a line has both ids they are the record's own. */
function spanOf({ span_id: spanId, trace_id: traceId }: FieldObject): SpanContext | null {
  if (typeof spanId !== 'string' || typeof traceId !== 'string') return null
  const span = { spanId, traceFlags: TraceFlags.NONE, traceId }
  return isSpanContextValid(span) ? span : null
}
