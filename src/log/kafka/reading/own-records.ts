import { leafHash } from '../../../../events/chain.ts'
import { ChainCheck, type ChainState } from '../../../../events/chain-check.ts'
import { readChainLink, recordText, type ChainLink } from '../../../../events/envelope.ts'
import { sleep, type Clock } from '../../../core/clock.ts'
import { Fault } from '../../../core/errors.ts'
import { isClientError } from '../connection/broker-errors.ts'
import type { KafkaClient } from '../connection/client.ts'
import type { FetchClient } from '../connection/fetch-client.ts'
import { Patience } from '../connection/patience.ts'
import { orAborted, readPartitions, TopicReplaced, type KnownMessage } from './partition-reader.ts'

/**
 * What a partition holds of one source, by looking: never by remembering. Records of others are among them, records of
 * ours may be there twice, and one that was acknowledged may be missing; so what counts is the unbroken run of sequences.
 */

/** A record with its places in its source and in its partition. */
export interface Placed {
  readonly sequence: number
  readonly leafHash: string
  readonly offset: number
}

export interface OwnRecord extends Placed {
  readonly bytes: Buffer
  readonly prevhash: string
}

export interface SourcePlace {
  readonly client: KafkaClient
  readonly clock: Clock
  readonly topic: string
  readonly partition: number
  readonly source: string
  readonly signal?: AbortSignal | undefined
  readonly onReachable?: (problem: unknown) => void
}

/** Where a partition stands, for one source. */
export interface Tail {
  /** The last of the unbroken run; null: it holds none. */
  readonly last: Placed | null
  /** The record that was known to be there is not: the topic was deleted, made anew or cut. */
  readonly replaced: boolean
  /** A number that different records have there, or whose record builds on another than it should; null: none was seen. */
  readonly contradicted: number | null
}

/** How far back from its end a partition is looked through before all of it is. */
const windows = [10_000, 100_000, 1_000_000, Infinity] as const

/**
 * `known`: a record of the source that was seen there before, where the search may begin. `begin`: the first record that this
 * node still has; what was before it can't be sent again, so its absence breaks no run. Throws what kafkajs throws.
 */
export async function findTail(place: SourcePlace, known: Placed | null, begin: number): Promise<Tail> {
  if (known !== null) return (await tailSince(place, known, begin)) ?? findNewTail(place, begin)
  const { earliest, latest, since } = await endsOf(place)
  for (const window of windows) {
    const from = Math.max(since, latest - window)
    const { contradicted, last, whole } = await runFrom(place, from, begin)
    // What was cut here was there.
    const replaced = last === null && begin > 0 && earliest === 0
    if (from === since || (last !== null && whole)) return { contradicted, last, replaced }
  }
  return { contradicted: null, last: null, replaced: false }
}

/** The same of a topic that is not the one that it was: what begins later than this node's log counts as if it were not there. */
export async function findNewTail(place: SourcePlace, begin: number): Promise<Tail> {
  const { earliest } = await endsOf(place)
  const { contradicted, first, last } = await runFrom(place, earliest, begin)
  return { contradicted, last: earliest === 0 && first !== null && first > begin ? null : last, replaced: true }
}

async function runFrom(place: SourcePlace, from: number, begin: number): Promise<Run> {
  const run = new Run(place.source, null, begin)
  for await (const record of ownRecords(place, from)) run.take(record)
  return run
}

/** Null when the known record is not where it was. One whose time there is over is taken at its word. */
async function tailSince(place: SourcePlace, known: Placed, begin: number): Promise<Tail | null> {
  const run = new Run(place.source, known, begin)
  try {
    for await (const record of ownRecords(place, known.offset + 1, known)) run.take(record)
  } catch (error) {
    if (!(error instanceof TopicReplaced)) throw error
    return null
  }
  return { contradicted: run.contradicted, last: run.last, replaced: false }
}

/**
 * The records of the source from an offset to the end of now, as the partition has them. Throws `TopicReplaced`, also
 * when `known` is not right before them.
 */
export async function* ownRecords(place: SourcePlace, from: number, known?: KnownMessage): AsyncGenerator<OwnRecord> {
  const { client, clock, onReachable, partition, signal, source, topic } = place
  const needle = Buffer.from(`"source":"${source}"`)
  const batches = readPartitions({
    client, clock, follow: false, from: new Map([[partition, from]]), signal, topic,
    ...(onReachable === undefined ? {} : { onReachable }),
    ...(known === undefined ? {} : { known: new Map([[partition, known]]) }),
  })
  for await (const { messages } of batches) {
    for (const { offset, value } of messages) {
      if (value === null || !value.includes(needle)) continue
      const link = linkOf(value)
      if (link?.source !== source) continue
      yield { bytes: value, leafHash: leafHash(value), offset, prevhash: link.prevhash, sequence: link.sequence }
    }
  }
}

