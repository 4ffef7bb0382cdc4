import { readRecord, type Reading, type WaybillEvent } from '../../events/catalog.ts'
import { streams, type Stream } from '../../events/define.ts'
import { readChainLink, recordText, type ChainLink } from '../../events/envelope.ts'
import { health, type HealthView } from '../../projections/health.ts'
import { openConnections, type OpenConnections } from '../../projections/open-connections.ts'
import { apply, type Recorded } from '../../projections/projection.ts'
import { routing, type Routing } from '../../projections/routing.ts'
import { runs, type Runs } from '../../projections/runs.ts'
import { traffic, type Traffic } from '../../projections/traffic.ts'
import { Fault, invariant } from '../core/errors.ts'
import { LogDamaged, type EventLog, type Position, type StoredRecord, type WrittenEvent } from '../log/event-log.ts'
import { ChainCheck } from './chain-check.ts'

/** Whether a change took effect when it was read back, or lost the race for its revision. */
export type Outcome = 'effective' | 'void'

/** Something about the records themselves that an operator has to know; counted, never hidden. */
export interface LiveTrouble {
  readonly stream: Stream
  /**
   * What the chain said, and: malformed, bytes that are no record; unknown_type, a newer node's; unreadable, the medium
   * failed and the stream is not followed any more.
   */
  readonly kind: 'contradiction' | 'gap' | 'late' | 'malformed' | 'unknown_type' | 'unreadable'
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
}

const checkOneInDefault = 64
type Legible = { readonly link: ChainLink; readonly reading: Exclude<Reading, { kind: 'malformed' }> }

/**
 * The state that everything else looks at: follows the log, drops duplicates, folds, and publishes. There is no second
 * copy: what deciders check, what the data path routes by and what the API shows is this one fold over one log.
 */
