import type { FastifyRequest } from 'fastify'
import type { Duplex } from 'node:stream'
import { AccessDenied, AccessGranted } from '../../events/access.ts'
import type { Stream } from '../../events/define.ts'
import type { Draft } from '../../events/envelope.ts'
import { LogRead } from '../../events/log.ts'
import { invariant } from '../core/errors.ts'
import { rfc3339, type Timer } from '../core/clock.ts'
import type { Denial } from './browser-guard.ts'
import { tracedBy } from './call-trace.ts'
import { callerOf, callerOn, type Caller } from './caller.ts'
import { pathOf } from './errors.ts'
import type { OperationsNotes } from './operations-notes.ts'
import { Tally, type Call, type CountedCall } from './tally.ts'

/**
 * Puts every call to the API on record, answered or turned away. Each write has a record of its own; equal reads within
 * a minute and equal denials within a second share one with a count, so that a flood of them can't fill the log. No
 * answer waits for its record, and while the log takes none the calls are kept, bounded, with exact counts.
 */

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Calls of this route are not worth a record: probes, and documents that say nothing of this node. */
    readonly unrecorded?: boolean
  }
}

const tickMs = 1_000
const readWindowMs = 60_000
/** Records of writes that the log may hold unanswered; what comes beyond is counted. */
const writesInFlightMax = 1_000
/** Records of reads of audit data that wait for the log; beyond it they are said to be lost. */
const auditReadsKeptMax = 1_000
const pathMax = 512
/** Stands for the paths that are not told apart any more. */
const anyPath = '*'

/** A read of audit data, so far. */
export interface AuditRead {
  readonly follow: boolean
  readonly outcome: 'ended' | 'started'
  readonly records: number
  readonly stream: Stream
}

const lost = 'is not on record: the log takes no records'

type TallyName = 'denied' | 'reads' | 'writes'

