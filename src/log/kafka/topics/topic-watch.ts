import type { Clock, Timer } from '../../../core/clock.ts'
import { Fault } from '../../../core/errors.ts'
import { streams } from '../../../../events/define.ts'
import type { KafkaClient } from '../connection/client.ts'
import { lookAtTopic } from './topics.ts'
import { judgeTopic, topicName, type TopicFacts, type WantedTopics } from './topic-rules.ts'

/** Looks at the topics again each day, because whoever runs the brokers may change settings while nodes run. */

export interface TopicWatchOptions {
  readonly client: KafkaClient
  readonly clock: Clock
  readonly wanted: WantedTopics
  /** As they were at the start. */
  readonly facts: readonly TopicFacts[]
  /** Told of each topic that is not what it was; `problems` says what is wrong with it now, if anything. */
  readonly onChanged: (facts: TopicFacts, problems: readonly string[]) => void
  /** Told why a look was not possible; it is tried again within the hour. */
  readonly onFailure: (fault: Fault) => void
}

export const lookEveryMs = 86_400_000
const retryMs = 600_000

export class TopicWatch implements Disposable {
  readonly #options: TopicWatchOptions
  readonly #known: Map<string, TopicFacts>
  #timer: Timer | null = null
  #disposed = false

  constructor(options: TopicWatchOptions) {
    this.#options = options
    this.#known = new Map(options.facts.map((facts) => [facts.topic, facts]))
    this.#lookAfter(lookEveryMs)
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    this.#timer?.[Symbol.dispose]()
  }

  #lookAfter(ms: number): void {
    if (this.#disposed) return
    this.#timer = this.#options.clock.after(ms, () => void this.#look())
  }

  async #look(): Promise<void> {
    const { client, onFailure, wanted } = this.#options
    try {
      for (const stream of streams) {
        const topic = topicName(wanted.prefix, stream)
        const seen = await lookAtTopic(client, stream, wanted)
        if (this.#disposed) return
        this.#compare(seen ?? { partitions: 0, replicas: 0, settings: [], stream, topic })
      }
      this.#lookAfter(lookEveryMs)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      if (!this.#disposed) onFailure(error)
      this.#lookAfter(retryMs)
    }
  }

  #compare(now: TopicFacts): void {
    const before = this.#known.get(now.topic)
    if (before !== undefined && isSame(before, now)) return
    this.#known.set(now.topic, now)
    this.#options.onChanged(now, problemsSince(before, now, this.#options.wanted))
  }
}

function isSame(one: TopicFacts, other: TopicFacts): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

function problemsSince(before: TopicFacts | undefined, now: TopicFacts, wanted: WantedTopics): readonly string[] {
  if (now.partitions === 0) return [`${now.topic}: it is not there any more`]
  const { problems } = judgeTopic(now, wanted)
  if (before === undefined || before.partitions === now.partitions || before.partitions === 0) return problems
  const counts = `it had ${before.partitions} partitions and has ${now.partitions}`
  return [...problems, `${now.topic}: ${counts}: nodes that start now write to other partitions than before; don't change their number again`]
}
