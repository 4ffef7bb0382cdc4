import { streams, type Stream } from '../../../events/define.ts'
import type { Draft } from '../../../events/envelope.ts'
import { within } from '../../core/clock.ts'
import { Fault } from '../../core/errors.ts'
import type { Backlog, BrokerClock, ClusterBatch, ClusterLog, ClusterReadOptions, CutLocalOptions, LocalCut, LostRange, NodeStream, TopicLost } from '../cluster-log.ts'
import type { CommitFailure } from '../commit-store.ts'
import { NotWritten, type Appended, type AppendOptions, type Availability, type EventLog, type Position, type ReadOptions, type StoredRecord } from '../event-log.ts'
import type { FileLog } from '../file/file-log.ts'
import type { Cut, NodeWriter, SpaceLow } from '../node-log.ts'
import { isUnreachable } from './connection/broker-errors.ts'
import { BacklogGate } from './backlog-gate.ts'
import { BrokersGate } from './brokers-gate.ts'
import { Confirmations, type Confirm } from './confirmations.ts'
import { readCluster } from './reading/cluster-reader.ts'
import type { SourcePlace } from './reading/own-records.ts'
import { readOwnStream, type OwnStream } from './reading/own-stream.ts'
import type { ControlCopy } from './control/control-copy.ts'
import { ControlFollower } from './control/control-follower.ts'
import { restoreControl } from './control/control-restore.ts'
import { joinCluster, topicOf, type Joined, type JoinOptions } from './joining/join-cluster.ts'
import { sourceIn } from './joining/join.ts'
import type { SetAside } from './joining/set-aside.ts'
import { cutStream, type CutParts } from './shipping/local-cut.ts'
import { LostTopicNews } from './shipping/lost-topic-news.ts'
import { keyOf } from './shipping/messages.ts'
import type { Partitions } from './topics/partitions.ts'
import type { ShippedPlaces } from './shipping/shipped-places.ts'
import { Shipper, type Send, type SendTimes } from './shipping/shipper.ts'
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

