import { sleep, type Clock } from '../../../core/clock.ts'
import { Fault } from '../../../core/errors.ts'
import type { Logger } from '../../../core/logger.ts'
import type { CommitFailure } from '../../commit-store.ts'
import { failureCode, isHopeless } from '../connection/broker-errors.ts'
import type { KafkaClient } from '../connection/client.ts'
import { ControlForked, type ControlCopy, type Incoming } from './control-copy.ts'
import type { FetchedMessage } from '../connection/fetch-client.ts'
import { linkOf } from '../reading/own-records.ts'
import { readPartitions, TopicReplaced } from '../reading/partition-reader.ts'

/**
 * Brings the control topic into the node's copy and keeps it there. When the topic is not the one that was read before,
 * it says so and begins anew: what the copy has is recognised and left out.
 */

export interface ControlFollowerOptions {
  readonly client: KafkaClient
  readonly clock: Clock
  readonly copy: ControlCopy
  readonly cluster: string
  readonly logger: Logger
  readonly topic: string
  /** Why the copy may be behind the topic; null: it follows. */
  readonly onTrouble: (trouble: CommitFailure | null) => void
  /** The topic does not hold what was read from it. Whoever is told fills it again, between `restoring` and `restored`. */
  readonly onReplaced: () => void
}

/** Control is one order for all. */
const partition = 0
const retryMs = 500
const foreignToldMax = 20

export class ControlFollower {
  readonly #options: ControlFollowerOptions
  readonly #stop = new AbortController()
  #running: Promise<void> | null = null
  #foreign = 0
  /** The topic is being filled again; the copy counts as behind until it was read to here. */
  #restoring = false
  #isForked = false
  #starting = false
  #troubled = false
  #restoredTo = 0

  constructor(options: ControlFollowerOptions) {
    this.#options = options
  }

  /**
   * Takes what the topic has now. Throws a `Fault` when it belongs to another cluster or may not be read. One that lost
   * something of what the copy has is said to be replaced, and no changes are taken from here on.
   */
  async catchUp(): Promise<void> {
    this.#starting = true
    try {
      await this.#catchUp()
      const { copy: { missing }, topic } = this.#options
      if (missing > 0) this.#replaced(new TopicReplaced(topic, `it lacks ${missing} records that this node has`))
    } catch (error) {
      if (error instanceof ControlForked) this.#forked(error)
      else if (error instanceof TopicReplaced) this.#replaced(error)
      else throw error
    } finally {
      this.#starting = false
    }
  }

  async #catchUp(): Promise<void> {
    const { cluster, copy, topic } = this.#options
    for await (const { messages } of this.#read(false)) {
      // Whose topic it is says its first record; what others put between is passed over.
      const stranger = copy.count === 0 ? messages.map(clusterOf).find((its) => its !== null) : undefined
      if (stranger !== undefined && stranger !== cluster) {
        throw new Fault(
          'kafka_of_another_cluster', 'settings',
          `the topic ${topic} holds the records of cluster "${stranger}", this node is of cluster "${cluster}". ` +
            'Set the cluster name (--cluster), or other topics (--topic-prefix).',
        )
      }
      await copy.take(this.#ours(messages), this.#stop.signal)
    }
  }

  start(): void {
    if (!this.#isForked) this.#running ??= this.#run()
  }

  /** The topic is filled again from the copy: until `restored`, what it has is not what counts. */
  restoring(): void {
    this.#restoring = true
    this.#restoredTo = Infinity
    this.#options.onTrouble({ code: 'TOPIC_REPLACED', syscall: 'fetch' })
  }

  /** It has everything again, before this offset. */
  restored(end: number): void {
    const { place } = this.#options.copy
    this.#restoredTo = end
    // What was sent may be read before it is acknowledged; then nothing more comes that would settle it.
    this.#settle(place === null ? 0 : place.offset + 1)
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock, copy } = this.#options
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        for await (const { messages, next } of this.#read(true)) {
          await copy.take(this.#ours(messages), signal)
          this.#settle(next)
        }
      } catch (error) {
        if (error instanceof ControlForked) return this.#forked(error)
        if (!(error instanceof TopicReplaced)) throw error
        this.#replaced(error)
        await sleep(clock, retryMs, signal)
      }
    }
  }

  /** From behind what was read, if it is still there. */
  #read(follow: boolean): ReturnType<typeof readPartitions> {
    const { client, clock, copy, topic } = this.#options
    const { place } = copy
    return readPartitions({
      client, clock, follow, topic,
      from: new Map([[partition, place === null ? 0 : place.offset + 1]]),
      ...(place === null ? {} : { known: new Map([[partition, place]]) }),
      onReachable: (problem) => this.#reachable(problem),
      signal: this.#stop.signal,
    })
  }

  /** For good: what is in force here is not what is in force elsewhere, and only people can say which is right. */
  #forked(error: ControlForked): void {
    this.#isForked = true
    this.#options.logger.error(error.message)
    this.#options.onTrouble({ cause: error, code: 'CONTROL_FORKED', syscall: 'fetch' })
  }

  #replaced(error: TopicReplaced): void {
    const { copy, logger, onReplaced, topic } = this.#options
    copy.forgetPlace()
    // Once it was filled it can be lost again, before it was read to there.
    if (this.#restoring && this.#restoredTo === Infinity) return
    logger.error(`${topic} is not the topic that was read before: the configuration stays as it is until it is filled again`, { because: error.message })
    this.restoring()
    onReplaced()
  }

  #reachable(problem: unknown): void {
    // There is nobody yet who could be told otherwise; what may mend itself is waited for.
    if (this.#starting && isHopeless(problem)) throw this.#options.client.faultOf(problem)
    if (this.#restoring) return
    if ((problem === null) === this.#troubled) this.#tellOf(problem)
    this.#options.onTrouble(problem === null ? null : { cause: problem, code: failureCode(problem), syscall: 'fetch' })
  }

  #tellOf(problem: unknown): void {
    const { client, logger, topic } = this.#options
    this.#troubled = problem !== null
    if (problem === null) logger.info(`${topic} is read again`)
    else logger.warn(`${topic} can't be read`, { because: client.faultOf(problem).message })
  }

  #settle(next: number): void {
    if (!this.#restoring || next < this.#restoredTo) return
    this.#restoring = false
    this.#options.onTrouble(null)
  }

  #ours(messages: readonly FetchedMessage[]): Incoming[] {
    const incoming: Incoming[] = []
    for (const message of messages) {
      if (message.value !== null && clusterOf(message) === this.#options.cluster) {
        incoming.push({ bytes: message.value, offset: message.offset })
        continue
      }
      this.#foreign += 1
      // Whoever may write there could fill our own log with complaints.
      if (this.#foreign > foreignToldMax) continue
      this.#options.logger.error('a message in the control topic is no record of this cluster: it is passed over', {
        offset: message.offset, topic: this.#options.topic,
      })
    }
    return incoming
  }
}

/** Null: it is no record. */
function clusterOf({ value }: FetchedMessage): string | null {
  const link = value === null ? null : linkOf(value)
  return link === null ? null : (/^\/clusters\/([^/]+)\/nodes\//.exec(link.source)?.[1] ?? null)
}
