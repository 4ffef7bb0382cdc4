import { pino, type DestinationStream } from 'pino'
import { rfc3339, type Clock } from '../core/clock.ts'
import type { LogFields, Logger } from '../core/logger.ts'

/** The program's own log: one JSON line for each thing worth knowing, on standard output. Never carries audit records. */

export interface LoggerOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly clock: Clock
  /** On every line, such as node and run. */
  readonly about: Readonly<Record<string, string>>
  /** For tests; default: standard output, written at once so that the last line before an end is not lost. */
  readonly destination?: DestinationStream
}

const secrets = ['authorization', 'cookie', 'set-cookie', 'proxy-authorization']
const redact = secrets.flatMap((name) => [`["${name}"]`, `*["${name}"]`, `*.*["${name}"]`])

export function createLogger({ level, clock, about, destination }: LoggerOptions): Logger {
  const lines = pino(
    {
      level,
      base: about,
      messageKey: 'message',
      errorKey: 'error',
      formatters: { level: (label) => ({ level: label }) },
      timestamp: () => `,"time":"${rfc3339(clock.now())}"`,
      redact: { paths: redact, censor: '[redacted]' },
    },
    destination ?? pino.destination({ fd: 1, sync: true }),
  )
  return {
    debug: (sentence: string, fields?: LogFields) => lines.debug(fields ?? {}, sentence),
    info: (sentence: string, fields?: LogFields) => lines.info(fields ?? {}, sentence),
    warn: (sentence: string, fields?: LogFields) => lines.warn(fields ?? {}, sentence),
    error: (sentence: string, fields?: LogFields) => lines.error(fields ?? {}, sentence),
  }
}