export class AccessRecords implements AsyncDisposable {
  readonly #notes: OperationsNotes
  readonly #timer: Timer
  readonly #tallies: Readonly<Record<TallyName, Tally>> = {
    // A page that is turned away tries many paths; the first of them says enough.
    denied: new Tally({
      keyOf: ({ actor, because, origin }) => `${actor.id} ${because} ${origin.ip}`,
      othersOf: (call) => ({ ...call, origin: { ...call.origin, ip: null, port: null } }),
    }),
    reads: new Tally({ keyOf: keyOfAnswered, othersOf: (call) => ({ ...call, path: anyPath }) }),
    // Only those that the log did not take come here.
    writes: new Tally({
      keyOf: (call) => call.requestId ?? keyOfAnswered(call),
      othersOf: (call) => ({ ...call, path: anyPath, requestId: null }),
    }),
  }
  #auditReads: Draft[] = []
  readonly #inFlight = new Set<Promise<void>>()
  /** Requests that have their record, of whatever kind. */
  readonly #recorded = new WeakSet<FastifyRequest>()
  readonly #changes = new WeakMap<FastifyRequest, string>()
  #flushing: Promise<void> = Promise.resolve()

  constructor(notes: OperationsNotes) {
    this.#notes = notes
    this.#timer = notes.clock.every(tickMs, () => void this.#flush(notes.clock.monotonicMs()))
  }

  /** Turned away before it could do anything. */
  denied(request: FastifyRequest, because: Denial, status: number): void {
    this.#recorded.add(request)
    this.#count('denied', this.#counted({ ...this.#callOf(request, status), because }), 0)
  }

  /** The request made this control record. */
  changed(request: FastifyRequest, recordId: string): void {
    this.#changes.set(request, recordId)
  }

  /** Of the control record that the request made; null: it made none. */
  recordOf(request: FastifyRequest): string | null {
    return this.#changes.get(request) ?? null
  }

  /**
   * Puts a read of audit data on record, instead of a call like any other. Resolves when it is, or waits for the log:
   * whoever looks into why the log is down has to be able to read it, so a read is not refused for want of a record.
   */
  async auditRead(request: FastifyRequest, { follow, outcome, records, stream }: AuditRead): Promise<void> {
    this.#recorded.add(request)
    const { actor, origin } = callerOf(request)
    const data = { actor, follow, origin, outcome, records, stream }
    const draft = this.#notes.drafts.make(LogRead, `log/${stream}`, data, tracedBy(request))
    if (!(await this.#notes.write(draft))) this.#keep(draft)
  }

  /** Call it when the answer is about to be sent; once or more often. */
  answered(request: FastifyRequest, status: number): void {
    if (this.#recorded.has(request) || request.routeOptions.config.unrecorded === true) return
    this.#recorded.add(request)
    const call = this.#counted(this.#callOf(request, status))
    if (request.method === 'GET' || request.method === 'HEAD') this.#count('reads', call, readWindowMs)
    else this.#write(call)
  }

  /** What came over this socket was not HTTP, or not to its end. */
  malformed(socket: Duplex, status: number): void {
    const call = callBy(callerOn(socket as FastifyRequest['raw']['socket']), { method: null, path: null, requestId: null, status })
    this.#count('reads', this.#counted(call), readWindowMs)
  }

  /** Resolves when everything so far is on record or is said to be lost. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer[Symbol.dispose]()
    await Promise.all(this.#inFlight)
    await this.#flush(Infinity)
    const { logger } = this.#notes
    for (const { because, count, method, path, status } of this.#takeDue(Infinity)) {
      logger.warn('calls of the API are not on record: the log takes no records', { because, count, method, path, status })
    }
    for (const { data } of this.#auditReads) logger.warn(`a read of audit data ${lost}`, { ...data })
  }

  #callOf(request: FastifyRequest, status: number): Call {
    const { id, method } = request
    const { traceparent = null } = tracedBy(request)
    return { ...callBy(callerOf(request), { method, path: pathOf(request), requestId: id, status }), recordId: this.recordOf(request), traceparent }
  }

  #counted(call: Call): CountedCall {
    return { ...call, count: 1, sinceMs: this.#notes.clock.now() }
  }

  #count(name: TallyName, call: CountedCall, windowMs: number): void {
    this.#tallies[name].add(call, this.#notes.clock.monotonicMs() + windowMs)
  }

  #write(call: CountedCall): void {
    if (this.#inFlight.size >= writesInFlightMax) {
      this.#count('writes', call, 0)
      return
    }
    const writing = this.#notes.write(this.#draftOf(call)).then((written) => {
      this.#inFlight.delete(writing)
      if (!written) this.#count('writes', call, 0)
    })
    this.#inFlight.add(writing)
  }

  #keep(draft: Draft): void {
    if (this.#auditReads.length < auditReadsKeptMax) this.#auditReads.push(draft)
    else this.#notes.logger.warn(`a read of audit data ${lost}`, { ...draft.data })
  }

  #flush(nowMs: number): Promise<void> {
    this.#flushing = this.#flushing.then(() => this.#writeDue(nowMs))
    return this.#flushing
  }

  async #writeDue(nowMs: number): Promise<void> {
    const [due, auditReads] = [this.#takeDue(nowMs), this.#auditReads]
    const [first, ...more] = [...auditReads, ...due.map((call) => this.#draftOf(call))]
    if (first === undefined) return
    this.#auditReads = []
    if (await this.#notes.write(first, ...more)) return
    for (const draft of auditReads) this.#keep(draft)
    for (const call of due) this.#count(tallyOf(call), call, 0)
  }

  #takeDue(nowMs: number): CountedCall[] {
    return Object.values(this.#tallies).flatMap((tally) => tally.takeDue(nowMs))
  }

  #draftOf({ actor, because, count, method, origin, path, recordId, requestId, sinceMs, status, traceparent }: CountedCall): Draft {
    const { drafts } = this.#notes
    const traced = traceparent === null ? {} : { traceparent }
    const [head, since] = [{ count, method, origin, path }, rfc3339(sinceMs)]
    if (because === null) {
      return drafts.make(AccessGranted, 'api', { actor, ...head, record_id: recordId, request_id: requestId, since, status }, traced)
    }
    return drafts.make(AccessDenied, 'api', { actor, because, ...head, request_id: requestId, since, status }, traced)
  }
}

function keyOfAnswered({ actor, method, origin, path, status }: Call): string {
  return `${actor.id} ${origin.via} ${origin.ip} ${method} ${status} ${path}`
}

/** Where a call goes that the log did not take; one that is due already. */
function tallyOf({ because, method }: Call): TallyName {
  if (because !== null) return 'denied'
  return method === null || method === 'GET' || method === 'HEAD' ? 'reads' : 'writes'
}

function callBy(caller: Caller, facts: Pick<Call, 'method' | 'path' | 'requestId' | 'status'>): Call {
  const path = facts.path === null ? null : facts.path.slice(0, pathMax).toWellFormed()
  invariant(path !== '', 'every request has a path')
  return { ...caller, ...facts, because: null, path, recordId: null, traceparent: null }
}
