import type { Producer } from 'kafkajs'
import type { Stream } from '../../../../events/define.ts'
import { logAcknowledged } from '../../../core/channels.ts'
import { sleep, type Timer } from '../../../core/clock.ts'
import { Fault, messageOf } from '../../../core/errors.ts'
import type { Logger } from '../../../core/logger.ts'
import type { LostRange } from '../../cluster-log.ts'
import type { CommitFailure } from '../../commit-store.ts'
import type { Position, StoredRecord } from '../../event-log.ts'
import type { FileLog } from '../../file/file-log.ts'
import { positionOf } from '../../recent-records.ts'
import type { AcknowledgedSend } from '../broker-clock.ts'
import { allInSync, messagesOf, sendBytesMax } from './messages.ts'
import type { Placed, SourcePlace } from '../reading/own-records.ts'
import { failureCode } from '../connection/broker-errors.ts'
import { TopicReplaced } from '../reading/partition-reader.ts'
import { SendQueue } from './send-queue.ts'
import { abandon, onAbort } from './session-end.ts'
import { TailLook } from './tail-look.ts'

/**
 * Carries one stream of a node's own log to its partition, in order, byte-equal. What the broker has is learned from the
 * topic, never remembered: kafkajs, after a send that was written and reported as failed, acknowledges the next one
 * without storing it. So one batch is in flight at a time, a producer that rejected anything is thrown away, and the next
 * one begins by reading the end of the partition. A batch that lands late is a repeat, which every reader drops.
 */

export interface ShipperOptions {
  readonly stream: Stream
  /** Without a signal: the shipper has its own. */
  readonly place: SourcePlace
  /** Kafka key of every message. */
  readonly key: string
  readonly log: Pick<FileLog, 'beginning' | 'end' | 'read'>
  readonly logger: Logger
  readonly compression: number
  /** The last record that was seen in the partition, from an earlier life. */
  readonly known: Placed | null
  readonly sends: SendTimes
  /** Told what was acknowledged, with its place. */
  readonly onAcknowledged: (last: Placed) => void
  /** Told when sends begin to fail or work again. */
  readonly onFailure: (failure: CommitFailure | null) => void
  /** The topic is gone, or another one: it has to be there, and as it should be, when this resolves. */
  readonly onGone: () => Promise<void>
  /**
   * Told that the topic is there and not what it was, once until something is in it again. `lost`: removed here, since the
   * topic had it, and not in there any more.
   */
  readonly onReplaced: (lost: LostRange | null) => void
  /** Such a topic has to hold again what the log does not send, when this resolves; called again whenever it was not filled to the end. */
  readonly refill: (send: Send) => Promise<void>
}

/** Who learns from acknowledged sends how the broker's clock goes. */
export interface SendTimes {
  sample(send: AcknowledgedSend): void
}

export interface Sent {
  /** Of the first record. */
  readonly offset: number
  /** By the broker's clock, milliseconds since the epoch; below zero: it did not say. */
  readonly storedMs: number
}

/** Resolves once every replica in sync has them. A rejection ends the session. */
export type Send = (records: readonly Pick<StoredRecord, 'bytes'>[]) => Promise<Sent>

/** So long without an answer, and the stream counts as unavailable: clients are refused at once instead of waiting. */
const slowMs = 2_000
/** So long, and the producer is given up: it may hang on a connection that is gone. */
const hangingMs = 15_000
const brokerTimeoutMs = 10_000
const retryMinMs = 100
const retryMaxMs = 2_000

export class Shipper {
  readonly #options: ShipperOptions
  readonly #stop = new AbortController()
  readonly #look: TailLook
  readonly #waiting: { readonly sequence: number; readonly resolve: () => void }[] = []
  #known: Placed | null
  /** Sequence behind the last acknowledged record. */
  #acknowledged = 0
  /** Of the oldest record that waits to be acknowledged. */
  #oldestMs: number | null = null
  /** Code of the failure that was told last; null: sends work. */
  #failing: string | null = null
  #distrusted = false
  /** Nobody has looked at the topic since it last was in doubt. */
  #unsure = true
  /** What was said of a topic that is not filled again yet. */
  #told: { readonly lost: LostRange | null } | null = null
  /** The last call that was made of a producer. */
  #sending: Promise<unknown> = Promise.resolve()
  /** Ends the session that runs. */
  #again = new AbortController()
  #running: Promise<void> | null = null

