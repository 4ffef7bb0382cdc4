import type { Settings } from '../config/settings.ts'
import { codecNumbers } from '../log/kafka/connection/codec.ts'
import type { KafkaClientOptions } from '../log/kafka/connection/client.ts'
import type { KafkaSecurity, Login } from '../log/kafka/connection/security.ts'
import type { SecretDisk } from '../log/kafka/connection/secret-files.ts'
import type { WantedTopics } from '../log/kafka/topics/topic-rules.ts'

/** What the settings say of Kafka, in the words of the log. */

const dayMs = 86_400_000

export interface KafkaOptions {
  readonly client: Pick<KafkaClientOptions, 'brokers' | 'security'>
  /** Kafka's number of the codec. */
  readonly compression: number
  readonly topics: WantedTopics
}

/** For settings whose `kafka` is not null. */
export function kafkaOptionsOf(settings: Settings, disk: SecretDisk): KafkaOptions {
  const { kafkaCompression, kafkaPartitions, kafkaReplicas, kafkaRetentionDays, topicPrefix } = settings
  const brokers = settings.kafka ?? []
  return {
    client: { brokers, security: securityOf(settings, disk) },
    compression: codecNumbers[kafkaCompression],
    topics: {
      brokers,
      partitions: kafkaPartitions,
      prefix: topicPrefix,
      replicas: kafkaReplicas,
      retentionMs: kafkaRetentionDays === 0 ? null : kafkaRetentionDays * dayMs,
    },
  }
}

/** Null: nothing is removed from this node's disk. */
export function localRetentionMsOf({ kafkaLocalRetentionDays: days }: Settings): number | null {
  return days === 0 ? null : days * dayMs
}

function securityOf(settings: Settings, disk: SecretDisk): KafkaSecurity | null {
  const { kafkaCa, kafkaCert, kafkaKey, kafkaTls } = settings
  const login = loginOf(settings)
  if (!kafkaTls && login === null) return null
  const identity = kafkaCert === null || kafkaKey === null ? null : { cert: kafkaCert, key: kafkaKey }
  return { disk, login, tls: kafkaTls ? { ca: kafkaCa, identity } : null }
}

function loginOf({ kafkaPasswordFile, kafkaSasl, kafkaTokenFile, kafkaUser }: Settings): Login | null {
  if (kafkaSasl === null) return null
  // Settings that miss one of these are refused.
  if (kafkaSasl === 'oauthbearer') return { mechanism: kafkaSasl, tokenFile: kafkaTokenFile ?? '' }
  return { mechanism: kafkaSasl, passwordFile: kafkaPasswordFile ?? '', user: kafkaUser ?? '' }
}
