import { streams, type Stream } from '../../events/define.ts'
import type { HealthView } from '../../projections/health.ts'
import type { Idempotency } from '../../projections/idempotency.ts'
import type { OpenConnections } from '../../projections/open-connections.ts'
import type { Recorded } from '../../projections/projection.ts'
import type { Routing } from '../../projections/routing.ts'
import type { Runs } from '../../projections/runs.ts'
import type { Traffic } from '../../projections/traffic.ts'
import { Fault, invariant } from '../core/errors.ts'
import { LogDamaged, type EventLog, type Position, type StoredRecord } from '../log/event-log.ts'
import { foldInto, heldStates, initialStates, type States } from './folds.ts'
import { Intake, type IntakeState, type RecordTrouble } from './intake.ts'
import type { SnapshotKeeper } from './snapshots/keeper.ts'

/** Whether a change took effect when it was read back, or lost the race for its revision. */
export type Outcome = 'effective' | 'void'

/** Something about the records themselves that an operator has to know; counted, never hidden. */
export interface LiveTrouble {
  readonly stream: Stream
  /** Unreadable: the medium failed and the stream is not followed any more. */
  readonly kind: RecordTrouble | 'unreadable'
  readonly detail: string
}

/** Why this node no longer follows the configuration: it keeps its last routing, refuses changes and is not ready. */
export interface Frozen {
  readonly because: string
}

type Listener = (recorded: Recorded) => void
type Mode = 'replay' | 'follow'

export interface LiveOptions {
  /**
   * Of the connection records that this process wrote itself, one in this many is parsed and checked in full when it is
   * read back; of the others the fold takes what was written, which the same code made the bytes from. Every record of
   * another run, and every one at replay, is checked. 1 checks all.
   */
  readonly checkOneIn?: number
  /** Where states are kept, so that a start need not fold the whole log; without it, it does. */
  readonly snapshots?: SnapshotKeeper
}

/** What `replay` did. */
export interface Replayed {
  /** Records folded. */
  readonly records: number
  /** Records that a snapshot spared. */
  readonly spared: number
}

const checkOneInDefault = 64

/**
 * The state that everything else looks at: follows the log, drops duplicates, folds, and publishes. There is no second
 * copy: what deciders check, what the data path routes by and what the API shows is this one fold over one log.
 */
export class Live {
  readonly #log: EventLog
  readonly #onTrouble: (trouble: LiveTrouble) => void
  readonly #checkOneIn: number
  readonly #snapshots: SnapshotKeeper | null
  readonly #stop = new AbortController()
  readonly #listeners: Record<Stream, Set<Listener>> = { control: new Set(), connections: new Set(), operations: new Set() }
  readonly #outcomes = new Map<string, (outcome: Outcome) => void>()
  readonly #following: Promise<void>[] = []

  #intakes: Readonly<Record<Stream, Intake>>
  #states: States = initialStates()
  #mode: Mode = 'follow'
  #frozen: Frozen | null = null
  #troubled = false

  constructor(log: EventLog, onTrouble: (trouble: LiveTrouble) => void, options: LiveOptions = {}) {
    this.#log = log
    this.#onTrouble = onTrouble
    this.#checkOneIn = options.checkOneIn ?? checkOneInDefault
    this.#snapshots = options.snapshots ?? null
    this.#intakes = this.#makeIntakes()
  }

  /** An immutable snapshot: hold it as long as you like. */
  get routing(): Routing {
    return this.#states.routing
  }
  /** Which requests with an Idempotency-Key took effect lately. */
  get idempotency(): Idempotency {
    return this.#states.idempotency
  }
  get health(): HealthView {
    return this.#states.health
  }
  get openConnections(): OpenConnections {
    return this.#states.openConnections
  }
  get traffic(): Traffic {
    return this.#states.traffic
  }
  get runs(): Runs {
    return this.#states.runs
  }
  get frozen(): Frozen | null {
    return this.#frozen
  }
  /** Records folded from a stream, duplicates not counted. */
  count(stream: Stream): number {
    return this.#intakes[stream].count
  }

  /** The last record of a stream that was taken in; null: none was. */
  position(stream: Stream): Position | null {
    return this.#intakes[stream].position
  }

