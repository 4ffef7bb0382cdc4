import { leafHash } from '../../../../events/chain.ts'
import { sleep, type Clock } from '../../../core/clock.ts'
import { Fault } from '../../../core/errors.ts'
import { typeOf } from '../connection/broker-errors.ts'
import type { KafkaClient } from '../connection/client.ts'
import type { FetchClient, FetchedMessage, FetchedPartition } from '../connection/fetch-client.ts'

/**
 * Follows partitions of one topic from given places: waits out brokers that do not answer, leaders that move and
 * connections that break, each time with a new connection, and never holds more than some fetches. Whenever it connects
 * again it looks whether what it read last is still where it was.
 */

export interface PartitionBatch {
  readonly partition: number
  /** Not empty. */
  readonly messages: readonly FetchedMessage[]
  /** Where to read on. */
  readonly next: number
}

/** A message by which a partition is recognised. */
export interface KnownMessage {
  readonly offset: number
  /** RFC 6962 leaf hash of its value. */
  readonly leafHash: string
}

export interface ReadPartitionsOptions {
  readonly client: KafkaClient
  readonly clock: Clock
  readonly topic: string
  /** Offsets by partition. */
  readonly from: ReadonlyMap<number, number>
  /** What was read last, right before `from`, in an earlier life. */
  readonly known?: ReadonlyMap<number, KnownMessage>
  /** At the end of now: wait for more instead of ending. */
  readonly follow: boolean
  readonly signal?: AbortSignal | undefined
  /** Told of what keeps the brokers from answering, each time; null: they do. */
  readonly onReachable?: (problem: unknown) => void
}

/** The topic is not there, or does not hold what it held: deleted, made anew, or cut. Its reader decides. */
export class TopicReplaced extends Fault {
  override readonly name = 'TopicReplaced'
  constructor(topic: string, because: string, cause?: unknown) {
    super('topic_replaced', 'log', `the topic ${topic} is not what it was: ${because}`, { cause })
  }
}

const fetchBytesMax = 1_048_576
/** How long a broker holds a fetch that finds nothing; an end is noticed no later than that. */
const fetchWaitMs = 1_000
const retryMinMs = 100
const retryMaxMs = 2_000
/** A new topic is not known to every broker at once, and a broker that has just started knows none: so long it has to be missing before it counts as gone. */
const missingMs = 15_000

/** Throws `TopicReplaced`, and what `onReachable` throws; nothing else. Ends quietly when the signal aborts. */
export async function* readPartitions(options: ReadPartitionsOptions): AsyncGenerator<PartitionBatch> {
  const { clock, signal, topic } = options
  const reading = new Reading(options)
  const absence = new Absence(clock)
  let retryMs = retryMinMs
  try {
    while (!signal?.aborted) {
      let batches: readonly PartitionBatch[] | 'end'
      try {
        batches = await reading.next()
      } catch (error) {
        reading.disconnect()
        if (signal?.aborted) return
        if (error instanceof TopicReplaced) throw error
        if (absence.isFinal(error)) throw new TopicReplaced(topic, 'it is gone', error)
        options.onReachable?.(error)
        await sleep(clock, retryMs, signal)
        retryMs = Math.min(retryMs * 2, retryMaxMs)
        continue
      }
      retryMs = retryMinMs
      absence.end()
      options.onReachable?.(null)
      if (batches === 'end') return
      yield* batches
    }
  } finally {
    reading.disconnect()
  }
}

/** Tells a topic that is gone from one that a broker does not know yet. */
export class Absence {
  readonly #clock: Clock
  #sinceMs: number | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  isFinal(error: unknown): boolean {
    if (typeOf(error) !== 'UNKNOWN_TOPIC_OR_PARTITION') return false
    this.#sinceMs ??= this.#clock.monotonicMs()
    return this.#clock.monotonicMs() >= this.#sinceMs + missingMs
  }

  end(): void {
    this.#sinceMs = null
  }
}

/** Where one reader is, and its connection, made when it is needed. */
class Reading {
  readonly #options: ReadPartitionsOptions
  readonly #at: Map<number, number>
  readonly #last: Map<number, KnownMessage>
  /** Partitions that have to be recognised before anything of them is believed. */
  readonly #unsure = new Set<number>()
  #fetcher: FetchClient | null = null
  #earlySinceMs: number | null = null
  /** Where a reader that does not follow stops. */
  #ends: ReadonlyMap<number, number> | null = null

  constructor(options: ReadPartitionsOptions) {
    this.#options = options
    this.#at = new Map(options.from)
    this.#last = new Map(options.known)
  }

