import type { Stream } from '../../events/define.ts'
import type { Draft, Writer } from '../../events/envelope.ts'
import { logCommitted } from '../core/channels.ts'
import { sleep, type Clock } from '../core/clock.ts'
import { invariant } from '../core/errors.ts'
import { commitBytesMax } from '../core/limits.ts'
import { AppendQueue, type PendingAppend } from './append-queue.ts'
import { encodeDrafts, placeBatch, type ChainHead } from './batch.ts'
import { CommitPace, noPace, type Pace } from './commit-pace.ts'
import type { Batch, CommitFailure, CommitOutcome, CommitStore } from './commit-store.ts'
import { DeadlineSweep } from './deadline-sweep.ts'
import { NotWritten, Unsettled, type Appended, type AppendOptions, type Availability } from './event-log.ts'
import { positionOf, type RecentRecords } from './recent-records.ts'

/**
 * The part of a log that is the same on every medium: queues appends, commits them in groups, gives every record its
 * place in the chain at the moment of the write, and says what became of it.
 */

/** Retries after a failure begin this far apart and double up to the maximum. */
const retryMinMs = 100
const retryMaxMs = 1_000
/** How long an end waits for the disk to answer the call it has. */
const lastCallMaxMs = 1_000
/** Admissions are refused past this: some seconds of what a disk can take, so a stalled one can't fill the memory. */
const queueBytesMax = 8 * commitBytesMax

export interface StreamWriterOptions {
  readonly stream: Stream
  readonly writer: Writer
  readonly store: CommitStore
  readonly clock: Clock
  readonly head: ChainHead
  readonly recent: RecentRecords
  readonly onAvailability: (now: Availability) => void
  /** Default: every commit at once. */
  readonly pace?: Pace | undefined
}

interface InFlight {
  readonly batch: Batch
  readonly pending: readonly PendingAppend[]
  /** How it is tried again. `null` while the first try runs. */
  again: 'commit' | 'settle' | null
  /** Somebody was told `Unsettled`, so these bytes have to appear whatever happens. */
  promised: boolean
}

export class StreamWriter {
  readonly #options: StreamWriterOptions
  readonly #queue = new AppendQueue()
  readonly #stop = new AbortController()
  readonly #pace: CommitPace
  #sequence: number
  #prevhash: string
  #inFlight: InFlight | null = null
  #running: Promise<void> | null = null
  #closing = false
  #retryMs = retryMinMs
  /** What keeps this stream from being written: its own last try, and what its owner holds it back for. */
  #failure: CommitFailure | null = null
  #held: CommitFailure | null = null
  #availability: Availability = { available: true }
  readonly #deadlines: DeadlineSweep
  #onDrained: (() => void) | null = null

  constructor(options: StreamWriterOptions) {
    this.#options = options
    this.#deadlines = new DeadlineSweep(options.clock, (nowMs) => this.#sweep(nowMs))
    this.#pace = new CommitPace(options.clock, options.pace ?? noPace)
    this.#sequence = options.head.sequence
    this.#prevhash = options.head.prevhash
  }

  get availability(): Availability {
    return this.#availability
  }

