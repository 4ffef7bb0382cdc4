import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/logger.ts'
import { causeOf } from './causes.ts'

/** Says once that a collector can't be reached and once that it can again, however many exports fail in between. */

export interface WatchOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** Without a password. */
  readonly endpoint: string
  readonly logger: Logger
  /** What is sent, and what a failed export costs: `metrics`. */
  readonly what: string
  readonly consequence: string
  readonly withoutSecrets: (text: string) => string
}

export class ExportWatch {
  readonly #options: WatchOptions
  #failing: { readonly sinceMs: number; exports: number } | null = null

  constructor(options: WatchOptions) {
    this.#options = options
  }

  failed(error: unknown): void {
    const { clock, consequence, endpoint, logger, what, withoutSecrets } = this.#options
    if (this.#failing !== null) {
      this.#failing.exports += 1
      return
    }
    this.#failing = { exports: 1, sinceMs: clock.monotonicMs() }
    logger.warn(`${what} do not reach the OpenTelemetry collector: ${consequence}`, { because: causeOf(error, withoutSecrets), endpoint })
  }

  succeeded(): void {
    if (this.#failing === null) return
    const { clock, endpoint, logger, what } = this.#options
    const { exports, sinceMs } = this.#failing
    this.#failing = null
    logger.info(`${what} reach the OpenTelemetry collector again`, { endpoint, failed_exports: exports, failing_ms: Math.round(clock.monotonicMs() - sinceMs) })
  }
}