/** Null: these bytes are no record. */
export function linkOf(value: Uint8Array): ChainLink | null {
  const text = recordText(value)
  return text === null || text.includes('\n') ? null : readChainLink(text)
}

/** Offsets of a partition. */
export interface Ends {
  readonly earliest: number
  readonly latest: number
  /** Before it the partition has nothing of the source. */
  readonly since: number
}

/** All zero once the signal aborts. Throws what kafkajs throws. */
export async function endsOf({ client, partition, signal, source, topic }: SourcePlace): Promise<Ends> {
  const fetcher = client.fetcher(topic)
  const at = async (which: Parameters<FetchClient['offsets']>[1]): Promise<number> => {
    const offsets = await orAborted(fetcher.offsets([partition], which), signal)
    return offsets?.get(partition) ?? 0
  }
  try {
    await orAborted(fetcher.connect(), signal)
    if (signal?.aborted) return { earliest: 0, latest: 0, since: 0 }
    const [earliest, latest] = [await at('earliest'), await at('latest')]
    const madeMs = epochMs(source)
    const since = madeMs === null ? earliest : await at({ storedSinceMs: madeMs - clocksApartMs })
    // Below zero: nothing was stored since then.
    return { earliest, latest, since: since < 0 ? latest : Math.max(earliest, since) }
  } finally {
    void fetcher.disconnect()
  }
}

/** For one read: who follows waits for as long as it takes, everybody else is told after a while that nobody answers. */
export function patientPlace(place: SourcePlace, follow: boolean, signal: AbortSignal): SourcePlace {
  if (follow) return { ...place, signal }
  const patience = new Patience(place)
  return { ...place, onReachable: (problem) => patience.look(problem), signal }
}

const endsAgainMs = 500

/** Asks until it is answered, or the place has no patience any more. */
export async function patientEnds(place: SourcePlace): Promise<Ends> {
  const { clock, onReachable, signal } = place
  while (!signal?.aborted) {
    try {
      return await endsOf(place)
    } catch (error) {
      if (!isClientError(error) && !(error instanceof Fault)) throw error
      onReachable?.(error)
    }
    await sleep(clock, endsAgainMs, signal)
  }
  return { earliest: 0, latest: 0, since: 0 }
}

/** How much the clock of a broker may be behind that of the node which made an epoch. */
const clocksApartMs = 600_000

/** When the source's epoch was made, which its name says (UUIDv7, RFC 9562 section 5.7); null: it does not. */
function epochMs(source: string): number | null {
  const time = /\/([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f-]{21}\/[a-z]+$/.exec(source)
  return time === null ? null : Number.parseInt(`${time[1]}${time[2]}`, 16)
}

/** Records after a hole that are remembered; what is beyond is sent again. No record comes so much later than its turn. */
export const aheadMax = 10_000

/** The unbroken run of sequences, whatever came twice or before its turn. */
class Run {
  last: Placed | null
  /** Where it began. */
  first: number | null = null
  contradicted: number | null = null
  readonly #source: string
  readonly #begin: number
  readonly #ahead = new Map<number, Placed>()
  readonly #check: ChainCheck

  constructor(source: string, last: Placed | null, begin: number) {
    this.last = last
    this.#source = source
    this.#begin = begin
    this.#check = new ChainCheck(last === null ? undefined : new Map([[source, stateBehind(last)]]))
  }

  /** Nothing came that does not belong to it. */
  get whole(): boolean {
    return this.#ahead.size === 0
  }

  take({ leafHash: hash, offset, prevhash, sequence }: OwnRecord): void {
    const placed = { leafHash: hash, offset, sequence }
    this.first ??= sequence
    if (this.#check.judge({ prevhash, sequence, source: this.#source }, hash) === 'contradiction') this.contradicted ??= sequence
    if (this.last === null) this.last = placed
    else if (sequence > this.last.sequence && this.#ahead.size < aheadMax) this.#ahead.set(sequence, placed)
    for (let next = this.#next(this.last); next !== undefined; next = this.#next(this.last)) {
      this.#ahead.delete(next.sequence)
      this.last = next
    }
  }

  #next({ sequence }: Placed): Placed | undefined {
    return this.#ahead.get(sequence + 1) ?? (sequence < this.#begin ? this.#ahead.get(this.#begin) : undefined)
  }
}

/** Of a check that has seen a source up to this record. */
function stateBehind({ leafHash: hash, sequence }: Placed): ChainStateOf {
  return { lastHash: hash, missingBefore: 0, missingFrom: null, nextSequence: sequence + 1, recent: new Map([[sequence, hash]]) }
}

type ChainStateOf = ChainState extends ReadonlyMap<string, infer State> ? State : never
