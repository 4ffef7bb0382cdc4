import { diag, DiagLogLevel, type DiagLogger } from '@opentelemetry/api'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/logger.ts'
import { causeOf, oneLine } from './causes.ts'

/** What the OpenTelemetry SDK complains of, as few lines of our own log, without the secrets that an exporter knows. */

export interface DiagnosticsOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly logger: Logger
  readonly withoutSecrets: (text: string) => string
}

/** More than that in an hour would only say the same again. */
const linesPerHour = 10
const hourMs = 3_600_000

/** Until it is disposed, for the whole process: the SDK has one such place. */
export function hearDiagnostics({ clock, logger, withoutSecrets }: DiagnosticsOptions): Disposable {
  let hourSinceMs = clock.monotonicMs()
  let lines = 0
  const tell = (...parts: readonly unknown[]): void => {
    if (clock.monotonicMs() - hourSinceMs >= hourMs) [hourSinceMs, lines] = [clock.monotonicMs(), 0]
    lines += 1
    if (lines > linesPerHour) return
    const because = oneLine(parts.map((part) => causeOf(part, withoutSecrets)).join(' '))
    logger.warn('the OpenTelemetry SDK complains', lines === linesPerHour ? { because, more: 'not told for an hour' } : { because })
  }
  const silent = (): void => {}
  const heard: DiagLogger = { debug: silent, error: tell, info: silent, verbose: silent, warn: tell }
  diag.setLogger(heard, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true })
  return { [Symbol.dispose]: () => diag.disable() }
}
