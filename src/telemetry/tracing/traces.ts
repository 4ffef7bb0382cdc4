import type { Resource } from '@opentelemetry/resources'
import type { SpanExporter } from '@opentelemetry/sdk-trace'
import type { OtelTraces } from '../../config/otel.ts'
import { connectionClosed, connectionRefused } from '../../core/channels.ts'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/logger.ts'
import type { Endpoint } from '../../core/network.ts'
import { spanIdsOf, type Tracing } from '../../core/tracing.ts'
import { Guard } from '../guarded.ts'
import type { ExportCounts, ExportsWatched } from '../otlp/counted-exporter.ts'
import { CallTracing } from './call-spans.ts'
import { closedSpan, refusedSpan } from './connection-spans.ts'
import { isSampled, samplerOf } from './sampling.ts'
import { spanOf, type SpanFacts } from './span.ts'
import { SpanQueue } from './span-queue.ts'

/** Spans of connections and of calls of the API, from what the data path and the API tell when one is over. */

export interface TracesOptions {
  /** Where the API listens. */
  readonly api: Endpoint
  readonly clock: Clock
  readonly exporter: SpanExporter
  readonly logger: Logger
  readonly resource: Resource
  readonly settings: Pick<OtelTraces, 'batching' | 'sampler'>
  /** Of Waybill. */
  readonly version: string
  readonly watch: ExportsWatched
}

export class Traces implements AsyncDisposable {
  /** For the API. */
  readonly calls: Tracing
  readonly #queue: SpanQueue
  readonly #isWanted: (id: string) => boolean
  readonly #listening: readonly Disposable[]

  constructor({ api, clock, exporter, logger, resource, settings, version, watch }: TracesOptions) {
    const sampler = samplerOf(settings.sampler)
    const queue = new SpanQueue({ batching: settings.batching, clock, exporter, logger, watch })
    const guard = new Guard(logger)
    const add = (make: () => SpanFacts): void => void guard.run('making a span', () => queue.add(spanOf(make(), { resource, version })))
    const calls = new CallTracing({ add, clock, sampler, server: api })
    this.#isWanted = (id) => isSampled(sampler, spanIdsOf(id).traceId, null)
    this.calls = { begin: (call) => guard.run('making spans of calls', () => calls.begin(call)) }
    this.#queue = queue
    this.#listening = [
      guard.listen('making spans of connections', connectionClosed, (told) => {
        if (!this.#isWanted(told.closed.connection_id)) return
        const offsetMs = clock.now() - clock.monotonicMs()
        add(() => closedSpan(told, (monotonicMs) => monotonicMs + offsetMs))
      }),
      guard.listen('making spans of refused clients', connectionRefused, ({ record, ...told }) => {
        // A flood makes no more spans than it makes records.
        if (record !== null && this.#isWanted(record.id)) add(() => refusedSpan({ ...told, record }, clock.now()))
      }),
    ]
  }

  /** Of a connection that there will be a span of; null: there will be none. */
  traceIdOf(connectionId: string): string | null {
    return this.#isWanted(connectionId) ? spanIdsOf(connectionId).traceId : null
  }

  get counts(): ExportCounts {
    return this.#queue.counts
  }

  /** Sends what waits, for a bounded time. Never rejects. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const listener of this.#listening) listener[Symbol.dispose]()
    await this.#queue[Symbol.asyncDispose]()
  }
}
