import { choice, hostsWithPorts, integer, name, path, printableText, yesOrNo, type Setting } from './setting-types.ts'

/** Settings that mean something where the log is shared through Kafka; part of the one table of settings. */

const dayMs = 86_400_000
/** Seven paths of full length would not fit into a node's start record. */
const pathMax = 1_000
/** Some seeds are enough to find a cluster of any size. */
const brokersMax = 32
export const saslMechanisms = ['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'] as const
/** What replicas are set to where the cluster is large enough. */
export const replicasByDefault = 3

export const kafkaSettings = {
  kafka: {
    schema: hostsWithPorts(brokersMax), default: null, unit: null, form: 'host:port,...',
    description: 'Some brokers of the Kafka cluster where the logs of all nodes meet; the others are found through them. Default: none, the log is this node\'s own.',
  },
  topicPrefix: {
    schema: name(100), default: 'waybill', unit: null, form: 'NAME',
    description: 'What the names of the three topics begin with, as in waybill.control.',
  },
  durableWhen: {
    schema: choice(['kafka', 'local']), default: 'kafka', unit: null, form: 'kafka|local',
    description:
      'When a record of a connection counts as durable: written here and acknowledged by Kafka, or written here alone. With local, ' +
      'records that Kafka does not have yet are lost with this node\'s disk.',
  },
  backlogRecordsMax: {
    schema: integer(1, 1_000_000_000), default: '1000000', unit: 'records', form: 'NUMBER',
    description: 'With durable_when local: how many records may wait for Kafka before clients are refused.',
  },
  backlogMs: {
    schema: integer(1_000, 30 * dayMs), default: '600000', unit: 'ms', form: 'MS',
    description: 'With durable_when local: how long a record may wait for Kafka before clients are refused.',
  },
  takeOver: {
    schema: yesOrNo(), default: 'false', unit: null, form: 'true|false',
    description: 'Whether to start although a node of this name was heard of moments ago. Only when that node is known to be dead.',
  },
  kafkaTls: {
    schema: yesOrNo(), default: 'false', unit: null, form: 'true|false',
    description: 'Whether brokers are reached by TLS, with their names verified.',
  },
  kafkaCa: {
    schema: path(pathMax), default: null, unit: null, form: 'FILE',
    description: 'PEM file of the certificate authorities that brokers are verified by. Read at each new connection. Default: those that Node trusts.',
  },
  kafkaCert: {
    schema: path(pathMax), default: null, unit: null, form: 'FILE',
    description: 'PEM file of the client certificate, with its chain. Read at each new connection.',
  },
  kafkaKey: {
    schema: path(pathMax), default: null, unit: null, form: 'FILE',
    description: 'PEM file of the client certificate\'s key, not encrypted. Read at each new connection.',
  },
  kafkaSasl: {
    schema: choice(saslMechanisms), default: null, unit: null, form: saslMechanisms.join('|'),
    description: 'How this node logs in to the brokers. Default: not at all, or by its client certificate.',
  },
  kafkaUser: {
    schema: printableText(250), default: null, unit: null, form: 'NAME',
    description: 'User to log in as, with plain and scram-*.',
  },
  kafkaPasswordFile: {
    schema: path(pathMax), default: null, unit: null, form: 'FILE',
    description: 'File whose one line is the password, with plain and scram-*. Read at each login.',
  },
  kafkaTokenFile: {
    schema: path(pathMax), default: null, unit: null, form: 'FILE',
    description: 'File whose one line is the token, with oauthbearer. Read at each login, so whoever renews the token replaces the file.',
  },
  kafkaReplicas: {
    schema: integer(1, 32_767), default: null, unit: 'replicas', form: 'NUMBER',
    description: `Replicas of topics that are created. Default: ${replicasByDefault}, or as many as there are brokers.`,
  },
  kafkaPartitions: {
    schema: integer(1, 10_000), default: '12', unit: 'partitions', form: 'NUMBER',
    description: 'Partitions of the topics connections and operations when they are created; never changed later.',
  },
  kafkaRetentionDays: {
    schema: integer(0, 36_500), default: '395', unit: 'days', form: 'DAYS',
    description: 'How long Kafka keeps connections and operations; 0: for ever, as control always is.',
  },
  kafkaLocalRetentionDays: {
    schema: integer(0, 36_500), default: '1', unit: 'days', form: 'DAYS',
    description:
      'How long connections and operations that Kafka has stay on this node\'s disk as well, whole segments of them; what an open connection ' +
      'needs stays longer. 0: for ever.',
  },
  kafkaCompression: {
    schema: choice(['none', 'gzip', 'zstd']), default: 'none', unit: null, form: 'none|gzip|zstd',
    description: 'How what is sent to Kafka is compressed. All three are read, whatever is set.',
  },
} as const satisfies Record<string, Setting>
