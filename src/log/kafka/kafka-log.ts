import { streams, type Stream } from '../../../events/define.ts'
import type { Draft } from '../../../events/envelope.ts'
import { within } from '../../core/clock.ts'
import { Fault } from '../../core/errors.ts'
import type { Backlog, BrokerClock, ClusterBatch, ClusterLog, ClusterReadOptions, NodeStream } from '../cluster-log.ts'
import type { CommitFailure } from '../commit-store.ts'
import { NotWritten, Unsettled, type Appended, type AppendOptions, type Availability, type EventLog, type Position, type ReadOptions, type StoredRecord } from '../event-log.ts'
import type { FileLog } from '../file/file-log.ts'
import type { Cut, NodeWriter, SpaceLow } from '../node-log.ts'
import { isUnreachable } from './broker-errors.ts'
import { BrokersGate } from './brokers-gate.ts'
import { readCluster } from './cluster-reader.ts'
import type { ControlCopy } from './control-copy.ts'
import { ControlFollower } from './control-follower.ts'
import { restoreControl } from './control-restore.ts'
import { joinCluster, topicOf, type Joined, type JoinOptions, type SetAside } from './join-cluster.ts'
import { sourceIn } from './join.ts'
import { keyOf } from './messages.ts'
import type { Partitions } from './partitions.ts'
import type { ShippedPlaces } from './shipped-places.ts'
import { Shipper, type Send, type SendTimes } from './shipper.ts'
import { StreamGates } from './stream-gates.ts'

/**
 * The log of a node in a cluster: its own log in files first, as without a cluster; shippers that carry it to Kafka; and
 * a copy of control as the cluster has it. Control is durable when it was read back; the rest when Kafka has acknowledged
 * it, or with `durableWhen: local` when it is on this disk.
 */

export interface KafkaLogOptions extends JoinOptions {
  readonly durableWhen: 'kafka' | 'local'
  /** With `local`: how much may be owed to Kafka before clients are refused. */
  readonly backlogMax: { readonly records: number; readonly ms: number }
  /** Kafka's number of the codec. */
  readonly compression: number
  readonly brokerClock: BrokerClock & SendTimes
}

/** A topic that was deleted, made anew or cut, and is being filled again. */
export interface TopicLost {
  /** Records that this node has of it. */
  readonly records: number
  readonly stream: Stream
  readonly topic: string
}

/** How long an orderly end waits when nobody said otherwise. */
const closeTimeoutMs = 5_000
const backlogLookMs = 250
/** How long a start waits for the cluster to take changes that this node has already made. */
const ownControlMs = 30_000

export class KafkaLog implements ClusterLog {
  readonly brokerClock: BrokerClock
  readonly setAside: SetAside | null
  readonly takenBack: number
  readonly #options: KafkaLogOptions
  readonly #file: FileLog
  readonly #copy: ControlCopy
  readonly #follower: ControlFollower
  readonly #gates: StreamGates
  readonly #brokers: BrokersGate
  readonly #places: ShippedPlaces
  readonly #partitions: Partitions
  readonly #shippers: Readonly<Record<Stream, Shipper>>
  readonly #closed = new AbortController()
  readonly #pending = new Set<Promise<unknown>>()
  readonly #onTopicLost = new Set<(lost: TopicLost) => void>()
  readonly #resources = new AsyncDisposableStack()
  #closing: Promise<boolean> | null = null

  /** Takes the folder and joins the cluster. Throws as `FileLog.open`, and `Fault`s that say why it can't join. */
  static async open(options: KafkaLogOptions): Promise<KafkaLog> {
    // The gates exist only later, and the copy is not written before that.
    let onCopyFailure: (failure: CommitFailure | null) => void = () => {}
    const log = new KafkaLog(options, await joinCluster(options, (failure) => onCopyFailure(failure)))
    onCopyFailure = (failure) => log.#gates.set('control', 'copy', failure)
    try {
      await log.#begin()
    } catch (error) {
      await log.close(0)
      throw error
    }
    return log
  }