  constructor(options: ShipperOptions) {
    this.#options = options
    const { known, log, onGone, place, stream } = options
    this.#look = new TailLook({ log, onGone, place: { ...place, signal: this.#stop.signal }, stream })
    this.#known = known
    // Whatever that place says, nothing of what will be written counts before it is there.
    this.#acknowledged = Math.min(log.end(stream).sequence, Math.max(this.#begin, known === null ? 0 : known.sequence + 1))
  }

  /** How many records of the source the cluster has. */
  get acknowledged(): number {
    return this.#acknowledged
  }

  /** The last record that was seen in the partition; null: none, or it is not sure that they are in there. */
  get shipped(): Placed | null {
    return this.#distrusted || this.#unsure ? null : this.#known
  }

  /** How long the oldest record that is not acknowledged has been on its way. */
  get waitedMs(): number {
    return this.#oldestMs === null ? 0 : this.#options.place.clock.monotonicMs() - this.#oldestMs
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Somebody else saw that the topic is not what it was: begins again, and fills it. */
  distrust(): void {
    this.#distrusted = true
    this.#again.abort()
  }

  /** Resolves when the record is acknowledged; never rejects. */
  whenAcknowledged(sequence: number): Promise<void> {
    if (sequence < this.#acknowledged) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push({ resolve, sequence }))
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock } = this.#options.place
    let retryMs = retryMinMs
    while (!this.#stop.signal.aborted) {
      const before = this.#acknowledged
      this.#again = new AbortController()
      try {
        await this.#session()
      } catch (error) {
        if (this.#stop.signal.aborted) return
        if (error instanceof TopicReplaced) this.#unsure = true
        this.#failed(error)
        // A session may have ended before it took anything.
        if (this.#owes) this.#oldestMs ??= clock.monotonicMs()
        if (this.#acknowledged > before) retryMs = retryMinMs
        await sleep(clock, retryMs, this.#stop.signal)
        retryMs = Math.min(retryMs * 2, retryMaxMs)
      }
    }
  }

  /** The life of one producer. Ends by throwing, or when the shipper stops. */
  async #session(): Promise<void> {
    const { place } = this.#options
    const producer = place.client.producer()
    try {
      await this.#inTime(producer.connect())
      await this.#ship(producer, await this.#prepare(producer))
    } finally {
      abandon(producer, this.#sending)
    }
  }

  /** Looks at what the partition has. Answers behind which record to go on. */
  async #prepare(producer: Producer): Promise<Position | null> {
    const { log, stream } = this.#options
    this.#unsure = true
    const { last, lost, replaced } = await this.#look.look(this.#known)
    if (this.#stop.signal.aborted) return null
    // Until it was filled again to the end, whatever comes between.
    if (replaced || lost !== null) this.#distrusted = true
    if (this.#distrusted) await this.#fillAgain(producer, lost)
    this.#distrusted = false
    this.#unsure = false
    this.#known = last
    if (last !== null) this.#acknowledge(last)
    if (log.end(stream).sequence <= Math.max(this.#begin, last === null ? 0 : last.sequence + 1)) {
      // What waited was stored, and only its answer was lost.
      this.#oldestMs = null
      this.#told = null
      // While something is owed, only an acknowledgement says that sending works.
      this.#works()
    }
    return last === null ? null : positionOf(last.sequence)
  }

  async #fillAgain(producer: Producer, lost: LostRange | null): Promise<void> {
    const { onGone, onReplaced, refill } = this.#options
    await onGone()
    const told = this.#told
    // Each session that gets nothing sent finds the same again.
    if (told === null || (lost !== null && (lost.first !== told.lost?.first || lost.last !== told.lost.last))) {
      onReplaced(lost)
      this.#told = { lost }
    }
    await refill((records) => this.#send(producer, records))
  }

  get #owes(): boolean {
    return this.#options.log.end(this.#options.stream).sequence > this.#acknowledged
  }

  /** Sequence of the first record that this node still has. */
  get #begin(): number {
    return this.#options.log.beginning(this.#options.stream).sequence
  }

  async #ship(producer: Producer, after: Position | null): Promise<void> {
    const ended = new AbortController()
    const signal = AbortSignal.any([ended.signal, this.#stop.signal, this.#again.signal])
    const queue = new SendQueue()
    signal.addEventListener('abort', () => queue.wake(), { once: true })
    const reading = this.#read(queue, after, signal)
    // Its failure ends the sends as well; looked at below.
    reading.catch(() => ended.abort())
    try {
      while (!signal.aborted) {
        const records = await queue.take(sendBytesMax, signal)
        if (records.length === 0) continue
        this.#oldestMs ??= queue.takenSinceMs
        await this.#carry(producer, records)
        this.#oldestMs = queue.oldestMs
      }
    } finally {
      ended.abort()
      queue.wake()
    }
    await reading
  }

  async #read(queue: SendQueue, after: Position | null, signal: AbortSignal): Promise<void> {
    const { log, stream } = this.#options
    const { clock } = this.#options.place
    for await (const batch of log.read(stream, { after, follow: true, signal })) await queue.push(batch, clock.monotonicMs(), signal)
  }

  async #carry(producer: Producer, records: readonly StoredRecord[]): Promise<void> {
    const { place, sends, stream } = this.#options
    const sentMonotonicMs = place.clock.monotonicMs()
    const { offset, storedMs } = await this.#send(producer, records)
    if (this.#known !== null && offset <= this.#known.offset) throw new TopicReplaced(place.topic, 'it ended before what was written there')
    const ackedMonotonicMs = place.clock.monotonicMs()
    if (logAcknowledged.isHeard) logAcknowledged.tell({ ms: ackedMonotonicMs - sentMonotonicMs, records: records.length, stream })
    if (storedMs >= 0) sends.sample({ ackedMonotonicMs, sentMonotonicMs, storedMs })
    const last = records.at(-1)!
    this.#acknowledge({ leafHash: last.leafHash, offset: offset + records.length - 1, sequence: Number(last.position) })
    this.#told = null
    this.#works()
  }

  async #send(producer: Producer, records: readonly Pick<StoredRecord, 'bytes'>[]): Promise<Sent> {
    const { compression, key, place } = this.#options
    const { partition, topic } = place
    const messages = messagesOf(records, key, partition)
    const [answer] = await this.#inTime(producer.send({ acks: allInSync, compression, messages, timeout: brokerTimeoutMs, topic }))
    // kafkajs answers nothing for a partition that it does not find, and has sent nothing.
    if (answer?.baseOffset === undefined) throw new TopicReplaced(topic, `partition ${partition} is not there`)
    return { offset: Number(answer.baseOffset), storedMs: Number(answer.logAppendTime ?? -1) }
  }

  /** An answer that takes long makes the stream unavailable; one that takes too long ends the session. */
  async #inTime<Result>(work: Promise<Result>): Promise<Result> {
    const { clock, topic } = this.#options.place
    using _slow: Timer = clock.after(slowMs, () => this.#failed(Object.assign(new Error('no answer yet'), { code: 'ETIMEDOUT' })))
    const hanging = Promise.withResolvers<never>()
    using _hanging: Timer = clock.after(hangingMs, () =>
      hanging.reject(new Fault('kafka_no_answer', 'network', `the brokers of ${topic} have not answered for ${hangingMs} ms`)))
    using _stopped = onAbort(this.#stop.signal, () => hanging.reject(new Fault('closed', 'log', 'the log is closed')))
    work.catch(() => {})
    this.#sending = work
    return await Promise.race([work, hanging.promise])
  }

  #acknowledge(last: Placed): void {
    this.#known = last
    this.#acknowledged = Math.max(this.#acknowledged, last.sequence + 1)
    this.#options.onAcknowledged(last)
    const done = this.#waiting.findIndex(({ sequence }) => sequence >= this.#acknowledged)
    for (const { resolve } of this.#waiting.splice(0, done < 0 ? this.#waiting.length : done)) resolve()
  }

  #works(): void {
    if (this.#failing === null) return
    this.#failing = null
    this.#options.onFailure(null)
  }

  #failed(error: unknown): void {
    if (this.#stop.signal.aborted) return
    const { logger, onFailure, stream } = this.#options
    const code = failureCode(error)
    // What people have to do is told as well when it comes later; what a network does changes with every try.
    if (this.#failing === null || (error instanceof Fault && code !== this.#failing)) {
      logger.warn(`the ${stream} stream does not reach Kafka`, { because: messageOf(error) })
      this.#failing = code
    }
    onFailure({ cause: error, code, syscall: 'produce' })
  }
}
