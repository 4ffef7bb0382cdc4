import { closeParties, type ConnectionClosedData } from '../../events/connection.ts'
import { backendChecked, connectionClosed, connectionOpened, connectionRefused, dialFailed, type MessageOf } from '../core/channels.ts'
import { isReset, negotiatedOf } from './endings.ts'
import type { Guard } from './guarded.ts'
import { reasonsOf } from './instruments.ts'
import { Counts } from './metrics-counts.ts'
import type { HistogramName, MetricsRegistry, Observe } from './metrics-registry.ts'
import type { TrafficCounts } from './metrics-traffic.ts'

/** Counts what the data path tells: once for each client, dial and check, and nothing for a chunk. */

/** Names the trace of a connection; null: it has none. */
export type TraceIdOf = (connectionId: string) => string | null

/** Those of which one case is worth looking at. */
export const histogramsWithExemplars: readonly HistogramName[] = ['connection.duration', 'dial.duration']

export interface ConnectionCountsOptions {
  readonly guard: Guard
  readonly registry: MetricsRegistry
  readonly traceIdOf: TraceIdOf | null
  readonly traffic: TrafficCounts
}

export class ConnectionCounts implements Disposable {
  readonly #registry: MetricsRegistry
  readonly #traceIdOf: TraceIdOf | null
  readonly #traffic: TrafficCounts
  readonly #closed = new Counts(['reason'], reasonsOf['connections.closed'])
  readonly #refused = new Counts(['reason'], reasonsOf['connections.refused'])
  readonly #reset = new Counts(['by'], closeParties)
  readonly #negotiated = new Counts(['version', 'cipher'])
  readonly #helloSeconds: Observe
  readonly #recordSeconds: Observe
  readonly #listening = new DisposableStack()

  constructor({ guard, registry, traceIdOf, traffic }: ConnectionCountsOptions) {
    this.#registry = registry
    this.#traceIdOf = traceIdOf
    this.#traffic = traffic
    this.#helloSeconds = registry.observing('hello.duration', {})
    this.#recordSeconds = registry.observing('record.duration', {})
    this.#listening.use(guard.listen('counting opened connections', connectionOpened, (message) => this.#opened(message)))
    this.#listening.use(guard.listen('counting closed connections', connectionClosed, ({ closed }) => this.#ended(closed)))
    this.#listening.use(guard.listen('counting refused clients', connectionRefused, (message) => this.#refusal(message)))
    this.#listening.use(guard.listen('counting failed dials', dialFailed, ({ backend, code, pool }) => traffic.backend(traffic.pool(pool), backend).dialFailed(code)))
    this.#listening.use(guard.listen('counting health checks', backendChecked, (message) => this.#checked(message)))
  }

  write(): void {
    this.#registry.show('connections.closed', this.#closed.series())
    this.#registry.show('connections.refused', this.#refused.series())
    this.#registry.show('connections.reset', this.#reset.series())
    this.#registry.show('tls.negotiated', this.#negotiated.series())
  }

  [Symbol.dispose](): void {
    this.#listening.dispose()
  }

  #opened({ acceptedMs, dialMs, helloMs, opened, recordMs }: MessageOf<typeof connectionOpened>): void {
    const pool = this.#traffic.pool(opened.pool)
    this.#traffic.backend(pool, opened.backend).opened += 1
    // Each dial that failed was followed by another one, in the end by this one.
    pool.retries += opened.attempts.length
    this.#helloSeconds(secondsBetween(acceptedMs, helloMs))
    this.#recordSeconds(secondsBetween(dialMs, recordMs))
    this.#observe('dial.duration', opened, pool.dialSeconds, secondsBetween(helloMs, dialMs))
  }

  #ended(closed: ConnectionClosedData): void {
    const { because, by } = closed.close
    const pool = this.#traffic.pool(closed.pool)
    this.#traffic.backend(pool, closed.backend).closed(closed)
    this.#closed.add(1, because)
    if (isReset(because)) this.#reset.add(1, by)
    const { cipher, version } = negotiatedOf(closed)
    this.#negotiated.add(1, version, cipher)
    if (closed.timings !== null) this.#observe('connection.duration', closed, pool.connectionSeconds, closed.timings.total / 1_000)
  }

  #refusal({ attempts, because, pool }: MessageOf<typeof connectionRefused>): void {
    this.#refused.add(1, because)
    if (pool === null || attempts === 0) return
    // With these the last dial that failed was the end of it; otherwise another one was under way, or had worked.
    const wasLast = because === 'dial_failed' || because === 'resource_exhausted'
    this.#traffic.pool(pool).retries += wasLast ? attempts - 1 : attempts
  }

  #checked({ backend, code, ms, pool }: MessageOf<typeof backendChecked>): void {
    const its = this.#traffic.pool(pool)
    const counts = this.#traffic.backend(its, backend)
    if (code === null) counts.checksSucceeded += 1
    else counts.checksFailed += 1
    its.checkSeconds(secondsBetween(0, ms))
  }

  #observe(name: HistogramName, of: { readonly connection_id: string; readonly pool: string }, observe: Observe, seconds: number): void {
    const traceId = this.#traceIdOf?.(of.connection_id) ?? null
    if (traceId === null) observe(seconds)
    else this.#registry.histogram(name).observe({ exemplarLabels: { trace_id: traceId }, labels: { pool: of.pool }, value: seconds })
  }
}

function secondsBetween(fromMs: number, toMs: number): number {
  return Math.max(0, toMs - fromMs) / 1_000
}
