import { AccessDenied } from '../../events/access.ts'
import type { Draft } from '../../events/envelope.ts'
import type { Actor, Origin } from '../../events/values.ts'
import type { Timer } from '../core/clock.ts'
import type { Denial } from './browser-guard.ts'
import type { OperationsNotes } from './operations-notes.ts'

/**
 * Puts calls that were turned away on record, at most one record a second for each reason and address, so that a
 * flood of them can't fill the log. Counts stay exact, also over times in which the log can't be written.
 */

export interface DeniedCall {
  readonly because: Denial
  readonly actor: Actor
  readonly origin: Origin
  readonly method: string
  /** Without the query. */
  readonly path: string
  readonly status: number
}

const intervalMs = 1_000
/** Reasons times addresses that are told apart at once; what comes from further addresses is counted without one. */
const keysMax = 1_000
const pathMax = 512

export class Denials implements AsyncDisposable {
  readonly #notes: OperationsNotes
  readonly #timer: Timer
  #pending = new Map<string, DeniedCall & { count: number }>()
  #flushing: Promise<void> = Promise.resolve()

  constructor(notes: OperationsNotes) {
    this.#notes = notes
    this.#timer = notes.clock.every(intervalMs, () => void this.flush())
  }

  count(call: DeniedCall): void {
    this.#add(call, 1)
  }

  /** Resolves when what was pending is on record or waits for the log. */
  flush(): Promise<void> {
    this.#flushing = this.#flushing.then(() => this.#write())
    return this.#flushing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer[Symbol.dispose]()
    await this.flush()
    for (const { because, count } of this.#pending.values()) {
      this.#notes.logger.warn('calls that were turned away are not on record: the log takes no records', { because, count })
    }
  }

  #add(call: DeniedCall, count: number): void {
    const own = `${call.because} ${call.origin.ip ?? ''}`
    const isNew = !this.#pending.has(own)
    const overflow = isNew && this.#pending.size >= keysMax
    const key = overflow ? `${call.because} others` : own
    const origin = overflow ? { ...call.origin, ip: null, port: null } : call.origin
    const seen = this.#pending.get(key)
    if (seen === undefined) this.#pending.set(key, { ...call, origin, count })
    // Ports differ from call to call, so a record that stands for several names none.
    else this.#pending.set(key, { ...seen, count: seen.count + count, origin: { ...seen.origin, port: null } })
  }

  async #write(): Promise<void> {
    const calls = [...this.#pending.values()]
    const [first, ...more] = calls.map((call) => this.#draftOf(call))
    if (first === undefined) return
    this.#pending = new Map()
    const written = await this.#notes.write(first, ...more)
    if (!written) for (const call of calls) this.#add(call, call.count)
  }

  #draftOf({ actor, because, count, method, origin, path, status }: DeniedCall & { count: number }): Draft {
    const data = { actor, because, count, method, origin, path: path.slice(0, pathMax), status }
    return this.#notes.drafts.make(AccessDenied, 'api', data)
  }
}
