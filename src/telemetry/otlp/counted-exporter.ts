import type { SpanExporter } from '@opentelemetry/sdk-trace'
import { within, type Clock } from '../../core/clock.ts'

/**
 * What spans and lines on their way to a collector have in common: a bound on those that wait, a count of what became of
 * them, and an end that a collector can't hold up.
 */

/** Is told how each export went. */
export interface ExportsWatched {
  failed(error: unknown): void
  succeeded(): void
}

export interface ExportCounts {
  readonly exported: number
  /** The collector did not take them. */
  readonly failed: number
  /** There was no room for them. */
  readonly dropped: number
}

/** How long the end of a node waits for the last export of a signal. */
export const lastExportMs = 2_000

/** `ExportResultCode.SUCCESS`, of a package that the exporters bring along. */
export const successCode = 0

type Done = Parameters<SpanExporter['export']>[1]

/** Of any exporter of the SDK. */
interface Exporter<Item> {
  export(items: Item[], done: Done): void
  shutdown(): Promise<void>
}

export interface CountedExporterOptions<Item> {
  readonly clock: Clock
  readonly exporter: Exporter<Item>
  readonly queueMax: number
  readonly watch: ExportsWatched
}

export class CountedExporter<Item> {
  readonly #options: CountedExporterOptions<Item>
  readonly #counts = { exported: 0, failed: 0, dropped: 0 }
  #waiting = 0
  #isOver = false

  constructor(options: CountedExporterOptions<Item>) {
    this.#options = options
  }

  get counts(): ExportCounts {
    return { ...this.#counts }
  }

  /** Takes room for one that is about to wait. False: there is none, and it counts as dropped. */
  admit(): boolean {
    const isRoom = !this.#isOver && this.#waiting < this.#options.queueMax
    if (isRoom) this.#waiting += 1
    else this.#counts.dropped += 1
    return isRoom
  }

  /** One that had room could not be made. */
  lost(error: unknown): void {
    this.#waiting -= 1
    this.#counts.failed += 1
    this.#options.watch.failed(error)
  }

  /** Failures are told to the watch alone: the SDK would tell each of them, and where that is lines, they are exported again. */
  export(items: Item[], done: Done): void {
    const { exporter, watch } = this.#options
    this.#waiting -= items.length
    exporter.export(items, ({ code, error }) => {
      const isTaken = (code as number) === successCode
      this.#counts[isTaken ? 'exported' : 'failed'] += items.length
      if (!this.#isOver) {
        if (isTaken) watch.succeeded()
        else watch.failed(error ?? new Error('the exporter does not say why'))
      }
      done({ code: successCode })
    })
  }

  shutdown(): Promise<void> {
    return this.#options.exporter.shutdown()
  }

  /** Waits for what sends the rest, for a bounded time. Never rejects. */
  async end(sending: Promise<void>): Promise<void> {
    const { clock, watch } = this.#options
    const sent = sending.catch((error: unknown) => watch.failed(error))
    const isSent = await within(clock, lastExportMs, sent)
    if (!isSent) watch.failed(new Error(`no answer within ${lastExportMs} ms at the end`))
    this.#isOver = true
  }
}