/** How long an orderly end waits when nobody said otherwise. */
const closeTimeoutMs = 5_000
/** How long it waits at least for what is under way, which a disk that answers nothing would never let end. */
const lastCallsMinMs = 2_000
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
  readonly #confirmations: Confirmations
  readonly #lostTopics = new LostTopicNews()
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
    this.#confirmations = new Confirmations(clock)
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
    return this.#confirmations.confirmed(stream, local, deadlineMs, this.#confirms(stream))
  }

  read(stream: Stream, options: ReadOptions): AsyncIterable<readonly StoredRecord[]> {
    return stream === 'control' ? this.#copy.read(options) : readOwnStream(this.#own(stream), options)
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
    return this.#lostTopics.listen(listener)
  }

  async cutLocal(options: CutLocalOptions): Promise<readonly LocalCut[]> {
    const cuts: LocalCut[] = []
    for (const stream of ['connections', 'operations'] as const) {
      const cut = await cutStream(this.#own(stream), options)
      if (cut !== null) cuts.push(cut)
    }
    return cuts
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
    await this.#follower.catchUp()
    this.#follower.start()
    for (const stream of streams) this.#shippers[stream].start()
    const { backlogMax: max, clock, durableWhen } = this.#options
    if (durableWhen === 'local') this.#resources.use(new BacklogGate({ backlog: () => this.backlog(), clock, gates: this.#gates, max }))
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
    const untilMs = clock.monotonicMs() + timeoutMs
    const leftMs = (leastMs: number): number => Math.max(leastMs, untilMs - clock.monotonicMs())
    const all = this.#confirmations.idle().then(() => this.#shipped())
    const inTime = await within(clock, timeoutMs, all)
    this.#closed.abort()
    this.#confirmations.end()
    const stopped = await within(clock, leftMs(lastCallsMinMs), this.#stop())
    this.#brokers[Symbol.dispose]()
    this.#gates[Symbol.dispose]()
    const written = await this.#file.close(leftMs(0))
    const gaveBack = await within(clock, leftMs(lastCallsMinMs), this.#resources.disposeAsync())
    this.#options.client[Symbol.dispose]()
    return stopped && written && gaveBack && (inTime || this.#options.durableWhen === 'local')
  }

  async #stop(): Promise<void> {
    await Promise.all([this.#follower.stop(), ...streams.map((stream) => this.#shippers[stream].stop())])
    await this.#places.keep()
  }

  /** Resolves when Kafka has everything that the file has. */
  async #shipped(): Promise<void> {
    await Promise.all(streams.map((stream) => this.#shippers[stream].whenAcknowledged(this.#file.end(stream).sequence - 1)))
  }

  /** What makes an append durable after it is on this disk. */
  #confirms(stream: Stream): Confirm {
    if (stream === 'control') return this.#readBack
    return this.#options.durableWhen === 'local' ? null : (appended) => this.#acknowledged(stream, appended)
  }

  readonly #readBack = (appended: readonly Appended[]): Promise<readonly Appended[]> => {
    const source = sourceIn(this.#file.writer, 'control')
    return Promise.all(appended.map(async ({ leafHash, position }) => ({ leafHash, position: await this.#copy.whenHas(source, Number(position), leafHash) })))
  }

  async #acknowledged(stream: Stream, appended: readonly Appended[]): Promise<readonly Appended[]> {
    await this.#shippers[stream].whenAcknowledged(Number(appended.at(-1)!.position))
    return appended
  }

  #shipper(stream: Stream): Shipper {
    const { brokerClock, compression, logger } = this.#options
    const place = this.#place(stream)
    const { partition, topic } = place
    return new Shipper({
      compression, logger, place, stream,
      key: keyOf(stream, this.#file.writer.node),
      known: this.#places.of(stream, topic, partition),
      log: this.#file,
      onAcknowledged: (last) => this.#places.note(stream, { ...last, partition, topic }),
      onFailure: (failure) => this.#shipperFailed(stream, failure),
      onGone: () => this.#makeTopics(),
      onReplaced: (lost) => this.#replaced(stream, lost),
      refill: (send) => this.#refill(stream, send),
      sends: brokerClock,
    })
  }

  #place(stream: Stream): SourcePlace {
    const { client, clock, topics } = this.#options
    const { writer } = this.#file
    return { client, clock, partition: this.#partitions.of(stream, writer.node), source: sourceIn(writer, stream), topic: topics[stream] }
  }

  #own(stream: NodeStream): CutParts & OwnStream {
    const place = this.#place(stream)
    return {
      place, stream,
      closed: this.#closed.signal,
      file: this.#file,
      offsetBefore: (sequence) => this.#places.offsetBefore(stream, place.topic, place.partition, sequence),
      shipped: () => this.#shippers[stream].shipped,
    }
  }

  async #makeTopics(): Promise<void> {
    const counts = await this.#options.prepareTopics()
    const changed = streams.find((stream) => counts[stream] !== this.#partitions.counts[stream])
    if (changed === undefined) return
    throw new Fault(
      'kafka_partitions_changed', 'log',
      `${this.#options.topics[changed]} was made anew with ${counts[changed]} partitions, and had ${this.#partitions.counts[changed]}. Give it as many as before, or restart this node.`,
    )
  }

  #followerFailed(trouble: CommitFailure | null): void {
    this.#gates.set('control', 'topic', trouble)
    if (this.#options.durableWhen === 'kafka') this.#brokers.note(trouble !== null && isUnreachable(trouble.cause) ? trouble : null)
  }

  /** With `local` what is owed to Kafka is bounded instead; a change waits for the cluster in any case. */
  #shipperFailed(stream: Stream, failure: CommitFailure | null): void {
    if (stream === 'control' || this.#options.durableWhen === 'kafka') this.#gates.set(stream, 'shipper', failure)
  }

  #replaced(stream: Stream, lost: LostRange | null): void {
    const topic = this.#options.topics[stream]
    const gone = lost === null ? {} : { lost_first: lost.first, lost_last: lost.last }
    this.#options.logger.error(`${topic} was deleted, made anew or cut: everything that this node has of it is sent again`, gone)
    const records = stream === 'control' ? this.#copy.count : this.#file.end(stream).sequence - this.#file.beginning(stream).sequence
    this.#lostTopics.tell({ lost, records, stream, topic })
  }

  async #refill(stream: Stream, send: Send): Promise<void> {
    this.#places.forgetMarks(stream)
    if (stream !== 'control') return
    this.#follower.restoring()
    this.#follower.restored(await restoreControl(send, this.#copy))
  }
}