  async next(): Promise<readonly PartitionBatch[] | 'end'> {
    const { follow, signal } = this.#options
    const fetcher = await this.#connected()
    if (fetcher === null) return []
    if (!follow) this.#ends ??= await orAborted(fetcher.offsets([...this.#at.keys()], 'latest'), signal)
    const wanted = this.#wanted()
    if (wanted.size === 0) return 'end'
    let fetched: readonly FetchedPartition[] | null
    try {
      fetched = await orAborted(fetcher.fetch(wanted, { bytesMax: fetchBytesMax, maxWaitMs: fetchWaitMs }), signal)
    } catch (error) {
      if (typeOf(error) !== 'OFFSET_OUT_OF_RANGE') throw error
      await this.#passOverRemoved(fetcher, error)
      return []
    }
    return (fetched ?? []).flatMap((partition) => this.#take(partition))
  }

  disconnect(): void {
    // A connection that hangs must not keep its reader.
    void this.#fetcher?.disconnect()
    this.#fetcher = null
  }

  /** What has not been read to its end, from where it is read: one message earlier where that one has to be recognised. */
  #wanted(): ReadonlyMap<number, number> {
    const ends = this.#ends
    const open = [...this.#at].filter(([partition, offset]) => ends === null || this.#unsure.has(partition) || offset < (ends.get(partition) ?? 0))
    return new Map(open.map(([partition, offset]) => [partition, this.#unsure.has(partition) ? this.#last.get(partition)!.offset : offset]))
  }

  #take({ end, messages, next, partition }: FetchedPartition): PartitionBatch[] {
    const fresh = this.#unsure.has(partition) ? this.#recognised(partition, messages, end) : messages
    const last = fresh.at(-1)
    if (last === undefined) {
      if (next !== null && !this.#unsure.has(partition)) this.#at.set(partition, Math.max(this.#at.get(partition)!, next))
      if (end < Math.min(this.#at.get(partition)!, this.#ends?.get(partition) ?? Infinity)) this.#endsEarly()
      return []
    }
    this.#earlySinceMs = null
    this.#at.set(partition, last.offset + 1)
    if (last.value !== null) this.#last.set(partition, { leafHash: leafHash(last.value), offset: last.offset })
    return [{ messages: fresh, next: last.offset + 1, partition }]
  }

  /** What comes after the message that was read last. */
  #recognised(partition: number, messages: readonly FetchedMessage[], end: number): readonly FetchedMessage[] {
    const { topic } = this.#options
    const last = this.#last.get(partition)!
    const [first, ...others] = messages
    if (first === undefined) {
      if (end <= last.offset) this.#endsEarly()
      return []
    }
    const same = first.offset === last.offset && first.value !== null && leafHash(first.value) === last.leafHash
    if (!same) throw new TopicReplaced(topic, 'it has another message where the last one was read')
    this.#unsure.delete(partition)
    return others
  }

  /** A new leader may need a moment to know again what all replicas have. */
  #endsEarly(): void {
    const nowMs = this.#options.clock.monotonicMs()
    this.#earlySinceMs ??= nowMs
    if (nowMs >= this.#earlySinceMs + missingMs) throw new TopicReplaced(this.#options.topic, 'it ends before what was read')
  }

  /** A place before the first message is one whose messages were removed in time; any other is not of this topic. */
  async #passOverRemoved(fetcher: FetchClient, cause: unknown): Promise<void> {
    const { signal, topic } = this.#options
    const partitions = [...this.#at.keys()]
    const first = await orAborted(fetcher.offsets(partitions, 'earliest'), signal)
    const end = await orAborted(fetcher.offsets(partitions, 'latest'), signal)
    if (first === null || end === null) return
    let passed = false
    for (const [partition, offset] of this.#wanted()) {
      const [from, to] = [first.get(partition) ?? 0, end.get(partition) ?? 0]
      if (offset >= from && offset <= to) continue
      if (offset > to) throw new TopicReplaced(topic, 'it ends before what was read', cause)
      this.#unsure.delete(partition)
      this.#at.set(partition, Math.max(this.#at.get(partition)!, from))
      passed = true
    }
    if (!passed) throw new TopicReplaced(topic, 'it has no longer what was read', cause)
  }

  async #connected(): Promise<FetchClient | null> {
    if (this.#fetcher !== null) return this.#fetcher
    const { client, signal, topic } = this.#options
    const fetcher = client.fetcher(topic)
    this.#fetcher = fetcher
    for (const partition of this.#last.keys()) this.#unsure.add(partition)
    return (await orAborted(fetcher.connect().then(() => true), signal)) === null ? null : fetcher
  }
}

/** What the work gives, or null once the signal aborts: then nobody looks at it any more. */
export async function orAborted<Result>(work: Promise<Result>, signal: AbortSignal | undefined): Promise<Result | null> {
  if (signal === undefined) return work
  work.catch(() => {})
  const aborted = Promise.withResolvers<null>()
  const abort = (): void => aborted.resolve(null)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return signal.aborted ? null : await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
