import type { CollectionResult, MetricProducer } from '@opentelemetry/sdk-metrics'
import { emptyResource } from '@opentelemetry/resources'
import type { Clock } from '../../core/clock.ts'
import type { Family } from '../exposition.ts'
import { metricDataOf } from './metric-data.ts'

/** Lets a reader of the OpenTelemetry SDK collect what is shown to Prometheus: one set of numbers for both. */

export interface ProducerOptions {
  readonly clock: Pick<Clock, 'now'>
  /** As of now: what has just ended is in it. */
  readonly collect: () => Promise<readonly Family[]>
  /** When everything was zero, milliseconds since the epoch. */
  readonly sinceMs: number
  /** Of Waybill. */
  readonly version: string
}

export class NodeMetricProducer implements MetricProducer {
  readonly #options: ProducerOptions

  constructor(options: ProducerOptions) {
    this.#options = options
  }

  async collect(): Promise<CollectionResult> {
    const { clock, collect, sinceMs, version } = this.#options
    const families = await collect()
    // A clock that was set back must not make a period that ends before it begins.
    const nowMs = Math.max(clock.now(), sinceMs)
    const metrics = families.flatMap((family) => metricDataOf(family, { nowMs, sinceMs }) ?? [])
    const scope = { name: 'waybill', version }
    // The reader puts its own resource in place of this one.
    return { errors: [], resourceMetrics: { resource: emptyResource(), scopeMetrics: [{ metrics, scope }] } }
  }
}
