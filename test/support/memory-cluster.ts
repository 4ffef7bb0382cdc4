import { leafHash } from '../../events/chain.ts'
import type { Stream } from '../../events/define.ts'
import type { Draft } from '../../events/envelope.ts'
import type { Clock } from '../../src/core/clock.ts'
import type { MakeId } from '../../src/core/ids.ts'
import type {
  Backlog, BrokerClock, ClusterBatch, ClusterLog, ClusterPosition, ClusterReadOptions, ClusterRecord, CutLocalOptions, LocalCut, NodeStream, TopicLost,
} from '../../src/log/cluster-log.ts'
import type { AppendOptions, Appended, Position } from '../../src/log/event-log.ts'
import { LostTopicNews } from '../../src/log/kafka/shipping/lost-topic-news.ts'
import { MemoryLog } from '../../src/log/memory.ts'

/**
 * Nodes on memory logs whose connections and operations also land in topics that all of them read: what a cluster's log
 * does for folds and the API. Each topic is one partition, and control stays each node's own. No test of Kafka.
 */
export class MemoryCluster {
  readonly #clock: Clock
  readonly #makeId: MakeId
  readonly #topics: Record<NodeStream, ClusterRecord[]> = { connections: [], operations: [] }
  #grown = Promise.withResolvers<void>()
  /** Readers get nothing new, and wait. */
  #silent = false
  /** Reads so far, by topic. */
  readonly reads: { readonly stream: NodeStream; readonly options: ClusterReadOptions }[] = []

  constructor(clock: Clock, makeId: MakeId) {
    this.#clock = clock
    this.#makeId = makeId
  }

  node(name: string): MemoryClusterLog {
    return new MemoryClusterLog(this, { clock: this.#clock, makeId: this.#makeId, cluster: 'test', node: name })
  }

  /** As a producer would, whoever it is. */
  put(stream: NodeStream, bytes: Uint8Array, storedMs: number = this.#clock.now()): void {
    this.#topics[stream].push({ bytes, leafHash: leafHash(bytes), storedMs })
    this.#wake()
  }

  /** Test control: the last records once more, as a send leaves them that is repeated now. */
  repeat(stream: NodeStream, count: number): void {
    const storedMs = this.#clock.now()
    this.#topics[stream].push(...this.#topics[stream].slice(-count).map((record) => ({ ...record, storedMs })))
    this.#wake()
  }

  /** Test control: readers get no records until disposed. */
  silence(): Disposable {
    this.#silent = true
    return {
      [Symbol.dispose]: () => {
        this.#silent = false
        this.#wake()
      },
    }
  }

  async *readAll(stream: NodeStream, options: ClusterReadOptions, closed: AbortSignal): AsyncGenerator<ClusterBatch> {
    this.reads.push({ stream, options })
    const { follow, from, signal } = options
    const topic = this.#topics[stream]
    const until = signal === undefined ? closed : AbortSignal.any([closed, signal])
    let next = firstOf(topic, from)
    const end = follow ? Infinity : topic.length
    while (next < end && !until.aborted) {
      const records = this.#silent ? [] : topic.slice(next, Math.min(end, next + 3))
      if (records.length > 0) {
        next += records.length
        yield { records, position: String(next) as ClusterPosition }
      } else await Promise.race([this.#grown.promise, aborted(until)])
    }
  }

  #wake(): void {
    this.#grown.resolve()
    this.#grown = Promise.withResolvers()
  }
}

export class MemoryClusterLog extends MemoryLog implements ClusterLog {
  readonly #cluster: MemoryCluster
  readonly #closed = new AbortController()
  readonly #carried: Record<NodeStream, Position | null> = { connections: null, operations: null }
  readonly #lostTopics = new LostTopicNews()
  readonly clockNow: { skewMs: number | null } = { skewMs: 0 }
  /** Test control: what every `cutLocal` finds to cut. */
  toCut: readonly LocalCut[] = []
  /** `beforeMs` of each `cutLocal`. */
  readonly cutsAsked: number[] = []

  constructor(cluster: MemoryCluster, options: ConstructorParameters<typeof MemoryLog>[0]) {
    super(options)
    this.#cluster = cluster
  }

  get brokerClock(): BrokerClock {
    return { skewMs: this.clockNow.skewMs, uncertaintyMs: 0, onEstimate: () => ({ [Symbol.dispose]: () => {} }) }
  }

  backlog(): Backlog {
    return { records: 0, oldestMs: 0 }
  }

  async cutLocal({ beforeMs, record }: CutLocalOptions): Promise<readonly LocalCut[]> {
    this.cutsAsked.push(beforeMs)
    for (const cut of this.toCut) await record(cut)
    return this.toCut
  }

  onTopicLost(listener: (lost: TopicLost) => void): Disposable {
    return this.#lostTopics.listen(listener)
  }

  /** Test control. */
  loseTopic(lost: TopicLost): void {
    this.#lostTopics.tell(lost)
  }

  override async append(stream: Stream, drafts: readonly [Draft, ...Draft[]], options: AppendOptions): Promise<readonly Appended[]> {
    const appended = await super.append(stream, drafts, options)
    if (stream !== 'control') await this.#carry(stream)
    return appended
  }

  readAll(stream: NodeStream, options: ClusterReadOptions): AsyncIterable<ClusterBatch> {
    return this.#cluster.readAll(stream, options, this.#closed.signal)
  }

  override async close(timeoutMs: number): Promise<boolean> {
    this.#closed.abort()
    return super.close(timeoutMs)
  }

  async #carry(stream: NodeStream): Promise<void> {
    for await (const batch of this.read(stream, { after: this.#carried[stream], follow: false })) {
      for (const { bytes, position } of batch) {
        if (this.#carried[stream] !== null && Number(position) <= Number(this.#carried[stream])) continue
        this.#carried[stream] = position
        this.#cluster.put(stream, bytes)
      }
    }
  }
}

function firstOf(topic: readonly ClusterRecord[], from: ClusterReadOptions['from']): number {
  if (from === 'beginning') return 0
  if ('after' in from) return Number(from.after)
  const first = topic.findIndex(({ storedMs }) => storedMs >= from.storedSinceMs)
  return first < 0 ? topic.length : first
}

function aborted(signal: AbortSignal): Promise<void> {
  return signal.aborted ? Promise.resolve() : new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
