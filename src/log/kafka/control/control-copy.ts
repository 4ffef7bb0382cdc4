import { leafHash } from '../../../../events/chain.ts'
import { ChainCheck } from '../../../../events/chain-check.ts'
import type { ChainLink } from '../../../../events/envelope.ts'
import { readWhole, replaceFile, type Disk } from '../../../core/disk.ts'
import { sleep, type Clock, type Timer } from '../../../core/clock.ts'
import { errnoOf, Fault } from '../../../core/errors.ts'
import { segmentBytes } from '../../../core/limits.ts'
import { batchOf } from '../../batch.ts'
import type { Batch, CommitFailure } from '../../commit-store.ts'
import type { Position, ReadOptions, StoredRecord } from '../../event-log.ts'
import { controlCopyName, streamFolder } from '../../file/open-folder.ts'
import { recoverStream, type RecoveredStream } from '../../file/recovery.ts'
import { SegmentStore } from '../../file/segment-store.ts'
import { segmentName } from '../../file/segments.ts'
import { readStream, type StreamReaderOptions } from '../../file/stream-reader.ts'
import { positionOf, RecentRecords } from '../../recent-records.ts'
import { linkOf } from '../reading/own-records.ts'
import { SeenAgain } from './seen-again.ts'

/**
 * Control as the cluster has it, on this node's disk: every record of every node once, in the order of the topic. What
 * the node folds, so that a start reads no years of topic and everything can be looked back on without a broker.
 */

const placeName = 'kafka.json'
/** Positions of arrivals that are remembered. */
const latestMax = 1_024
const keepPlaceAfterMs = 1_000
const recentBytes = 4 * 1024 * 1024
const retryMs = 500

export interface ControlCopyOptions {
  readonly disk: Disk
  readonly clock: Clock
  /** The node's data folder; it has its lock. */
  readonly folder: string
  /** Source of this node's own changes; left out: it makes none. */
  readonly own?: string
  /** Told when writing begins to fail or works again. */
  readonly onFailure: (failure: CommitFailure | null) => void
}

/** Somebody else has written as this node: what it would write now would be nobody's. */
const contradicted: CommitFailure = { code: 'LOG_CONTRADICTED', syscall: 'fetch' }

/** A record of the topic and where it lies there. */
export interface TopicPlace {
  readonly leafHash: string
  readonly offset: number
}

/** What comes from the topic. */
export interface Incoming {
  readonly offset: number
  readonly bytes: Buffer
}

interface Fresh {
  readonly bytes: Buffer
  readonly leafHash: string
  readonly link: ChainLink
  /** Does not continue its source: whoever folds leaves it out. */
  readonly odd: boolean
}

/** The topic, made anew, went on without changes that this node has: filled again from elsewhere, by a node that knew less. */
export class ControlForked extends Fault {
  override readonly name = 'ControlForked'
  constructor(missing: number) {
    super(
      'control_forked', 'log',
      `the control topic went on without ${missing} records that this node has. The configuration here stays as it is, and no changes are taken. ` +
        'Find out which is right (waybill events --stream control on both sides); then restore the topic with waybill log copy, or start this node without its control-copy folder.',
    )
  }
}

export class ControlCopy implements AsyncDisposable {
  readonly #options: ControlCopyOptions
  readonly #store: SegmentStore
  readonly #reading: StreamReaderOptions
  readonly #check: ChainCheck
  readonly #waiting = new Map<string, (position: Position) => void>()
  /** Positions of the latest arrivals: one may be asked for a moment after it came. */
  readonly #latest = new Map<string, Position>()
  #place: TopicPlace | null = null
  /** While the topic is read again from its beginning: what of the copy was seen. Nothing new may come before all of it was. */
  #seenAgain: SeenAgain | null = null
  /** Records that do not continue their source are kept for whoever judges them, once. */
  readonly #odd = new Set<string>()
  #contradicted = false
  #placeTimer: Timer | null = null
  #keeping: Promise<void> = Promise.resolve()