export class Live {
  readonly #log: EventLog
  readonly #onTrouble: (trouble: LiveTrouble) => void
  readonly #checkOneIn: number
  readonly #stop = new AbortController()
  readonly #checks: Record<Stream, ChainCheck> = {
    control: new ChainCheck(),
    connections: new ChainCheck(),
    operations: new ChainCheck(),
  }
  readonly #folded: Record<Stream, Position | null> = { control: null, connections: null, operations: null }
  readonly #counts: Record<Stream, number> = { control: 0, connections: 0, operations: 0 }
  readonly #listeners: Record<Stream, Set<Listener>> = {
    control: new Set(),
    connections: new Set(),
    operations: new Set(),
  }
  readonly #outcomes = new Map<string, (outcome: Outcome) => void>()
  readonly #following: Promise<void>[] = []

  #routing: Routing = routing.initial()
  #health: HealthView = health.initial()
  #openConnections: OpenConnections = openConnections.initial()
  #traffic: Traffic = traffic.initial()
  #runs: Runs = runs.initial()
  #frozen: Frozen | null = null

  constructor(log: EventLog, onTrouble: (trouble: LiveTrouble) => void, options: LiveOptions = {}) {
    this.#log = log
    this.#onTrouble = onTrouble
    this.#checkOneIn = options.checkOneIn ?? checkOneInDefault
  }

  /** An immutable snapshot: hold it as long as you like. */
  get routing(): Routing {
    return this.#routing
  }
  get health(): HealthView {
    return this.#health
  }
  get openConnections(): OpenConnections {
    return this.#openConnections
  }
  get traffic(): Traffic {
    return this.#traffic
  }
  get runs(): Runs {
    return this.#runs
  }
  get frozen(): Frozen | null {
    return this.#frozen
  }
  /** Records folded from a stream, duplicates not counted. */
  count(stream: Stream): number {
    return this.#counts[stream]
  }

  /** Folds everything up to the head of every stream. Throws `LogDamaged` when stored bytes are not records. */
  async replay(): Promise<void> {
    for (const stream of streams) {
      const batches = this.#log.read(stream, { after: this.#folded[stream], follow: false })
      for await (const batch of readAhead(batches)) this.#take(stream, batch, 'replay')
    }
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

  async stop(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#following)
  }

  async #follow(stream: Stream): Promise<void> {
    const options = { after: this.#folded[stream], follow: true, signal: this.#stop.signal }
    try {
      for await (const batch of this.#log.read(stream, options)) this.#take(stream, batch, 'follow')
    } catch (error) {
      // What could not be read is on the medium all the same: the next start folds it. Anything else is our own bug.
      if (!(error instanceof Fault)) throw error
      this.#trouble(stream, 'unreadable', error.message)
    }
  }

  #take(stream: Stream, batch: readonly StoredRecord[], mode: Mode): void {
    for (const record of batch) {
      this.#takeOne(stream, record, mode)
      this.#folded[stream] = record.position
    }
  }

  #takeOne(stream: Stream, record: StoredRecord, mode: Mode): void {
    const { bytes, leafHash, position, written } = record
    const known = written !== undefined && stream === 'connections' && this.#counts[stream] % this.#checkOneIn !== 0
    const legible = known ? asWritten(written) : read(bytes)
    if ('problem' in legible) {
      const detail = `record at ${position} of ${stream} is not readable: ${legible.problem}`
      if (mode === 'replay') throw new LogDamaged(detail)
      this.#trouble(stream, 'malformed', detail)
      return
    }
    const { link, reading } = legible
    const verdict = this.#checks[stream].judge(link, leafHash)
    if (verdict === 'duplicate') return
    if (verdict !== 'next') this.#trouble(stream, verdict, `${link.source} sequence ${link.sequence}`)
    if (verdict === 'contradiction' || verdict === 'late') return
    this.#counts[stream] += 1
    if (reading.kind === 'unknown') this.#trouble(stream, 'unknown_type', reading.type)
    else this.#fold(stream, { event: reading.event, leafHash })
  }

  #fold(stream: Stream, recorded: Recorded): void {
    if (stream === 'control') {
      if (this.#frozen !== null) return
      this.#foldControl(recorded)
    } else if (stream === 'connections') {
      this.#openConnections = apply(openConnections, this.#openConnections, recorded)
      this.#traffic = apply(traffic, this.#traffic, recorded)
    } else {
      this.#health = apply(health, this.#health, recorded)
      this.#runs = apply(runs, this.#runs, recorded)
    }
    for (const listener of this.#listeners[stream]) listener(recorded)
  }

  #foldControl(recorded: Recorded): void {
    this.#routing = apply(routing, this.#routing, recorded)
    const settle = this.#outcomes.get(recorded.event.id)
    if (settle === undefined) return
    this.#outcomes.delete(recorded.event.id)
    settle(this.#routing.basis === recorded.leafHash ? 'effective' : 'void')
  }

  #trouble(stream: Stream, kind: LiveTrouble['kind'], detail: string): void {
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

function asWritten(written: WrittenEvent): Legible {
  const { prevhash, sequence, source } = written
  return { link: { prevhash, sequence: Number(sequence), source }, reading: { kind: 'event', event: written as WaybillEvent } }
}

/** Link and event come from two ways of reading the same bytes: where they differ, the bytes are not ours. */
function read(bytes: Uint8Array): Legible | { readonly problem: string } {
  const text = recordText(bytes)
  if (text === null) return { problem: 'it is not UTF-8' }
  const link = readChainLink(text)
  if (link === null) return { problem: 'it has no place in a chain' }
  const reading = readRecord(text)
  if (reading.kind === 'malformed') return reading
  if (reading.kind === 'unknown') return { link, reading }
  const { prevhash, sequence, source } = reading.event
  const same = Number(sequence) === link.sequence && prevhash === link.prevhash && source === link.source
  return same ? { link, reading } : { problem: 'its place in the chain reads in two ways' }
}
