import { streams } from '../../events/define.ts'
import { silentLogger } from '../core/logger.ts'
import { KafkaClient } from '../log/kafka/connection/client.ts'
import { judgeTopic, topicName, type TopicFacts } from '../log/kafka/topics/topic-rules.ts'
import { lookAtTopic } from '../log/kafka/topics/topics.ts'
import type { KafkaOptions } from './kafka-options.ts'

/** Asks the brokers what the topics are like, and judges them as a start would. Creates nothing. */

export interface TopicCheck {
  readonly topic: string
  /** Null: it is not there. */
  readonly facts: TopicFacts | null
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
}

/** Throws a `Fault` that says why the brokers can't be asked. */
export async function checkTopics({ client: options, topics: wanted }: Pick<KafkaOptions, 'client' | 'topics'>): Promise<TopicCheck[]> {
  using client = new KafkaClient({ ...options, clientId: 'waybill-check', logger: silentLogger })
  const checks: TopicCheck[] = []
  for (const stream of streams) {
    const topic = topicName(wanted.prefix, stream)
    const facts = await lookAtTopic(client, stream, wanted)
    const missing = `${topic} is not there: a node that may create topics creates it, or see waybill kafka topics --print`
    checks.push(facts === null ? { facts, problems: [missing], topic, warnings: [] } : { facts, topic, ...judgeTopic(facts, wanted) })
  }
  return checks
}
