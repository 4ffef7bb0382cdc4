import type { Draft } from '../../events/envelope.ts'
import { answeredBefore, type Answered } from '../../projections/idempotency.ts'
import type { Routing } from '../../projections/routing.ts'
import { rfc3339, sleep, type Clock } from '../core/clock.ts'
import type { MakeId } from '../core/ids.ts'
import { decisionAttemptsMax } from '../core/limits.ts'
import type { Live, Outcome } from '../live/live.ts'
import { NotWritten, Unsettled, type EventLog } from '../log/event-log.ts'
import { commandsWaitingMax } from './bounds.ts'
import { refuse, type Decide, type Decision, type DraftFacts, type Refusal, type Request, type Rules, type Stamp } from './decision.ts'
import { Queue } from './queue.ts'
import { routingAfter } from './routing-after.ts'

/**
 * Runs commands: decides on the state that the log folds to, appends one record, and waits until this node's own fold
 * has read it back and said whether it took effect. One command at a time, so this node never races with itself.
 */

export interface DeskOptions {
  readonly live: Pick<Live, 'routing' | 'frozen' | 'idempotency' | 'outcomeOf' | 'subscribe'>
  readonly log: Pick<EventLog, 'append' | 'availability'>
  readonly clock: Clock
  readonly makeId: MakeId
  readonly rules: Rules
  /** Why this node's clock is too far off to date a change, in a sentence; null when it is right. Default: it always is. */
  readonly clockOff?: () => string | null
  /** How long a record may take to be durable, and then again to be read back. */
  readonly appendTimeoutMs: number
}

export type Answer<Data extends object> =
  /** On record and in force. `routing` is the state right after it, `facts` the record's data. */
  | { readonly kind: 'effective'; readonly id: string; readonly revision: number; readonly routing: Routing; readonly facts: DraftFacts<Data> }
  /** The same request with the same Idempotency-Key took effect before: its answer was made from `revision`. */
  | { readonly kind: 'repeated'; readonly first: Answered }
  /** Everything was so already: no record. */
  | { readonly kind: 'unchanged'; readonly routing: Routing }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** It is not in force and never will be: the log takes no records. At most it is there as void. */
  | { readonly kind: 'not_applied'; readonly because: string }
  /** It is not in force and never will be: its time would be wrong. */
  | { readonly kind: 'clock_off'; readonly because: string }
  /** The record was handed to the log: it will be effective or void, and only the log will say which. */
  | { readonly kind: 'outcome_unknown'; readonly id: string }
  /** This node no longer follows the configuration, so it can't decide on it. */
  | { readonly kind: 'frozen'; readonly because: string }
  /** Others were faster every time. */
  | { readonly kind: 'conflict_retry_exhausted'; readonly attempts: number }
  /** Too many commands wait already. */
  | { readonly kind: 'busy'; readonly waiting: number }

/** What a command would do, without doing it. */
export type Preview<Data extends object> =
  | { readonly kind: 'would_change'; readonly before: Routing; readonly after: Routing; readonly facts: DraftFacts<Data> }
  | { readonly kind: 'unchanged'; readonly routing: Routing }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

type Attempt<Data extends object> = Answer<Data> | 'void'

export class Desk {
  readonly #options: DeskOptions
  readonly #queue = new Queue(commandsWaitingMax)

  constructor(options: DeskOptions) {
    this.#options = options
  }

