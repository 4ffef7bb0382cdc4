import type { Stream } from '../../../../events/define.ts'
import { streams } from '../../../../events/define.ts'
import { sleep, type Clock } from '../../../core/clock.ts'
import { Fault } from '../../../core/errors.ts'
import { typeOf } from '../connection/broker-errors.ts'
import type { KafkaClient } from '../connection/client.ts'
import { notAuthorized } from '../connection/client-faults.ts'
import { judgedSettings, judgeTopic, newTopic, replicasWanted, topicName, type TopicFacts, type WantedTopics } from './topic-rules.ts'

/** Makes the topics that are missing, and looks at those that are there: a node starts only on topics that lose nothing. */

export interface TopicPorts {
  readonly client: KafkaClient
  readonly clock: Clock
}

export interface PreparedTopics {
  /** In the order of `streams`. */
  readonly facts: readonly TopicFacts[]
  /** Names of those that were not there. */
  readonly created: readonly string[]
  readonly warnings: readonly string[]
}

/** Shorter than a request may take, so that the broker gives up first. */
const createTimeoutMs = 4_000
/** A new topic is known to every broker after moments. */
const lookTriesMax = 40
const lookGapMs = 250

/** Throws a `Fault`: `kafka_topics_unsafe`, `kafka_topics_missing`, `kafka_not_authorized`, or why the brokers can't be asked. */
export async function prepareTopics(ports: TopicPorts, wanted: WantedTopics): Promise<PreparedTopics> {
  const created: string[] = []
  const facts: TopicFacts[] = []
  for (const stream of streams) {
    const seen = await lookAtTopic(ports.client, stream, wanted)
    if (seen === null) {
      await createTopic(ports.client, stream, wanted)
      created.push(topicName(wanted.prefix, stream))
    }
    facts.push(seen ?? (await waitForTopic(ports, stream, wanted)))
    await refuseUnreadable(ports.client, topicName(wanted.prefix, stream))
  }
  const judged = facts.map((each) => judgeTopic(each, wanted))
  const problems = judged.flatMap((each) => each.problems)
  if (problems.length > 0) throw unsafe(problems)
  return { created, facts, warnings: judged.flatMap(({ warnings }) => warnings) }
}

export function partitionCounts(facts: readonly TopicFacts[]): Readonly<Record<Stream, number>> {
  return Object.fromEntries(facts.map(({ partitions, stream }) => [stream, partitions])) as Record<Stream, number>
}

export function unsafe(problems: readonly string[]): Fault {
  const settings = problems.length === 1 ? 'a topic would lose records or could not be used' : 'topics would lose records or could not be used'
  return new Fault('kafka_topics_unsafe', 'log', `${settings}:\n${problems.join('\n')}`)
}

/** What the brokers say of the stream's topic; null: it is not there. */
export async function lookAtTopic(client: KafkaClient, stream: Stream, wanted: WantedTopics): Promise<TopicFacts | null> {
  const topic = topicName(wanted.prefix, stream)
  const reading = client.topicClient(topic)
  try {
    await reading.connect()
    const { partitions, replicas, values } = await reading.look(judgedSettings)
    const settings = judgedSettings.flatMap((name) => (values.has(name) ? [{ name, value: values.get(name)! }] : []))
    return { partitions, replicas, settings, stream, topic }
  } catch (error) {
    const type = typeOf(error)
    if (type === 'UNKNOWN_TOPIC_OR_PARTITION') return null
    if (type === 'TOPIC_AUTHORIZATION_FAILED') throw notAuthorized(`to describe the topic ${topic} and its settings`, error)
    throw client.faultOf(error)
  } finally {
    void reading.disconnect()
  }
}

/** Brokers ask for the right to read only when something is read, which in an empty topic is long after the start. */
async function refuseUnreadable(client: KafkaClient, topic: string): Promise<void> {
  const reading = client.fetcher(topic)
  try {
    await reading.connect()
    await reading.fetch(await reading.offsets([0], 'latest'), { bytesMax: 1, maxWaitMs: 1 })
  } catch (error) {
    // Anything else may mend itself: whoever reads the topic waits for that.
    if (typeOf(error) === 'TOPIC_AUTHORIZATION_FAILED') throw notAuthorized(`to read the topic ${topic}`, error)
  } finally {
    void reading.disconnect()
  }
}

async function waitForTopic({ client, clock }: TopicPorts, stream: Stream, wanted: WantedTopics): Promise<TopicFacts> {
  for (let tries = 1; ; tries += 1) {
    try {
      const seen = await lookAtTopic(client, stream, wanted)
      if (seen !== null) return seen
      if (tries >= lookTriesMax) throw missing(topicName(wanted.prefix, stream), 'the brokers created it and do not show it yet; start again')
    } catch (error) {
      if (!(error instanceof Fault) || !error.canRetry || tries >= lookTriesMax) throw error
    }
    await sleep(clock, lookGapMs)
  }
}

/** Fine when somebody else was first. */
async function createTopic(client: KafkaClient, stream: Stream, wanted: WantedTopics): Promise<void> {
  const admin = client.admin()
  try {
    await admin.connect()
    const replicas = wanted.replicas ?? Math.min(replicasWanted, (await admin.describeCluster()).brokers.length)
    const { partitions, settings, topic } = newTopic(stream, wanted, replicas)
    await admin.createTopics({
      timeout: createTimeoutMs,
      topics: [{ configEntries: settings.map(({ name, value }) => ({ name, value })), numPartitions: partitions, replicationFactor: replicas, topic }],
      // `waitForTopic` waits, and for the settings as well.
      waitForLeaders: false,
    })
  } catch (error) {
    throw creationFault(client, topicName(wanted.prefix, stream), error)
  } finally {
    void admin.disconnect().catch(() => {})
  }
}

function creationFault(client: KafkaClient, topic: string, error: unknown): Fault {
  const type = typeOf(error)
  if (type === null) return client.faultOf(error)
  if (type.endsWith('_AUTHORIZATION_FAILED')) return missing(topic, 'this node may not create it', error)
  if (type === 'INVALID_REPLICATION_FACTOR') return missing(topic, 'the cluster has fewer brokers than kafka_replicas asks for', error)
  return missing(topic, `the brokers refused to create it (${type})`, error)
}

function missing(topic: string, because: string, cause?: unknown): Fault {
  return new Fault(
    'kafka_topics_missing', 'log',
    `the topic ${topic} is not there, and ${because}. "waybill kafka topics --print" shows the commands that create what is needed, ` +
      'for whoever may run them.',
    { cause },
  )
}
