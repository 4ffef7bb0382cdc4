import { TopicConnection } from './topic-connection.ts'

/**
 * Reads what one topic is. kafkajs's admin client would ask for every topic of the cluster each time, and fail when
 * somebody else's has no leader.
 */

export interface SeenTopic {
  readonly partitions: number
  /** Of the partition that has the fewest. */
  readonly replicas: number
  readonly values: ReadonlyMap<string, string>
}

/** The protocol's number of a topic among what has settings. */
const topicResource = 2

export class TopicClient extends TopicConnection {
  async look(names: readonly string[]): Promise<SeenTopic> {
    const partitions = this.cluster.findTopicPartitionMetadata(this.topic)
    const broker = await this.cluster.findBroker({ nodeId: partitions[0]!.leader })
    const { resources } = await broker.describeConfigs({
      includeSynonyms: false,
      resources: [{ configNames: [...names], name: this.topic, type: topicResource }],
    })
    const entries = resources.flatMap(({ configEntries }) => configEntries)
    return {
      partitions: partitions.length,
      replicas: Math.min(...partitions.map(({ replicas }) => replicas.length)),
      values: new Map(entries.flatMap(({ configName, configValue }) => (configValue === null ? [] : [[configName, configValue] as const]))),
    }
  }
}
