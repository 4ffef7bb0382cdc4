import { bootstrap, newTopics, replicasWanted, topicNames, type WantedTopics } from '../log/kafka/topics/topic-rules.ts'

/** The commands of Kafka's own tools that create the topics and the access rules a node needs, for clusters where it may not. */

export interface KafkaAccess {
  /** As Kafka spells it, such as `User:waybill`. */
  readonly principal: string
  /** Whether the brokers ask for TLS or a login: the tools need that in a file of theirs. */
  readonly secured: boolean
}

/** Not Describe, which Read and Write bring along; not IdempotentWrite, which Write on a topic brings along since Kafka 2.8. */
const operations = ['Read', 'Write', 'DescribeConfigs'] as const

/** A shell script. */
export function kafkaCommands(wanted: WantedTopics, access: KafkaAccess): string {
  const replicas = wanted.replicas ?? replicasWanted
  const names = Object.values(topicNames(wanted.prefix)).toSorted()
  const target = `--bootstrap-server ${bootstrap(wanted.brokers)}${access.secured ? ' --command-config client.properties' : ''}`
  const rule = (topic: string, allowed: readonly string[]): string => {
    const asked = allowed.map((each) => `--operation ${each}`).join(' ')
    return `kafka-acls.sh ${target} --add --allow-principal ${quoted(access.principal)} ${asked} --topic ${topic}`
  }
  return [
    `# Topics, with ${replicas} ${replicas === 1 ? 'replica' : 'replicas'} each.`,
    ...newTopics(wanted, replicas).map(
      ({ partitions, settings, topic }) =>
        `kafka-topics.sh ${target} --create --topic ${topic} --partitions ${partitions} --replication-factor ${replicas} ` +
        settings.map(({ name, value }) => `--config ${name}=${value}`).join(' '),
    ),
    '# All that a node may have to be allowed. It uses no consumer groups and no transactions.',
    ...names.map((topic) => rule(topic, operations)),
    '# Only where nodes are to create the topics themselves:',
    ...names.map((topic) => `# ${rule(topic, ['Create'])}`),
  ].join('\n')
}

function quoted(text: string): string {
  return /^[A-Za-z0-9:._-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}