  /**
   * Folds everything up to the head of every stream, from the newest snapshot that is good. Throws `LogDamaged` when
   * stored bytes are not records.
   */
  async replay(): Promise<Replayed> {
    if (this.#total() === 0) await this.#restore()
    const spared = this.#total()
    this.#mode = 'replay'
    for (const stream of streams) {
      const batches = this.#log.read(stream, { after: this.#intakes[stream].position, follow: false })
      for await (const batch of readAhead(batches)) {
        this.#take(stream, batch)
        await this.#snapshots?.caughtUp()
      }
    }
    this.#mode = 'follow'
    return { records: this.#total() - spared, spared }
  }

  /** Goes on from where `replay` ended, until `stop`. */
  follow(): void {
    invariant(this.#following.length === 0, 'the log is followed once')
    for (const stream of streams) this.#following.push(this.#follow(stream))
  }

  /** Calls back for every record of a stream, in order, right after it was folded. */
  subscribe(stream: Stream, listener: Listener): Disposable {
    this.#listeners[stream].add(listener)
    return { [Symbol.dispose]: () => void this.#listeners[stream].delete(listener) }
  }

  /** Resolves when the control record with this id has been read back. Ask before appending it. */
  outcomeOf(id: string): Promise<Outcome> & Disposable {
    const promise = new Promise<Outcome>((resolve) => this.#outcomes.set(id, resolve))
    return Object.assign(promise, { [Symbol.dispose]: () => void this.#outcomes.delete(id) })
  }

  /** Resolves when the state of now is in a snapshot, or can't be: at an orderly end, while the log can still be read. */
  async keepSnapshot(): Promise<void> {
    if (!this.#troubled) await this.#snapshots?.keepNow(this.#total(), this.#capture)
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    this.#snapshots?.stop()
    await Promise.all(this.#following)
  }

  async #follow(stream: Stream): Promise<void> {
    const options = { after: this.#intakes[stream].position, follow: true, signal: this.#stop.signal }
    try {
      for await (const batch of this.#log.read(stream, options)) this.#take(stream, batch)
    } catch (error) {
      // What could not be read is on the medium all the same: the next start folds it. Anything else is our own bug.
      if (!(error instanceof Fault)) throw error
      this.#trouble(stream, 'unreadable', error.message)
    }
  }

  async #restore(): Promise<void> {
    const found = await this.#snapshots?.load(this.#log)
    if (found === undefined || found === null) return
    this.#states = found.states
    this.#intakes = this.#makeIntakes(found.intakes)
  }

  #take(stream: Stream, batch: readonly StoredRecord[]): void {
    for (const record of batch) this.#takeOne(stream, record)
    // A state that lacks what went wrong would hide it from the next start.
    if (this.#snapshots !== null && !this.#troubled) this.#snapshots.note(this.#total(), this.#capture)
  }

  #takeOne(stream: Stream, record: StoredRecord): void {
    const intake = this.#intakes[stream]
    const known = stream === 'connections' && intake.count % this.#checkOneIn !== 0
    const recorded = intake.take(record, known ? record.written : undefined)
    if (recorded === null) return
    if (stream !== 'control') foldInto(this.#states, stream, recorded)
    else if (this.#frozen === null) this.#foldControl(recorded)
    else return
    for (const listener of this.#listeners[stream]) listener(recorded)
  }

  #foldControl(recorded: Recorded): void {
    foldInto(this.#states, 'control', recorded)
    const { routing } = this.#states
    const effective = routing.basis === recorded.leafHash
    if (effective) this.#snapshots?.noteChange(this.#intakes.control.count, () => ({ intake: this.#intakes.control.state(), routing }))
    const settle = this.#outcomes.get(recorded.event.id)
    if (settle === undefined) return
    this.#outcomes.delete(recorded.event.id)
    settle(effective ? 'effective' : 'void')
  }

  readonly #capture = (): { readonly intakes: Readonly<Record<Stream, IntakeState>>; readonly states: States } => {
    const { control, connections, operations } = this.#intakes
    const intakes = { control: control.state(), connections: connections.state(), operations: operations.state() }
    return { intakes, states: heldStates(this.#states) }
  }

  #total(): number {
    return this.count('control') + this.count('connections') + this.count('operations')
  }

  #makeIntakes(from?: Readonly<Record<Stream, IntakeState>>): Record<Stream, Intake> {
    const make = (stream: Stream): Intake =>
      new Intake(stream, (kind, detail) => this.#onRecordTrouble(stream, kind, detail), from?.[stream])
    return { control: make('control'), connections: make('connections'), operations: make('operations') }
  }

  #onRecordTrouble(stream: Stream, kind: RecordTrouble, detail: string): void {
    if (kind === 'malformed' && this.#mode === 'replay') throw new LogDamaged(detail)
    this.#trouble(stream, kind, detail)
  }

  #trouble(stream: Stream, kind: LiveTrouble['kind'], detail: string): void {
    this.#troubled = true
    if (stream === 'control') this.#frozen ??= { because: `${kind}: ${detail}` }
    this.#onTrouble({ stream, kind, detail })
  }
}

/** Asks for the next batch before this one is folded, so that the disk and the expanding threads work meanwhile. */
async function* readAhead<Batch>(batches: AsyncIterable<Batch>): AsyncGenerator<Batch> {
  const iterator = batches[Symbol.asyncIterator]()
  let next = iterator.next()
  try {
    for (;;) {
      const batch = await next
      if (batch.done === true) return
      next = iterator.next()
      // Looked at in its turn; until then a failure is nobody's.
      next.catch(() => {})
      yield batch.value
    }
  } finally {
    await iterator.return?.()
  }
}
