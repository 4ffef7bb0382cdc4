import type { Producer } from 'kafkajs'
import type { Stream } from '../../../events/define.ts'
import { sleep, type Timer } from '../../core/clock.ts'
import { Fault, messageOf } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import type { CommitFailure } from '../commit-store.ts'
import type { EventLog, Position, StoredRecord } from '../event-log.ts'
import { positionOf } from '../recent-records.ts'
import type { AcknowledgedSend } from './broker-clock.ts'
import { allInSync, messagesOf, sendBytesMax } from './messages.ts'
import { findNewTail, findTail, type Placed, type SourcePlace, type Tail } from './own-records.ts'
import { failureCode } from './broker-errors.ts'
import { Absence, orAborted, TopicReplaced } from './partition-reader.ts'
import { SendQueue } from './send-queue.ts'

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
  readonly log: Pick<EventLog, 'read'>
  /** Sequence behind the last record of that log. */
  readonly end: () => number
  readonly logger: Logger
  readonly compression: number
  /** The last record that was seen in the partition, from an earlier life. */
  readonly known: Placed | null
  readonly sends: SendTimes
  /** Told what was acknowledged, with its place. */
  readonly onAcknowledged: (last: Placed) => void
  /** Told when sends begin to fail or work again. */
  readonly onFailure: (failure: CommitFailure | null) => void
  /** The topic is gone: it has to be there when this resolves. */
  readonly onGone: () => Promise<void>
  /** The topic is there and not what it was: it has to hold again what others can't send, when this resolves. */
  readonly onReplaced: (send: Send) => Promise<void>
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
  readonly #absence: Absence
  readonly #waiting: { readonly sequence: number; readonly resolve: () => void }[] = []
  #known: Placed | null
  /** Sequence behind the last acknowledged record. */
  #acknowledged = 0
  /** Of the oldest record that waits to be acknowledged. */
  #oldestMs: number | null = null
  #failing = false
  #distrusted = false
  /** The last call that was made of a producer. */
  #sending: Promise<unknown> = Promise.resolve()
  /** Ends the session that runs. */
  #again = new AbortController()
  #running: Promise<void> | null = null

  constructor(options: ShipperOptions) {
    this.#options = options
    this.#absence = new Absence(options.place.clock)
    this.#known = options.known
    this.#acknowledged = options.known === null ? 0 : options.known.sequence + 1
  }

  /** How many records of the source the cluster has. */
  get acknowledged(): number {
    return this.#acknowledged
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
        this.#failed(error)
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
      await this.#ship(producer, await this.#begin(producer))
    } finally {
      abandon(producer, this.#sending)
    }
  }

  /** Looks at what the partition has. Answers behind which record to go on. */
  async #begin(producer: Producer): Promise<Position | null> {
    const { end, onReplaced, place } = this.#options
    const { contradicted, last, replaced } = await this.#tail()
    if (this.#stop.signal.aborted) return null
    if (contradicted !== null || (last !== null && !(await this.#isOurs(last)))) {
      throw new Fault(
        'log_contradicted', 'log',
        `${place.topic} holds another record ${contradicted ?? last?.sequence} of ${place.source} than this node's own log. Two processes write as ` +
          'one node from copies of one folder: stop one of them and start it with an empty folder and another name.',
      )
    }
    // Until it was filled again to the end, whatever comes between.
    if (replaced) this.#distrusted = true
    if (this.#distrusted) await onReplaced((records) => this.#send(producer, records))
    this.#distrusted = false
    this.#known = last
    if (last !== null) this.#acknowledge(last)
    // While something is owed, only an acknowledgement says that sending works.
    if (end() === (last === null ? 0 : last.sequence + 1)) this.#works()
    return last === null ? null : positionOf(last.sequence)
  }

  async #isOurs({ leafHash, sequence }: Placed): Promise<boolean> {
    const { log, stream } = this.#options
    const after = sequence === 0 ? null : positionOf(sequence - 1)
    for await (const [ours] of log.read(stream, { after, follow: false })) return ours?.leafHash === leafHash
    return false
  }

  async #tail(): Promise<Tail> {
    const place = { ...this.#options.place, signal: this.#stop.signal }
    try {
      const tail = await findTail(place, this.#known)
      this.#absence.end()
      return tail
    } catch (error) {
      if (!(error instanceof TopicReplaced) && !this.#absence.isFinal(error)) throw error
      await orAborted(this.#options.onGone(), this.#stop.signal)
      return findNewTail(place)
    }
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
    const { place, sends } = this.#options
    const sentMonotonicMs = place.clock.monotonicMs()
    const { offset, storedMs } = await this.#send(producer, records)
    if (this.#known !== null && offset <= this.#known.offset) throw new TopicReplaced(place.topic, 'it ended before what was written there')
    if (storedMs >= 0) sends.sample({ ackedMonotonicMs: place.clock.monotonicMs(), sentMonotonicMs, storedMs })
    const last = records.at(-1)!
    this.#acknowledge({ leafHash: last.leafHash, offset: offset + records.length - 1, sequence: Number(last.position) })
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
    if (!this.#failing) return
    this.#failing = false
    this.#options.onFailure(null)
  }

  #failed(error: unknown): void {
    if (this.#stop.signal.aborted) return
    const { logger, onFailure, stream } = this.#options
    if (!this.#failing) logger.warn(`the ${stream} stream does not reach Kafka`, { because: messageOf(error) })
    this.#failing = true
    onFailure({ cause: error, code: failureCode(error), syscall: 'produce' })
  }
}

/**
 * In its own time: what it has on its way lands as a repeat, or never. A send that still tries connects again behind a
 * disconnect; so once more when it has given up.
 */
function abandon(producer: Producer, sending: Promise<unknown>): void {
  const disconnect = (): void => void producer.disconnect().catch(() => {})
  disconnect()
  sending.then(disconnect, disconnect)
}

function onAbort(signal: AbortSignal, run: () => void): Disposable {
  if (signal.aborted) run()
  signal.addEventListener('abort', run, { once: true })
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', run) }
}
