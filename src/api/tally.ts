import type { Actor, Origin } from '../../events/values.ts'
import type { Denial } from './browser-guard.ts'

/** Makes few records of many equal calls: counts by key, bounded, exactly. Knows neither clock nor log. */

/** A call as its record says it. */
export interface Call {
  readonly actor: Actor
  readonly origin: Origin
  /** Null, as the path: what came was not HTTP. */
  readonly method: string | null
  /** Without the query. */
  readonly path: string | null
  readonly status: number
  readonly requestId: string | null
  /** The trace that it was part of (W3C Trace Context). */
  readonly traceparent: string | null
  /** The control record that it made. */
  readonly recordId: string | null
  /** Why it was turned away; null: it was let in. */
  readonly because: Denial | null
}

export interface CountedCall extends Call {
  readonly count: number
  /** Wall time of the first of them, milliseconds since the epoch. */
  readonly sinceMs: number
}

interface Entry {
  readonly call: CountedCall
  /** Monotonic; written from then on. */
  readonly dueMs: number
}

export interface TallyRules {
  /** What makes two calls equal. */
  readonly keyOf: (call: Call) => string
  /** What is left of a call where more keys come than are told apart. Few different ones, so that these are bounded too. */
  readonly othersOf: (call: Call) => Call
}

/** Calls that are told apart at once. */
export const keysMax = 1_000

export class Tally {
  readonly #rules: TallyRules
  readonly #entries = new Map<string, Entry>()

  constructor(rules: TallyRules) {
    this.#rules = rules
  }

  /** The first of its key says when all of them are due. */
  add(call: CountedCall, dueMs: number): void {
    const own = this.#rules.keyOf(call)
    if (this.#entries.has(own) || this.#entries.size < keysMax) this.#merge(own, call, dueMs)
    else {
      const others = { ...call, ...this.#rules.othersOf(call) }
      this.#merge(`others ${this.#rules.keyOf(others)}`, others, dueMs)
    }
  }

  /** Takes out what is due, oldest first. */
  takeDue(nowMs: number): CountedCall[] {
    const due: CountedCall[] = []
    for (const [key, { call, dueMs }] of this.#entries) {
      if (dueMs > nowMs) continue
      this.#entries.delete(key)
      due.push(call)
    }
    return due
  }

  #merge(key: string, call: CountedCall, dueMs: number): void {
    const entry = this.#entries.get(key)
    this.#entries.set(key, entry === undefined ? { call, dueMs } : { call: together(entry.call, call), dueMs: entry.dueMs })
  }
}

/** Ports, requests and traces differ from call to call, so a record that stands for several names none. */
function together(first: CountedCall, more: CountedCall): CountedCall {
  return {
    ...first,
    count: first.count + more.count,
    origin: { ...first.origin, port: null },
    recordId: null,
    requestId: null,
    sinceMs: Math.min(first.sinceMs, more.sinceMs),
    traceparent: null,
  }
}
