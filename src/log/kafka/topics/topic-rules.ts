import { streams, type Stream } from '../../../../events/define.ts'

/** What the topics have to be so that no record is lost, and what is wrong with those that are there. Pure. */

export interface TopicSetting {
  readonly name: string
  readonly value: string
}

/** What is known of a topic from its brokers. */
export interface TopicFacts {
  readonly stream: Stream
  readonly topic: string
  readonly partitions: number
  /** Of the partition that has the fewest. */
  readonly replicas: number
  /** Those that are judged, with their values in force, sorted by name. */
  readonly settings: readonly TopicSetting[]
}

export interface WantedTopics {
  readonly prefix: string
  /** Of connections and operations. */
  readonly partitions: number
  /** How long connections and operations are kept; null: for ever. */
  readonly retentionMs: number | null
  /** What replicas are made for a new topic; null: three, or as many as there are brokers. */
  readonly replicas: number | null
  /** For the commands that people are told to run. */
  readonly brokers: readonly string[]
}

export interface TopicJudgement {
  /** Would lose records, or keep them from being written or read: each with what to do. */
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
}

/** What a new topic is made with. */
export interface NewTopic {
  readonly topic: string
  readonly partitions: number
  readonly replicas: number
  readonly settings: readonly TopicSetting[]
}

export const replicasWanted = 3
/** Kafka's own default: a batch of the shipper has half of it. */
const messageBytesMin = 1_048_588
/** An acknowledged record is on two brokers, wherever there are two. */
const inSyncMin = 2

export function topicName(prefix: string, stream: Stream): string {
  return `${prefix}.${stream}`
}

export function topicNames(prefix: string): Readonly<Record<Stream, string>> {
  return {
    connections: topicName(prefix, 'connections'), control: topicName(prefix, 'control'), operations: topicName(prefix, 'operations'),
  }
}

export function newTopics(wanted: WantedTopics, replicas: number): NewTopic[] {
  return streams.map((stream) => newTopic(stream, wanted, replicas))
}

export function newTopic(stream: Stream, wanted: WantedTopics, replicas: number): NewTopic {
  return {
    partitions: partitionsOf(stream, wanted),
    replicas,
    settings: [
      { name: 'cleanup.policy', value: 'delete' },
      { name: 'max.message.bytes', value: String(messageBytesMin) },
      { name: 'message.timestamp.type', value: 'LogAppendTime' },
      { name: 'min.insync.replicas', value: String(Math.min(inSyncMin, replicas)) },
      { name: 'retention.bytes', value: '-1' },
      { name: 'retention.ms', value: String(retentionOf(stream, wanted) ?? -1) },
      { name: 'unclean.leader.election.enable', value: 'false' },
    ],
    topic: topicName(wanted.prefix, stream),
  }
}

/** In the order of a topic's settings. */
export const judgedSettings = [
  'cleanup.policy', 'compression.type', 'max.message.bytes', 'message.timestamp.type', 'min.insync.replicas', 'retention.bytes', 'retention.ms',
  'unclean.leader.election.enable',
] as const
type SettingName = (typeof judgedSettings)[number]

function partitionsOf(stream: Stream, { partitions }: WantedTopics): number {
  return stream === 'control' ? 1 : partitions
}

function retentionOf(stream: Stream, { retentionMs }: WantedTopics): number | null {
  return stream === 'control' ? null : retentionMs
}