  /** Commands are run in the order of the calls. Rejects on violations only. */
  run<Command extends Request, Data extends object>(
    decide: Decide<Command, Data>,
    command: Command,
  ): Promise<Answer<Data>> {
    const answer = this.#queue.run(() => this.#decideUntilSettled(decide, command))
    return answer ?? Promise.resolve({ kind: 'busy', waiting: this.#queue.waiting })
  }

  /** Decides on the state of now and records nothing. */
  preview<Command extends Request, Data extends object>(decide: Decide<Command, Data>, command: Command): Preview<Data> {
    const { live, clock, makeId, rules } = this.#options
    const { routing } = live
    const stamp: Stamp = { recordId: makeId(), time: rfc3339(clock.now()) }
    const decision = decide(routing, { ...command, ...stamp }, rules)
    if ('refusal' in decision) return { kind: 'refused', refusal: decision.refusal }
    if ('unchanged' in decision) return { kind: 'unchanged', routing }
    return { kind: 'would_change', before: routing, after: routingAfter(routing, decision.record), facts: decision.record }
  }

  /** Resolves when every command that was accepted has its answer. */
  idle(): Promise<void> {
    return this.#queue.idle()
  }

  async #decideUntilSettled<Command extends Request, Data extends object>(
    decide: Decide<Command, Data>,
    command: Command,
  ): Promise<Answer<Data>> {
    for (let attempt = 1; attempt <= decisionAttemptsMax; attempt += 1) {
      const attempted = await this.#attempt(decide, command)
      if (attempted !== 'void') return attempted
    }
    return { kind: 'conflict_retry_exhausted', attempts: decisionAttemptsMax }
  }

  async #attempt<Command extends Request, Data extends object>(
    decide: Decide<Command, Data>,
    command: Command,
  ): Promise<Attempt<Data>> {
    const { live, log, clock, clockOff, makeId, rules } = this.#options
    if (live.frozen) return { kind: 'frozen', because: live.frozen.because }
    const { routing } = live
    const earlier = this.earlierAnswer(command)
    if (earlier !== null) return earlier
    const stamp: Stamp = { recordId: makeId(), time: rfc3339(clock.now()) }
    const decision: Decision<Data> = decide(routing, { ...command, ...stamp }, rules)
    if ('refusal' in decision) return { kind: 'refused', refusal: decision.refusal }
    if ('unchanged' in decision) return { kind: 'unchanged', routing }
    const available = log.availability('control')
    if (!available.available) return { kind: 'not_applied', because: `${available.syscall} failed with ${available.code}` }
    const off = clockOff?.() ?? null
    if (off !== null) return { kind: 'clock_off', because: off }
    return this.#record(decision.record, routing, command)
  }

  /** What a repeat of a request with an Idempotency-Key is answered; null: it is none. */
  earlierAnswer({ actor, idempotency }: Pick<Request, 'actor' | 'idempotency'>): Extract<Answer<never>, { kind: 'refused' | 'repeated' }> | null {
    if (idempotency === null) return null
    const { clock, live } = this.#options
    const first = answeredBefore(live.idempotency, actor, idempotency.key, clock.now())
    if (first === null) return null
    if (first.digest === idempotency.digest) return { kind: 'repeated', first }
    return {
      kind: 'refused',
      ...refuse(
        'idempotency_key_reused',
        `This Idempotency-Key came with another request, which made revision ${first.revision}. Use a new key for every new request.`,
        { extra: { revision: first.revision, record_id: first.id } },
      ),
    }
  }

  async #record<Data extends object>(
    facts: DraftFacts<Data>, decidedOn: Routing, { traceparent }: Pick<Request, 'traceparent'>,
  ): Promise<Attempt<Data>> {
    const { live, log, appendTimeoutMs } = this.#options
    const revision = decidedOn.revision + 1
    const draft: Draft = { ...facts, ...(traceparent === undefined ? {} : { traceparent }), revision, basis: decidedOn.basis }
    using outcome = live.outcomeOf(facts.id)
    using seen = this.#routingAfter(facts.id)
    try {
      await log.append('control', [draft], { purpose: 'admission', timeoutMs: appendTimeoutMs })
    } catch (error) {
      if (error instanceof NotWritten) return { kind: 'not_applied', because: error.message }
      if (error instanceof Unsettled) return { kind: 'outcome_unknown', id: facts.id }
      throw error
    }
    const settled = await this.#readBack(outcome)
    if (settled === 'void') return 'void'
    if (settled === 'unknown') return { kind: 'outcome_unknown', id: facts.id }
    return { kind: 'effective', id: facts.id, revision, routing: seen.routing ?? live.routing, facts }
  }

  /** The state right after the record was folded: by the time anybody wakes up, more may have been. */
  #routingAfter(id: string): Disposable & { readonly routing: Routing | null } {
    const { live } = this.#options
    let routing: Routing | null = null
    const subscription = live.subscribe('control', ({ event }) => {
      if (event.id === id) ({ routing } = live)
    })
    return {
      get routing() {
        return routing
      },
      [Symbol.dispose]: () => subscription[Symbol.dispose](),
    }
  }

  /** A durable record that is not read back in time (a frozen or stuck follower) has an unknown outcome. */
  async #readBack(outcome: Promise<Outcome>): Promise<Outcome | 'unknown'> {
    const { clock, appendTimeoutMs } = this.#options
    const patience = new AbortController()
    const tooLate = sleep(clock, appendTimeoutMs, patience.signal).then(() => 'unknown' as const)
    try {
      return await Promise.race([outcome, tooLate])
    } finally {
      patience.abort()
    }
  }
}
