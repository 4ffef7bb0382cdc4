import type { Answer } from '../../src/commands/desk.ts'
import type { Log } from './log-reader.ts'
import type { Accepted, Dialled } from './network.ts'
import type { Life } from './life.ts'

/** All that a simulated world leaves behind and that checkers may look at: the durable log, the wire, and what was answered. */

export interface LifeEvidence {
  readonly life: Life
  /** The `run` of its records; null when it died before it had one. */
  run: string | null
  /** `crashed`: what it had not written yet is lost. */
  ending: 'crashed' | 'start_failed' | 'stopped' | null
}

export interface CommandEvidence {
  /** Stands in the record's change, so that a record can be told from every other. */
  readonly ticket: string
  readonly operation: string
  /** The Idempotency-Key. */
  readonly key: string
  readonly life: Life
  answeredMs: number
  /** Null: none was given before the process died. */
  answer: Answer<object> | null
}

/** The operator ended an open connection, and was told that it was there. */
export interface EndedEvidence {
  readonly connectionId: string
  readonly life: Life
}

export interface Evidence {
  readonly log: Log
  readonly lives: readonly LifeEvidence[]
  readonly accepted: readonly Accepted[]
  readonly dialled: readonly Dialled[]
  readonly commands: readonly CommandEvidence[]
  readonly ended: readonly EndedEvidence[]
}