export function judgeTopic(facts: TopicFacts, wanted: WantedTopics): TopicJudgement {
  const { partitions, replicas, settings, stream, topic } = facts
  const problems: string[] = []
  const warnings: string[] = []
  const values = new Map(settings.map(({ name, value }) => [name, value]))
  for (const name of judgedSettings) {
    const value = values.get(name)
    if (value === undefined) {
      warnings.push(`the brokers do not say what ${name} of ${topic} is, so nobody has checked it`)
      continue
    }
    const misfit = misfitOf(name, value, facts, wanted)
    if (misfit !== null) problems.push(`${topic}: ${name} is ${value}, ${misfit.because}. To mend it: ${mend(wanted, topic, name, misfit.wanted)}`)
  }
  if (stream === 'control' && partitions !== 1) {
    problems.push(
      `${topic}: it has ${partitions} partitions, and control needs exactly 1, because the order of its records decides. Partitions can't be ` +
        'taken away: if nothing is in the topic yet, delete it and start again, else begin with another topic_prefix.',
    )
  }
  if (stream !== 'control' && partitions !== wanted.partitions) {
    warnings.push(`${topic} has ${partitions} partitions, not the ${wanted.partitions} of kafka_partitions: it is used as it is`)
  }
  if (replicas === 1) warnings.push(`${topic} has one replica: what it holds is lost with the disk of one broker`)
  else if (values.get('min.insync.replicas') === String(replicas)) {
    warnings.push(`${topic} has ${replicas} replicas and min.insync.replicas ${replicas}: while one broker is down, nothing can be written`)
  }
  return { problems, warnings }
}

interface Misfit {
  readonly wanted: string
  readonly because: string
}

const misfits: Readonly<Record<SettingName, (value: string, facts: TopicFacts, wanted: WantedTopics) => Misfit | null>> = {
  'cleanup.policy': (value) =>
    value.includes('compact') ? { because: 'which keeps only the last record of each node', wanted: 'delete' } : null,
  'compression.type': (value) =>
    value === 'snappy' || value === 'lz4' ? { because: 'which the nodes can\'t read back', wanted: 'producer' } : null,
  'max.message.bytes': (value) =>
    Number(value) < messageBytesMin
      ? { because: `which is less than what nodes send at once (${messageBytesMin})`, wanted: String(messageBytesMin) }
      : null,
  'message.timestamp.type': (value) =>
    value === 'LogAppendTime'
      ? null
      : { because: 'so a record would be as old as its writer says, and could be deleted too early', wanted: 'LogAppendTime' },
  'min.insync.replicas': (value, { replicas }) => {
    if (Number(value) > replicas) {
      const because = `more than the ${replicas} replicas that there are: nothing can be written`
      return { because, wanted: String(Math.min(inSyncMin, replicas)) }
    }
    return replicas > 1 && Number(value) < inSyncMin
      ? { because: `so that of ${replicas} replicas one alone may hold what was acknowledged`, wanted: String(inSyncMin) }
      : null
  },
  'retention.bytes': (value) =>
    Number(value) < 0 ? null : { because: 'which deletes records when there are many', wanted: '-1' },
  'retention.ms': (value, { stream }, wanted) => {
    const least = retentionOf(stream, wanted)
    if (Number(value) < 0 || (least !== null && Number(value) >= least)) return null
    if (stream === 'control') return { because: 'and control is kept for ever', wanted: '-1' }
    if (least === null) return { because: 'and kafka_retention_days is 0, for ever', wanted: '-1' }
    return { because: `less than kafka_retention_days asks for (${least})`, wanted: String(least) }
  },
  'unclean.leader.election.enable': (value) =>
    value === 'true' ? { because: 'so that a broker that missed records may become the one that is believed', wanted: 'false' } : null,
}

function misfitOf(name: SettingName, value: string, facts: TopicFacts, wanted: WantedTopics): Misfit | null {
  return misfits[name](value, facts, wanted)
}

function mend({ brokers }: WantedTopics, topic: string, name: string, value: string): string {
  const target = `--bootstrap-server ${bootstrap(brokers)} --alter --entity-type topics --entity-name ${topic}`
  return `kafka-configs.sh ${target} --add-config ${name}=${value}`
}

/** As a shell takes it: brackets of IPv6 would be a pattern. */
export function bootstrap(brokers: readonly string[]): string {
  const list = brokers.join(',')
  return list.includes('[') ? `'${list}'` : list
}