  private constructor(options: KafkaLogOptions, joined: Joined) {
    const { client, clock, logger, topics } = options
    this.#options = options
    this.brokerClock = options.brokerClock
    this.setAside = joined.setAside
    this.takenBack = joined.takenBack
    this.#file = joined.file
    this.#copy = joined.copy
    this.#places = joined.places
    this.#partitions = joined.partitions
    this.#gates = new StreamGates(clock, joined.file)
    this.#brokers = new BrokersGate(clock, this.#gates)
    this.#follower = new ControlFollower({
      client, clock, logger,
      cluster: joined.file.writer.cluster,
      copy: joined.copy,
      onReplaced: () => this.#shippers.control.distrust(),
      onTrouble: (trouble) => this.#followerFailed(trouble),
      topic: topics.control,
    })
    this.#shippers = { control: this.#shipper('control'), connections: this.#shipper('connections'), operations: this.#shipper('operations') }
    this.#resources.use(joined.copy)
  }

  get writer(): NodeWriter {
    const { writer } = this.#file
    return this.takenBack > 0 ? { ...writer, isNew: false } : writer
  }
  get cuts(): readonly Cut[] {
    return this.#file.cuts
  }

  append(stream: Stream, drafts: readonly [Draft, ...Draft[]], options: AppendOptions): Promise<readonly Appended[]> {
    if (this.#closing !== null) return Promise.reject(new NotWritten('closed', `not written to the ${stream} stream: the log is closed`))
    const against = options.purpose === 'admission' ? this.#gates.against(stream) : null
    if (against !== null) return Promise.reject(against)
    const deadlineMs = options.timeoutMs === undefined ? Infinity : this.#options.clock.monotonicMs() + options.timeoutMs
    const local = this.#file.append(stream, drafts, options)
    if (stream === 'control') return this.#tracked(this.#readBack(local, deadlineMs))
    if (this.#options.durableWhen === 'local') return this.#tracked(local)
    return this.#tracked(this.#acknowledged(stream, local, deadlineMs))
  }

  read(stream: Stream, options: ReadOptions): AsyncIterable<readonly StoredRecord[]> {
    return stream === 'control' ? this.#copy.read(options) : this.#file.read(stream, options)
  }

  readAll(stream: NodeStream, options: ClusterReadOptions): AsyncIterable<ClusterBatch> {
    return readCluster(topicOf(this.#options, this.#partitions, stream, this.#closed.signal), options)
  }

  head(stream: Stream): Position | null {
    return stream === 'control' ? this.#copy.head() : this.#file.head(stream)
  }

  availability(stream?: Stream): Availability {
    return this.#gates.availability(stream)
  }
  onAvailability(listener: Parameters<EventLog['onAvailability']>[0]): Disposable {
    return this.#gates.onAvailability(listener)
  }
  onSpaceLow(listener: (space: SpaceLow) => void): Disposable {
    return this.#file.onSpaceLow(listener)
  }
  onTopicLost(listener: (lost: TopicLost) => void): Disposable {
    this.#onTopicLost.add(listener)
    return { [Symbol.dispose]: () => void this.#onTopicLost.delete(listener) }
  }

  backlog(): Backlog {
    let records = 0
    let oldestMs = 0
    for (const stream of streams) {
      const owed = this.#file.end(stream).sequence - this.#shippers[stream].acknowledged
      records += owed
      if (owed > 0) oldestMs = Math.max(oldestMs, this.#shippers[stream].waitedMs)
    }
    return { oldestMs, records }
  }

  close(timeoutMs: number): Promise<boolean> {
    this.#closing ??= this.#close(timeoutMs)
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(closeTimeoutMs)
  }

  /** Throws a `Fault` when the topic is not of this cluster. */
  async #begin(): Promise<void> {
    const { clock } = this.#options
    await this.#follower.catchUp()
    this.#follower.start()
    for (const stream of streams) this.#shippers[stream].start()
    if (this.#options.durableWhen === 'local') this.#resources.use(clock.every(backlogLookMs, () => this.#lookAtBacklog()))
    await this.#ownControl()
  }

  /** Changes that an earlier life did not get to the cluster, or those of a log that joins one: they are in force only when read back. */
  async #ownControl(): Promise<void> {
    const source = sourceIn(this.#file.writer, 'control')
    const { prevhash, sequence: end } = this.#file.end('control')
    if (this.#copy.next(source) >= end) return
    await within(this.#options.clock, ownControlMs, this.#copy.whenHas(source, end - 1, prevhash))
  }

  async #close(timeoutMs: number): Promise<boolean> {
    const { clock } = this.#options
    const startedMs = clock.monotonicMs()
    const all = Promise.allSettled(this.#pending).then(() => this.#shipped())
    const inTime = await within(clock, timeoutMs, all)
    this.#closed.abort()
    await Promise.all([this.#follower.stop(), ...streams.map((stream) => this.#shippers[stream].stop())])
    await this.#places.keep()
    this.#brokers[Symbol.dispose]()
    this.#gates[Symbol.dispose]()
    const leftMs = Math.max(0, timeoutMs - (clock.monotonicMs() - startedMs))
    const written = await this.#file.close(leftMs)
    await this.#resources.disposeAsync()
    this.#options.client[Symbol.dispose]()
    return written && (inTime || this.#options.durableWhen === 'local')
  }

  /** Resolves when Kafka has everything that the file has. */
  async #shipped(): Promise<void> {
    await Promise.all(streams.map((stream) => this.#shippers[stream].whenAcknowledged(this.#file.end(stream).sequence - 1)))
  }

  #tracked(promise: Promise<readonly Appended[]>): Promise<readonly Appended[]> {
    this.#pending.add(promise)
    const forget = (): void => void this.#pending.delete(promise)
    promise.then(forget, forget)
    return promise
  }

  async #readBack(local: Promise<readonly Appended[]>, deadlineMs: number): Promise<readonly Appended[]> {
    const appended = await local
    const source = sourceIn(this.#file.writer, 'control')
    const back = Promise.all(appended.map(async ({ leafHash, position }) => ({ leafHash, position: await this.#copy.whenHas(source, Number(position), leafHash) })))
    return this.#before(deadlineMs, 'control', back)
  }

  async #acknowledged(stream: Stream, local: Promise<readonly Appended[]>, deadlineMs: number): Promise<readonly Appended[]> {
    const appended = await local
    await this.#before(deadlineMs, stream, this.#shippers[stream].whenAcknowledged(Number(appended.at(-1)!.position)))
    return appended
  }

  /** Rejects with `Unsettled` at the deadline, or when the log is closed: what is on this disk will be in Kafka. */
  async #before<Result>(deadlineMs: number, stream: Stream, work: Promise<Result>): Promise<Result> {
    const { clock } = this.#options
    const late = Promise.withResolvers<never>()
    const refuse = (because: string) => (): void => late.reject(new Unsettled(`on this node's disk for the ${stream} stream, and not confirmed by Kafka: ${because}`))
    using _timer = deadlineMs === Infinity ? undefined : clock.after(Math.max(0, deadlineMs - clock.monotonicMs()), refuse('it takes too long'))
    const closed = refuse('the log was closed')
    this.#closed.signal.addEventListener('abort', closed, { once: true })
    if (this.#closed.signal.aborted) closed()
    try {
      return await Promise.race([work, late.promise])
    } finally {
      this.#closed.signal.removeEventListener('abort', closed)
    }
  }

  #shipper(stream: Stream): Shipper {
    const { brokerClock, client, clock, compression, logger, topics } = this.#options
    const { writer } = this.#file
    const partition = this.#partitions.of(stream, writer.node)
    const topic = topics[stream]
    return new Shipper({
      compression, logger, stream,
      key: keyOf(stream, writer.node),
      end: () => this.#file.end(stream).sequence,
      known: this.#places.of(stream, topic, partition),
      log: this.#file,
      onAcknowledged: (last) => this.#places.note(stream, { ...last, partition, topic }),
      onFailure: (failure) => this.#shipperFailed(stream, failure),
      onGone: () => this.#makeTopics(),
      onReplaced: (send) => this.#replaced(stream, send),
      place: { client, clock, partition, source: sourceIn(writer, stream), topic },
      sends: brokerClock,
    })
  }

  async #makeTopics(): Promise<void> {
    const counts = await this.#options.prepareTopics()
    for (const stream of streams) {
      if (counts[stream] === this.#partitions.counts[stream]) continue
      throw new Fault(
        'kafka_partitions_changed', 'log',
        `${this.#options.topics[stream]} was made anew with ${counts[stream]} partitions, and had ${this.#partitions.counts[stream]}. Give it as many as before, or restart this node.`,
      )
    }
  }

  #followerFailed(trouble: CommitFailure | null): void {
    this.#gates.set('control', 'topic', trouble)
    if (this.#options.durableWhen === 'kafka') this.#brokers.note(trouble !== null && isUnreachable(trouble.cause) ? trouble : null)
  }

  /** With `local` what is owed to Kafka is bounded instead; a change waits for the cluster in any case. */
  #shipperFailed(stream: Stream, failure: CommitFailure | null): void {
    if (stream === 'control' || this.#options.durableWhen === 'kafka') this.#gates.set(stream, 'shipper', failure)
  }

  #lookAtBacklog(): void {
    const { backlogMax } = this.#options
    const { oldestMs, records } = this.backlog()
    const full = records > backlogMax.records || oldestMs > backlogMax.ms
    const reason = full ? { code: 'BACKLOG_FULL', syscall: 'produce' } : null
    for (const stream of ['connections', 'operations'] as const) this.#gates.set(stream, 'backlog', reason)
  }

  async #replaced(stream: Stream, send: Send): Promise<void> {
    const { logger, topics } = this.#options
    logger.error(`${topics[stream]} was deleted, made anew or cut: everything that this node has of it is sent again`)
    const records = stream === 'control' ? this.#copy.count : this.#file.end(stream).sequence
    for (const listener of this.#onTopicLost) listener({ records, stream, topic: topics[stream] })
    if (stream !== 'control') return
    this.#follower.restoring()
    this.#follower.restored(await restoreControl(send, this.#copy))
  }
}