  static async open(options: ControlCopyOptions): Promise<ControlCopy> {
    const { disk, folder } = options
    const at = streamFolder(folder, controlCopyName)
    const recovered = await recoverStream({ disk, endedInOrder: false, folder: at, source: null, stream: 'control' })
    const file = await disk.openToWrite(`${at}/${segmentName(recovered.segments.last)}`)
    const copy = new ControlCopy(options, recovered, new SegmentStore(
      { disk, folder: at, onFailure: async () => {}, onSegmentClosed: () => {}, segmentBytes, segments: recovered.segments }, file, recovered.length,
    ))
    let newest: string | null = null
    for await (const batch of copy.read({ after: null, follow: false })) {
      for (const record of batch) copy.#known(record)
      newest = batch.at(-1)?.leafHash ?? newest
    }
    copy.#place = await readPlace(disk, at)
    // A place that is not behind all of the copy can't say whether the topic still has the rest.
    if (copy.#place?.leafHash !== newest) copy.forgetPlace()
    return copy
  }

  private constructor(options: ControlCopyOptions, { head, segments }: RecoveredStream, store: SegmentStore) {
    this.#options = options
    this.#store = store
    this.#check = new ChainCheck()
    const recent = new RecentRecords(recentBytes, head.sequence)
    this.#reading = { disk: options.disk, folder: streamFolder(options.folder, controlCopyName), recent, segments, source: null }
  }

  /** Where the topic was read to; null: nowhere yet, or that is not known any more. */
  get place(): TopicPlace | null {
    return this.#place
  }
  /** Records that it holds. */
  get count(): number {
    return this.#reading.recent.next
  }
  /** Those that a topic which is read again from its beginning has not shown yet. */
  get missing(): number {
    return this.#seenAgain === null ? 0 : this.count - this.#seenAgain.count
  }

  read(options: ReadOptions): AsyncIterable<readonly StoredRecord[]> {
    return readStream(this.#reading, options)
  }

  head(): Position | null {
    return this.count === 0 ? null : positionOf(this.count - 1)
  }

  /** Sequence behind the newest record of the source. */
  next(source: string): number {
    return this.#check.next(source)
  }

  /** Resolves with its position when this record is there in its turn, and not another one instead; never rejects. */
  whenHas(source: string, sequence: number, hash: string): Promise<Position> {
    const key = keyOf(source, sequence, hash)
    const known = this.#latest.get(key)
    if (known !== undefined) return Promise.resolve(known)
    return new Promise((resolve) => this.#waiting.set(key, resolve))
  }

  /** Takes what came from the topic, in its order; what is not new is left out. Resolves when it is on disk, however long that takes. */
  async take(incoming: readonly Incoming[], signal: AbortSignal): Promise<void> {
    const fresh = this.#freshOf(incoming)
    const first = this.count
    if (fresh.length > 0) await this.#commit(batchOf(first, fresh), signal)
    if (signal.aborted) return
    fresh.forEach((record, index) => this.#arrived(record, positionOf(first + index)))
    const last = incoming.at(-1)
    if (last === undefined) return
    this.#place = { leafHash: leafHash(last.bytes), offset: last.offset }
    this.#placeTimer ??= this.#options.clock.after(keepPlaceAfterMs, () => {
      this.#placeTimer = null
      void this.#keepPlace()
    })
  }

  /** The topic is another one: what was known of places in it is void. */
  forgetPlace(): void {
    this.#place = null
    this.#seenAgain = this.count === 0 ? null : new SeenAgain()
    void this.#keepPlace()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#placeTimer?.[Symbol.dispose]()
    await this.#keepPlace()
    this.#reading.recent.close()
    await this.#store.close()
  }

  #known({ bytes, leafHash: hash }: StoredRecord): void {
    const link = linkOf(bytes)
    if (link !== null) this.#judge(link, hash)
  }

  #judge({ prevhash, sequence, source }: ChainLink, hash: string): 'new' | 'odd' | 'known' {
    const verdict = this.#check.judge({ prevhash, sequence, source }, hash)
    if (verdict === 'next' || verdict === 'gap') return 'new'
    const key = keyOf(source, sequence, hash)
    if (verdict === 'duplicate' || this.#odd.has(key)) return 'known'
    this.#odd.add(key)
    return 'odd'
  }

  #sawAgain(link: ChainLink, hash: string): void {
    const key = keyOf(link.source, link.sequence, hash)
    this.#seenAgain?.note(link, this.#odd.has(key) ? key : null)
    if (this.#seenAgain?.count === this.count) this.#seenAgain = null
  }

  #freshOf(incoming: readonly Incoming[]): Fresh[] {
    const fresh: Fresh[] = []
    for (const { bytes } of incoming) {
      const link = linkOf(bytes)
      // What is no record was counted by whoever read the topic; of a record everything else is judged by those who fold.
      if (link === null) continue
      const hash = leafHash(bytes)
      // Before it is judged: what was judged counts as known.
      if (this.#seenAgain !== null && link.sequence >= this.#check.next(link.source)) throw new ControlForked(this.missing)
      const verdict = this.#judge(link, hash)
      if (verdict === 'known') this.#sawAgain(link, hash)
      else fresh.push({ bytes, leafHash: hash, link, odd: verdict === 'odd' })
    }
    return fresh
  }

  #arrived({ leafHash: hash, link: { sequence, source }, odd }: Fresh, position: Position): void {
    if (odd) {
      if (source !== this.#options.own) return
      this.#contradicted = true
      this.#options.onFailure(contradicted)
      return
    }
    const key = keyOf(source, sequence, hash)
    this.#waiting.get(key)?.(position)
    this.#waiting.delete(key)
    this.#latest.set(key, position)
    for (const oldest of this.#latest.keys()) {
      if (this.#latest.size <= latestMax) break
      this.#latest.delete(oldest)
    }
  }

  /**
   * Only spares reading again what is known: whatever keeps it from being written costs time and nothing else. None is
   * kept while the topic lacks something: whoever starts from there would take a part for the whole.
   */
  async #keepPlace(): Promise<void> {
    const { disk, folder } = this.#options
    const at = streamFolder(folder, controlCopyName)
    const bytes = this.#place === null || this.missing > 0 ? null : Buffer.from(`${JSON.stringify(this.#place)}\n`)
    this.#keeping = this.#keeping
      .then(() => (bytes === null ? disk.remove(`${at}/${placeName}`) : replaceFile(disk, at, placeName, bytes)))
      .catch(() => {})
    await this.#keeping
  }

  async #commit(batch: Batch, signal: AbortSignal): Promise<void> {
    let outcome = await this.#store.commit(batch)
    const failed = outcome.kind !== 'durable'
    while (outcome.kind !== 'durable' && !signal.aborted) {
      this.#options.onFailure(outcome.failure)
      await sleep(this.#options.clock, retryMs, signal)
      outcome = await (outcome.kind === 'unknown' ? this.#store.settle(batch) : this.#store.commit(batch))
    }
    if (outcome.kind !== 'durable') return
    if (failed) this.#options.onFailure(this.#contradicted ? contradicted : null)
    this.#reading.recent.push(batch)
  }
}

function keyOf(source: string, sequence: number, hash: string): string {
  return `${source} ${sequence} ${hash}`
}

async function readPlace(disk: Disk, folder: string): Promise<TopicPlace | null> {
  try {
    const { leafHash: hash, offset } = JSON.parse((await readWhole(disk, `${folder}/${placeName}`)).toString()) as Partial<TopicPlace>
    if (typeof hash === 'string' && typeof offset === 'number') return { leafHash: hash, offset }
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && !(error instanceof SyntaxError)) throw error
  }
  return null
}
