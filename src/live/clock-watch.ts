import { ClockObserved, ClockStepped } from '../../events/clock.ts'
import { rfc3339, type Clock } from '../core/clock.ts'
import { ClockSteps } from '../core/clock-steps.ts'
import { clockSkewMaxMs } from '../core/limits.ts'
import type { Logger } from '../core/logger.ts'
import type { BrokerClock } from '../log/cluster-log.ts'
import type { Drafts } from '../log/drafts.ts'
import type { Notes } from '../log/notes.ts'

/**
 * Watches this node's clock for those who rely on the times in its records: puts on record how far it is off and when it
 * jumps, and says why changes have to wait.
 */

export interface ClockWatchOptions {
  readonly clock: Clock
  readonly drafts: Drafts
  readonly logger: Logger
  readonly notes: Pick<Notes, 'write'>
  /** Null: the log is this node's alone, and there is no other clock to agree with. */
  readonly brokerClock: BrokerClock | null
}

const checkMs = 1_000
/** Less is what time services correct all the time. */
const stepMinMs = 500
const observedEveryMs = 3_600_000
/** Only well within what is allowed is it right again: not a record and an outage for every millisecond around it. */
const rightAgainMs = clockSkewMaxMs * 0.9
/** Steps on record while the log is down: the newest ones. */
const stepsWaitingMax = 16

interface Estimate {
  readonly skewMs: number
  readonly uncertaintyMs: number
}

export class ClockWatch implements Disposable {
  readonly #options: ClockWatchOptions
  readonly #steps: ClockSteps
  readonly #stack = new DisposableStack()
  #checkedMs: number
  #stepped = 0
  /** What is on record, and when by the monotonic clock. */
  #observed: { readonly atMs: number; readonly within: boolean } | null = null
  #last: Estimate | null = null

  /** Watches from now on, until disposed. */
  constructor(options: ClockWatchOptions) {
    const { brokerClock, clock } = options
    this.#options = options
    this.#steps = new ClockSteps(clock, stepMinMs)
    this.#checkedMs = clock.monotonicMs()
    this.#stack.use(clock.every(checkMs, () => this.#check()))
    if (brokerClock !== null) this.#stack.use(brokerClock.onEstimate(() => this.#check()))
  }

  /**
   * Why no changes are taken, for whoever asks for one; null when the clock is right. What is not certain changes
   * nothing: a clock that was never measured counts as right, and one that was off stays so until it is seen to be right.
   */
  off(): string | null {
    this.#check()
    if (this.#last === null || this.#observed === null || this.#observed.within) return null
    return `The clock of this node is ${words(this.#last.skewMs)} the brokers', and ${seconds(clockSkewMaxMs)} are allowed: see to the time service (NTP) of this machine, or of theirs.`
  }

  [Symbol.dispose](): void {
    this.#stack.dispose()
  }

  #check(): void {
    this.#checkStep()
    const { brokerClock } = this.#options
    const skewMs = brokerClock?.skewMs ?? null
    const uncertaintyMs = brokerClock?.uncertaintyMs ?? null
    if (skewMs !== null && uncertaintyMs !== null) this.#judge({ skewMs, uncertaintyMs })
  }

  #checkStep(): void {
    const { clock, drafts, logger, notes } = this.#options
    const byMs = this.#steps.look()
    const atMs = clock.monotonicMs()
    const noticedAfterMs = Math.ceil(atMs - this.#checkedMs)
    this.#checkedMs = atMs
    if (byMs === 0) return
    const nowMs = clock.now()
    const [from, to] = [rfc3339(nowMs - byMs), rfc3339(nowMs)]
    logger.warn('the clock of this machine jumped, or the machine slept', { by_ms: byMs, from, to })
    this.#stepped += 1
    const key = `clock stepped ${this.#stepped % stepsWaitingMax}`
    notes.write('operations', key, drafts.make(ClockStepped, 'clock', { by_ms: byMs, from, noticed_after_ms: noticedAfterMs, to }))
  }

  #judge(estimate: Estimate): void {
    this.#last = estimate
    const before = this.#observed
    const within = isWithin(estimate, before?.within ?? true)
    const atMs = this.#options.clock.monotonicMs()
    if (before !== null && before.within === within && atMs - before.atMs < observedEveryMs) return
    this.#observed = { atMs, within }
    this.#record(estimate, within)
    if (within !== (before?.within ?? true)) this.#tell(estimate, within)
  }

  #record({ skewMs, uncertaintyMs }: Estimate, within: boolean): void {
    const { drafts, notes } = this.#options
    const data = { allowed_ms: clockSkewMaxMs, skew_ms: skewMs, uncertainty_ms: uncertaintyMs, within }
    // Of each verdict the newest waits while the log is down.
    notes.write('operations', `clock observed ${within}`, drafts.make(ClockObserved, 'clock', data))
  }

  #tell({ skewMs, uncertaintyMs }: Estimate, within: boolean): void {
    const fields = { skew_ms: skewMs, uncertainty_ms: uncertaintyMs }
    if (within) this.#options.logger.info("this node's clock agrees with the brokers' again: changes are taken", fields)
    else this.#options.logger.error("this node's clock is too far from the brokers': changes are refused until it is right", fields)
  }
}

/** Beyond every doubt off, or beyond every doubt right; in between it stays what it was. */
function isWithin({ skewMs, uncertaintyMs }: Estimate, before: boolean): boolean {
  const offMs = Math.abs(skewMs)
  return before ? offMs - uncertaintyMs <= clockSkewMaxMs : offMs + uncertaintyMs <= rightAgainMs
}

function words(skewMs: number): string {
  return `${seconds(Math.abs(skewMs))} ${skewMs < 0 ? 'behind' : 'ahead of'}`
}

/** Rounded up, so that what is too much does not read as what is allowed. */
function seconds(ms: number): string {
  return `${Math.ceil(ms / 100) / 10} s`
}
