import { BatchSpanProcessor, type ReadableSpan, type SpanExporter } from '@opentelemetry/sdk-trace'
import type { OtelBatching } from '../../config/otel.ts'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/logger.ts'
import { CountedExporter, type ExportCounts, type ExportsWatched } from '../otlp/counted-exporter.ts'

/**
 * Spans on their way to a collector: a bounded queue that never holds anybody up. What comes while it is full is dropped,
 * what an export loses is lost, and both are counted.
 */

export interface SpanQueueOptions {
  readonly batching: OtelBatching
  readonly clock: Clock
  readonly exporter: SpanExporter
  readonly logger: Logger
  readonly watch: ExportsWatched
}

/** More than one line in this time about spans without room tells nobody anything. */
const saidEveryMs = 60_000

export class SpanQueue implements AsyncDisposable {
  readonly #options: SpanQueueOptions
  readonly #exporter: CountedExporter<ReadableSpan>
  readonly #processor: BatchSpanProcessor
  #unsaid = 0
  #saidMs = Number.NEGATIVE_INFINITY

  constructor(options: SpanQueueOptions) {
    const { batching: { batchMax, exportTimeoutMs, queueMax, scheduleDelayMs }, clock, exporter, watch } = options
    this.#options = options
    this.#exporter = new CountedExporter({ clock, exporter, queueMax, watch })
    this.#processor = new BatchSpanProcessor({
      exporter: this.#exporter,
      exportTimeoutMillis: exportTimeoutMs,
      maxExportBatchSize: batchMax,
      maxQueueSize: queueMax,
      scheduledDelayMillis: scheduleDelayMs,
    })
  }

  get counts(): ExportCounts {
    return this.#exporter.counts
  }

  add(span: ReadableSpan): void {
    if (this.#exporter.admit()) {
      this.#processor.onEnd(span)
      return
    }
    this.#unsaid += 1
    if (this.#options.clock.monotonicMs() - this.#saidMs >= saidEveryMs) this.#sayDropped()
  }

  /** Sends what waits, for a bounded time. Never rejects. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#exporter.end(this.#processor.shutdown())
    if (this.#unsaid > 0) this.#sayDropped()
  }

  #sayDropped(): void {
    const { batching: { queueMax }, clock, logger } = this.#options
    logger.warn(`spans are dropped: ${queueMax} wait to be sent; sample fewer, or let more wait (OTEL_BSP_MAX_QUEUE_SIZE)`, { spans: this.#unsaid })
    this.#unsaid = 0
    this.#saidMs = clock.monotonicMs()
  }
}
