import { MetricReader, type MetricProducer, type PushMetricExporter, type ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { within, type Clock, type Timer } from '../../core/clock.ts'
import { successCode } from './counted-exporter.ts'
import type { ExportWatch } from './export-watch.ts'

/**
 * Collects and exports on this node's clock, never twice at once: a collector that hangs costs one waiting export, whatever
 * the interval. What fails is told to the watch; nothing of it reaches whoever counts, and the next export has all of it.
 */

export interface ReaderOptions {
  readonly clock: Clock
  readonly exporter: PushMetricExporter
  readonly intervalMs: number
  readonly producer: MetricProducer
  /** For one export: after that it counts as failed. The exporter gives up by its own, usually shorter, time. */
  readonly timeoutMs: number
  /** How long the end may wait for what is under way and for one last export. */
  readonly lastExportMs: number
  readonly watch: ExportWatch
}

export class OneAtATimeReader extends MetricReader {
  readonly #options: ReaderOptions
  #timer: Timer | null = null
  #running: Promise<void> | null = null
  #deadline: Timer | null = null
  #isOver = false

  constructor(options: ReaderOptions) {
    super({ metricProducers: [options.producer] })
    this.#options = options
  }

  protected override onInitialized(): void {
    const { clock, intervalMs } = this.#options
    this.#timer = clock.every(intervalMs, () => void this.#run())
  }

  protected override async onForceFlush(): Promise<void> {
    await this.#running
    await this.#run()
  }

  protected override async onShutdown(): Promise<void> {
    const { clock, exporter, lastExportMs, watch } = this.#options
    this.#timer?.[Symbol.dispose]()
    const isDone = await within(clock, lastExportMs, this.onForceFlush())
    if (!isDone) watch.failed(new Error(`no answer within ${lastExportMs} ms at the end`))
    this.#isOver = true
    this.#deadline?.[Symbol.dispose]()
    // It waits for an export that hangs: nobody else has to.
    const closed = exporter.shutdown().catch(() => {})
    if (isDone) await closed
  }

  /** Resolves when the exporter is free again. Never rejects. */
  #run(): Promise<void> {
    this.#running ??= this.#exportOnce().finally(() => {
      this.#running = null
    })
    return this.#running
  }

  async #exportOnce(): Promise<void> {
    const { clock, timeoutMs, watch } = this.#options
    let isTold = false
    const tell = (error: unknown): void => {
      if (isTold || this.#isOver) return
      isTold = true
      if (error === null) watch.succeeded()
      else watch.failed(error)
    }
    this.#deadline = clock.after(timeoutMs, () => tell(new Error(`no answer within ${timeoutMs} ms`)))
    try {
      await this.#collectAndSend()
      tell(null)
    } catch (error) {
      tell(error)
    } finally {
      this.#deadline[Symbol.dispose]()
    }
  }

  async #collectAndSend(): Promise<void> {
    const { errors, resourceMetrics } = await this.collect()
    if (errors.length > 0) throw errors[0]
    await this.#send(resourceMetrics)
  }

  #send(metrics: ResourceMetrics): Promise<void> {
    const { promise, reject, resolve } = Promise.withResolvers<void>()
    this.#options.exporter.export(metrics, ({ error, code }) => {
      const answer: number = code
      if (answer === successCode) resolve()
      else reject(error ?? new Error('the exporter does not say why'))
    })
    return promise
  }
}