  /** Behind the newest durable record. */
  get head(): ChainHead {
    return { sequence: this.#sequence, prevhash: this.#prevhash }
  }

  append(drafts: readonly Draft[], options: AppendOptions): Promise<readonly Appended[]> {
    const { purpose, timeoutMs } = options
    const encoded = encodeDrafts(this.#options.stream, drafts, this.#options.writer)
    if (this.#closing) return Promise.reject(this.#notWritten('closed', 'the log is closed'))
    if (purpose === 'admission') {
      const availability = this.#availability
      if (!availability.available) return Promise.reject(this.#unavailable(availability))
      if (this.#queue.bytes + encoded.bytes > queueBytesMax) {
        return Promise.reject(this.#notWritten('queue_full', 'too many records wait for the disk'))
      }
    }
    return new Promise((resolve, reject) => {
      const deadlineMs = timeoutMs === undefined ? Infinity : this.#options.clock.monotonicMs() + timeoutMs
      this.#queue.push({ encoded, purpose, deadlineMs, resolve, reject, settled: false })
      this.#deadlines.by(deadlineMs)
      if (purpose === 'admission') this.#pace.admission()
      this.#running ??= this.#run()
    })
  }

  /** Stores records that have their places already, right behind the head. Only while nothing was appended. */
  async adopt(batch: Batch): Promise<CommitOutcome> {
    invariant(this.#running === null && batch.firstSequence === this.#sequence, 'records are adopted behind the head, before any append')
    const outcome = await this.#options.store.commit(batch)
    if (outcome.kind === 'durable') this.#confirm({ batch, pending: [], again: null, promised: false })
    return outcome
  }

  /** Takes no admissions until `release`, for a reason outside of this stream; what is owed is still written. */
  hold(reason: CommitFailure): void {
    this.#held = reason
    this.#refuse(reason)
  }

  release(): void {
    this.#held = null
    this.#announce()
  }

  /** Takes no more appends and waits for those it has. True when every one of them is durable. */
  async close(timeoutMs: number): Promise<boolean> {
    this.#closing = true
    this.#pace.hurry()
    if (!this.#drained) {
      const drained = Promise.withResolvers<void>()
      this.#onDrained = drained.resolve
      using _timer = this.#options.clock.after(timeoutMs, drained.resolve)
      await drained.promise
    }
    const written = this.#drained
    this.#stop.abort()
    this.#deadlines[Symbol.dispose]()
    const closed = this.#notWritten('closed', 'the log was closed')
    for (const pending of this.#queue.take(Infinity)) this.#reject(pending, closed)
    for (const pending of this.#inFlight?.pending ?? []) this.#reject(pending, this.#unsettled('the log was closed'))
    // The call to the disk that runs now ends soon, or never: a dead network disk must not keep the process.
    const waited = new AbortController()
    await Promise.race([this.#running, sleep(this.#options.clock, lastCallMaxMs, waited.signal)])
    waited.abort()
    return written
  }

  /** Nothing waits and no write is on its way, not even one that only tries whether writing works again. */
  get idle(): boolean {
    return this.#running === null
  }

  get #drained(): boolean {
    return this.#queue.length === 0 && this.#inFlight === null
  }

  async #run(): Promise<void> {
    // One turn later, so that appends made in the same turn share the first commit.
    await Promise.resolve()
    while (!this.#stop.signal.aborted) {
      // A retry has its own pauses.
      if (this.#inFlight === null && this.#failure === null && this.#queue.length > 0) await this.#pace.turn()
      const step = await this.#step()
      if (this.#drained) this.#onDrained?.()
      // Looked at again: an append made between the step's answer and here found this loop running and relies on it.
      if (step === 'idle' && this.#drained) break
      if (step !== 'failed') this.#retryMs = retryMinMs
      else await this.#pause()
    }
    this.#running = null
  }

  async #pause(): Promise<void> {
    await sleep(this.#options.clock, this.#retryMs, this.#stop.signal)
    this.#retryMs = Math.min(this.#retryMs * 2, retryMaxMs)
  }

  async #step(): Promise<'done' | 'failed' | 'idle'> {
    if (this.#inFlight !== null) return await this.#write(this.#inFlight)
    this.#rejectExpired(this.#options.clock.monotonicMs())
    const pending = this.#queue.take(commitBytesMax)
    if (pending.length > 0) {
      const batch = placeBatch(this.head, pending.map((each) => each.encoded), this.#options.writer)
      this.#inFlight = { batch, pending, again: null, promised: false }
      return await this.#write(this.#inFlight)
    }
    if (this.#failure === null) return 'idle'
    const outcome = await this.#options.store.probe()
    if (outcome.kind === 'durable') this.#recovered()
    return outcome.kind === 'durable' ? 'done' : 'failed'
  }

  async #write(inFlight: InFlight): Promise<'done' | 'failed'> {
    const { clock, store, stream } = this.#options
    const { again, batch } = inFlight
    const startedMs = clock.monotonicMs()
    const outcome = await (again === 'settle' ? store.settle(batch) : store.commit(batch))
    if (logCommitted.isHeard) {
      const [durable, ms] = [outcome.kind === 'durable', clock.monotonicMs() - startedMs]
      logCommitted.tell({ bytes: batch.bytes.length, durable, ms, records: batch.ends.length, stream })
    }
    return this.#conclude(inFlight, outcome)
  }

  #conclude(inFlight: InFlight, outcome: CommitOutcome): 'done' | 'failed' {
    if (outcome.kind === 'durable') {
      this.#confirm(inFlight)
      return 'done'
    }
    if (outcome.kind === 'unknown') inFlight.again = 'settle'
    else if (inFlight.promised) inFlight.again = 'commit'
    else this.#giveBack(inFlight, outcome.failure)
    this.#failure = outcome.failure
    this.#refuse(outcome.failure)
    return 'failed'
  }

  #confirm({ batch, pending }: InFlight): void {
    this.#inFlight = null
    this.#sequence = batch.firstSequence + batch.ends.length
    this.#prevhash = batch.leafHashes.at(-1)!
    this.#options.recent.push(batch)
    if (this.#failure !== null) this.#recovered()
    let index = 0
    for (const each of pending) {
      const appended: Appended[] = []
      for (let count = each.encoded.drafts.length; count > 0; count -= 1) {
        appended.push({ position: positionOf(batch.firstSequence + index), leafHash: batch.leafHashes[index]! })
        index += 1
      }
      each.settled = true
      each.resolve(appended)
    }
  }

  /** Nothing was written: what is owed goes to the front again, the rest is refused. */
  #giveBack({ pending }: InFlight, failure: CommitFailure): void {
    this.#inFlight = null
    this.#queue.putBack(pending.filter((each) => each.purpose === 'owed'))
    for (const each of pending) {
      if (each.purpose === 'admission') this.#reject(each, this.#failed(failure))
    }
  }

  #recovered(): void {
    this.#failure = null
    this.#announce()
  }

  /** From now on admissions are refused, those that wait as well. */
  #refuse(failure: CommitFailure): void {
    this.#announce()
    for (const pending of this.#queue.remove((each) => each.purpose === 'admission')) {
      this.#reject(pending, this.#failed(failure))
    }
  }

  #announce(): void {
    const reason = this.#held ?? this.#failure
    if ((reason === null) === this.#availability.available) return
    this.#availability =
      reason === null
        ? { available: true }
        : { available: false, code: reason.code, syscall: reason.syscall, sinceMs: this.#options.clock.now() }
    this.#options.onAvailability(this.#availability)
  }

  /** Answers the earliest deadline that is left. */
  #sweep(nowMs: number): number {
    this.#rejectExpired(nowMs)
    let earliestMs = this.#queue.earliestDeadlineMs()
    for (const pending of this.#inFlight?.pending ?? []) {
      if (pending.settled) continue
      if (pending.deadlineMs > nowMs) earliestMs = Math.min(earliestMs, pending.deadlineMs)
      else {
        this.#inFlight!.promised = true
        this.#reject(pending, this.#unsettled('the disk did not confirm it in time'))
      }
    }
    return earliestMs
  }

  #rejectExpired(nowMs: number): void {
    for (const pending of this.#queue.remove((each) => each.deadlineMs <= nowMs)) {
      this.#reject(pending, this.#notWritten('timeout', 'it waited too long for its turn'))
    }
  }

  #reject(pending: PendingAppend, reason: Error): void {
    if (pending.settled) return
    pending.settled = true
    pending.reject(reason)
  }

  #failed({ code, syscall, cause }: CommitFailure): NotWritten {
    return this.#notWritten(code, `the log can't be written (${syscall}: ${code})`, cause)
  }
  #unavailable({ code, syscall }: Availability & { available: false }): NotWritten {
    return this.#notWritten(code, `the log can't be written (${syscall}: ${code})`)
  }
  #notWritten(because: string, reason: string, cause?: unknown): NotWritten {
    return new NotWritten(because, `not written to the ${this.#options.stream} stream: ${reason}`, cause)
  }
  #unsettled(reason: string): Unsettled {
    return new Unsettled(`handed to the ${this.#options.stream} stream, and not confirmed: ${reason}`)
  }
}
