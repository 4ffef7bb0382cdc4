import { readRecord, type Reading, type WaybillEvent } from '../../events/catalog.ts'
import type { Stream } from '../../events/define.ts'
import { readChainLink, recordText, type ChainLink } from '../../events/envelope.ts'
import type { Recorded } from '../../projections/projection.ts'
import type { EventLog, Position, StoredRecord, WrittenEvent } from '../log/event-log.ts'
import { ChainCheck, type ChainState } from '../../events/chain-check.ts'

/**
 * What stands between one stream of the log and every fold of it: reads the records' bytes, checks the chain, drops
 * what came before, and says what is wrong. The one way in, for whoever follows the log and for whoever looks back.
 */

/** What the chain said, or: malformed, bytes that are no record; unknown_type, a newer node's. */
export type RecordTrouble = 'contradiction' | 'gap' | 'late' | 'malformed' | 'unknown_type'

/** How far a stream was taken in. Goes on from there, if the log is still the one that it came from. */
export interface IntakeState {
  /** Records taken in, duplicates not counted. */
  readonly count: number
  /** The last record that was read; null: none was. */
  readonly last: { readonly position: Position; readonly leafHash: string } | null
  /** Of the record before it: to read the last one again is to read on from here. */
  readonly previous: Position | null
  readonly chain: ChainState
}

type Legible = { readonly link: ChainLink; readonly reading: Exclude<Reading, { kind: 'malformed' }> }

export class Intake {
  readonly #stream: Stream
  readonly #onTrouble: (kind: RecordTrouble, detail: string) => void
  readonly #check: ChainCheck
  #count: number
  #position: Position | null
  #leafHash: string
  #previous: Position | null

  constructor(stream: Stream, onTrouble: (kind: RecordTrouble, detail: string) => void, from?: IntakeState) {
    this.#stream = stream
    this.#onTrouble = onTrouble
    this.#check = new ChainCheck(from?.chain)
    this.#count = from?.count ?? 0
    this.#position = from?.last?.position ?? null
    this.#leafHash = from?.last?.leafHash ?? ''
    this.#previous = from?.previous ?? null
  }

  get count(): number {
    return this.#count
  }
  /** Where to read on. */
  get position(): Position | null {
    return this.#position
  }

  /** What the folds get of a record; null: nothing. `written` is what its bytes are known to say, which saves parsing. */
  take(record: StoredRecord, written: WrittenEvent | undefined): Recorded | null {
    const recorded = this.#judge(record, written)
    this.#previous = this.#position
    this.#position = record.position
    this.#leafHash = record.leafHash
    return recorded
  }

  /** As of the last record taken. */
  state(): IntakeState {
    const last = this.#position === null ? null : { position: this.#position, leafHash: this.#leafHash }
    return { count: this.#count, last, previous: this.#previous, chain: this.#check.state() }
  }

  #judge({ begins, bytes, leafHash, position }: StoredRecord, written: WrittenEvent | undefined): Recorded | null {
    const legible = written === undefined ? read(bytes) : asWritten(written)
    if ('problem' in legible) {
      this.#onTrouble('malformed', `record at ${position} of ${this.#stream} is not readable: ${legible.problem}`)
      return null
    }
    const { link, reading } = legible
    if (begins === true) this.#check.begin(link)
    const verdict = this.#check.judge(link, leafHash)
    if (verdict === 'duplicate') return null
    if (verdict !== 'next') this.#onTrouble(verdict, `${link.source} sequence ${link.sequence}`)
    if (verdict === 'contradiction' || verdict === 'late') return null
    this.#count += 1
    if (reading.kind === 'event') return { event: reading.event, leafHash }
    this.#onTrouble('unknown_type', reading.type)
    return null
  }
}

/** Whether the log still holds, in its place, the record that a state ends with: then the state is one of this log. */
export async function belongsTo(log: Pick<EventLog, 'read'>, stream: Stream, { last, previous }: IntakeState): Promise<boolean> {
  if (last === null) return true
  for await (const [first] of log.read(stream, { after: previous, follow: false })) {
    return first?.position === last.position && first.leafHash === last.leafHash
  }
  return false
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
