import { pino } from 'pino'
import { rfc3339, type Clock } from '../core/clock.ts'
import type { LogFields, Logger } from '../core/logger.ts'
import { cutText, plainFields, type FieldObject, type FieldValue } from './logs/fields.ts'
import { withoutSecrets } from './logs/redaction.ts'

/** The program's own log: one JSON line for each thing worth knowing. Never carries audit records. */

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** A line as it is told on: bounded, without secrets, but with whatever a terminal could obey. */
export interface LogLine {
  readonly level: LogLevel
  readonly epochMs: number
  readonly sentence: string
  readonly fields: FieldObject
}

export interface LoggerOptions {
  readonly level: LogLevel
  readonly clock: Clock
  /** On every line. */
  readonly about: Readonly<Record<string, string>>
  /** Gets each line as JSON with a line end. */
  readonly destination: { write(line: string): void }
  /** So many first lines are kept for the one who is told on first. Default: none. */
  readonly earlyMax?: number
}

export interface ProgramLogger extends Logger {
  readonly level: LogLevel
  /** Writes lines that are not told on: for what is said of telling lines on. */
  readonly unshared: Logger
  /** Goes on every line from now on, such as the node's name. */
  identify(about: Readonly<Record<string, string>>): void
  /** A text is written as this returns it, from now on: for secrets that only somebody else knows by heart. */
  hide(clean: (text: string) => string): void
  /** Calls the listener with the early lines, then with every line from now on, before it is written. It must not throw. */
  tellOn(listener: (line: LogLine) => void): Disposable
}

/** What the line itself says; facts by these names are written with an underscore behind. */
const ownNames = ['level', 'time', 'message']

export function createLogger({ level, clock, about, destination, earlyMax = 0 }: LoggerOptions): ProgramLogger {
  let saidAtMs = 0
  const lines = pino(
    {
      level,
      base: about,
      messageKey: 'message',
      errorKey: 'error',
      // An error is plain by then.
      serializers: { error: (error: unknown) => error },
      formatters: { level: (label) => ({ level: label }) },
      timestamp: () => `,"time":"${rfc3339(saidAtMs)}"`,
    },
    destination,
  )
  const listeners = new Set<(line: LogLine) => void>()
  const names = new Set([...ownNames, ...Object.keys(about)])
  const early: LogLine[] = []
  let earlyLeft = earlyMax
  let clean = withoutSecrets

  const say = (at: LogLevel, isShared: boolean, sentence: string, fields: LogFields = {}): void => {
    if (!lines.isLevelEnabled(at)) return
    saidAtMs = clock.now()
    const line = { level: at, epochMs: saidAtMs, sentence: cutText(clean(sentence)), fields: renamed(plainFields(fields, clean), names) }
    if (isShared) {
      for (const listener of listeners) listener(line)
      earlyLeft -= 1
      if (earlyLeft >= 0) early.push(line)
    }
    lines[at](line.fields, line.sentence)
  }
  const logger = (isShared: boolean): Logger => ({
    debug: (sentence, fields) => say('debug', isShared, sentence, fields),
    info: (sentence, fields) => say('info', isShared, sentence, fields),
    warn: (sentence, fields) => say('warn', isShared, sentence, fields),
    error: (sentence, fields) => say('error', isShared, sentence, fields),
  })
  return {
    ...logger(true),
    level,
    unshared: logger(false),
    identify: (more) => {
      lines.setBindings(more)
      for (const name of Object.keys(more)) names.add(name)
    },
    hide: (more) => {
      const before = clean
      clean = (text) => more(before(text))
    },
    tellOn: (listener) => {
      earlyLeft = 0
      for (const line of early.splice(0)) listener(line)
      listeners.add(listener)
      return { [Symbol.dispose]: () => void listeners.delete(listener) }
    },
  }
}

/** Two values under one name are one value less for whoever reads the line. */
function renamed(fields: FieldObject, names: ReadonlySet<string>): FieldObject {
  const taken = Object.keys(fields).filter((name) => names.has(name))
  if (taken.length === 0) return fields
  const free: Record<string, FieldValue> = { ...fields }
  for (const name of taken) {
    delete free[name]
    free[`${name}_`] = fields[name]!
  }
  return free
}
