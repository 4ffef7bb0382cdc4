import type { Stream } from '../../events/define.ts'
import { settingTable } from '../../src/config/settings.ts'
import { newTopic, replicasWanted } from '../../src/log/kafka/topics/topic-rules.ts'

/** What docs/asyncapi.yaml says of each topic: the settings that it is created with when nothing else was asked for. */

const dayMs = 86_400_000
const wanted = {
  brokers: [],
  partitions: Number(settingTable.kafkaPartitions.default),
  prefix: settingTable.topicPrefix.default,
  replicas: null,
  retentionMs: Number(settingTable.kafkaRetentionDays.default) * dayMs,
}

/** As the Kafka binding of AsyncAPI has it. */
export interface TopicBinding {
  readonly partitions: number
  readonly replicas: number
  readonly topicConfiguration: Readonly<Record<string, boolean | number | string | readonly string[]>>
}

export function topicBinding(stream: Stream): TopicBinding {
  const { partitions, replicas, settings } = newTopic(stream, wanted, replicasWanted)
  return { partitions, replicas, topicConfiguration: Object.fromEntries(settings.map(({ name, value }) => [name, typed(name, value)])) }
}

function typed(name: string, value: string): TopicBinding['topicConfiguration'][string] {
  if (name === 'cleanup.policy') return value.split(',')
  if (value === 'true' || value === 'false') return value === 'true'
  return /^-?\d+$/.test(value) ? Number(value) : value
}
