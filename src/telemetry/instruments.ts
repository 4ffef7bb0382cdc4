import { closeParties, closeReasons, refusalReasons } from '../../events/connection.ts'
import { streams } from '../../events/define.ts'

/**
 * Every metric, in one table: what Prometheus scrapes, what goes to an OpenTelemetry collector, the documents and the
 * checks of dashboards and alerts follow from it. Labels are bounded: by the configuration (pool, backend, listener) or by
 * a list in the code; never what a client may choose.
 */

export interface Instrument {
  readonly kind: 'counter' | 'gauge' | 'histogram'
  /** UCUM, as OpenTelemetry wants it; in braces what is counted. */
  readonly unit: string
  readonly description: string
  readonly labels: readonly Label[]
  /** Upper bounds of a histogram's buckets. */
  readonly buckets?: readonly number[]
  /** Where the number comes from, for people. */
  readonly source: string
  /** Only of nodes on Kafka. */
  readonly kafkaOnly?: true
}

export type Label =
  | 'backend' | 'by' | 'certificate' | 'cipher' | 'direction' | 'listener' | 'node_version' | 'openssl' | 'pool' | 'reason' | 'result' | 'stream'
  | 'version'

/** What each label may be, for people; of those that are not from the configuration also all values. */
export const labelTable: Readonly<Record<Label, { readonly description: string; readonly values: readonly string[] | null }>> = {
  backend: { description: 'A backend of the pool, as host:port; other: those of the pool beyond the first 10,000 of the node.', values: null },
  by: { description: 'Whose doing it was.', values: closeParties },
  certificate: { description: 'Which certificate of this node.', values: ['kafka_ca', 'kafka_client'] },
  cipher: { description: 'IANA name of the suite that the backend chose; other: one without a name, none: none was chosen.', values: null },
  direction: { description: 'Where the bytes went.', values: ['to_backend', 'to_client'] },
  listener: { description: 'The shared listener, or that of a pool.', values: null },
  node_version: { description: 'Version of Node.', values: null },
  openssl: { description: 'Version of OpenSSL.', values: null },
  pool: { description: 'A pool of the configuration.', values: null },
  reason: { description: 'Why, as records say it, or the errno name of a failed dial; other: a name that is not known.', values: null },
  result: { description: 'How it ended.', values: ['failed', 'succeeded'] },
  stream: { description: 'A stream of the log.', values: streams },
  version: { description: 'Of Waybill; or the TLS version that the backend chose (none: none was chosen).', values: null },
}

/** Those of Kestrel's stable `kestrel.connection.duration`, and some hours for connections that stay. */
const lifetimes = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 1_800, 7_200, 28_800]
/** From what memory takes to what a timeout is. */
const waits = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const batchSizes = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000]

export const instruments = {
  'connections.opened': {
    kind: 'counter', unit: '{connection}', labels: ['pool', 'backend'],
    description: 'Connections whose opened record is durable, or was written and not confirmed in time (these are closed as audit_timeout).',
    source: 'the data path, when it opens one',
  },
  'connections.active': {
    kind: 'gauge', unit: '{connection}', labels: ['pool', 'backend'],
    description: 'Connections that are open now.',
    source: 'the data path, when asked',
  },
  'connections.closed': {
    kind: 'counter', unit: '{connection}', labels: ['reason'],
    description: 'Opened connections that are over, by why they ended.',
    source: 'the data path, when one ends',
  },
  'connections.refused': {
    kind: 'counter', unit: '{connection}', labels: ['reason'],
    description: 'Clients that got in no further, by why.',
    source: 'the data path, for each client, also those that are counted in one record',
  },
  'connections.reset': {
    kind: 'counter', unit: '{connection}', labels: ['by'],
    description: 'Opened connections that ended with a reset instead of in order, by who began it.',
    source: 'the data path, when one ends',
  },
  'connections.limit': {
    kind: 'gauge', unit: '{connection}', labels: [],
    description: 'Client connections that this node takes at once.',
    source: 'the settings and the descriptor limit, at the start',
  },
  'connection.duration': {
    kind: 'histogram', unit: 's', labels: ['pool'], buckets: lifetimes,
    description: 'From accepting a client to the end of its connection.',
    source: 'the data path, when one ends',
  },
  'hello.duration': {
    kind: 'histogram', unit: 's', labels: [], buckets: waits,
    description: 'From accepting a client to its complete hello, of connections that were opened.',
    source: 'the data path, when it opens one',
  },
  'dial.duration': {
    kind: 'histogram', unit: 's', labels: ['pool'], buckets: waits,
    description: 'From the hello to a connected backend, failed tries included, of connections that were opened.',
    source: 'the data path, when it opens one',
  },
  'record.duration': {
    kind: 'histogram', unit: 's', labels: [], buckets: waits,
    description: 'How long a client waited for its opened record to be durable.',
    source: 'the data path, when it opens one',
  },
  'peeks.active': {
    kind: 'gauge', unit: '{connection}', labels: [],
    description: 'Clients whose hello is being read now.',
    source: 'the data path, when asked',
  },
  bytes: {
    kind: 'counter', unit: 'By', labels: ['pool', 'backend', 'direction'],
    description: 'Bytes forwarded, as the records of closed connections have them, and of open ones so far.',
    source: 'the data path: closed connections as they end, open ones when asked',
  },
  'tls.negotiated': {
    kind: 'counter', unit: '{connection}', labels: ['version', 'cipher'],
    description: 'Connections that ended, by the TLS version and suite that the backend had chosen.',
    source: 'the data path, when one ends',
  },
  'listener.up': {
    kind: 'gauge', unit: '{listener}', labels: ['listener'],
    description: '1 while the listener is bound, else 0.',
    source: 'the data path, when asked',
  },
  'backend.up': {
    kind: 'gauge', unit: '{backend}', labels: ['pool', 'backend'],
    description: '1 while this node sends clients to the backend, as far as health goes; 0 while it is down.',
    source: 'the health of backends as this node sees it, when asked',
  },
  'backend.weight': {
    kind: 'gauge', unit: '{weight}', labels: ['pool', 'backend'],
    description: 'Configured weight: the share of new connections that the backend should get in its pool. 0 while it drains.',
    source: 'the configuration in force, when asked',
  },
  'backend.checks': {
    kind: 'counter', unit: '{check}', labels: ['pool', 'backend', 'result'],
    description: 'Health checks of this node.',
    source: 'the data path, after each check',
  },
  'backend.check.duration': {
    kind: 'histogram', unit: 's', labels: ['pool'], buckets: waits,
    description: 'How long health checks took.',
    source: 'the data path, after each check',
  },
  'backend.dial.failures': {
    kind: 'counter', unit: '{dial}', labels: ['pool', 'backend', 'reason'],
    description: 'Dials for clients that failed, one for each address that was tried.',
    source: 'the data path, after each failed dial',
  },
  'backend.dial.retries': {
    kind: 'counter', unit: '{dial}', labels: ['pool'],
    description: 'Dials that were made again, to another address or backend, after one had failed.',
    source: 'the data path, when it opens or refuses a connection',
  },
  'log.records': {
    kind: 'counter', unit: '{record}', labels: ['stream'],
    description: 'Records that are durable in the log of this node.',
    source: 'the log, after each commit',
  },
  'log.size': {
    kind: 'gauge', unit: '{record}', labels: ['stream'],
    description: 'Records that the stream has, over all starts: the size of a checkpoint that is made of it now.',
    source: 'the log, when asked',
  },
  'log.commit.records': {
    kind: 'histogram', unit: '{record}', labels: ['stream'], buckets: batchSizes,
    description: 'Records that shared a commit.',
    source: 'the log, after each commit',
  },
  'log.commit.duration': {
    kind: 'histogram', unit: 's', labels: ['stream'], buckets: waits,
    description: 'How long commits took: write and sync.',
    source: 'the log, after each commit',
  },
  'log.commit.failures': {
    kind: 'counter', unit: '{commit}', labels: ['stream'],
    description: 'Commits that the disk did not take.',
    source: 'the log, after each commit',
  },
  'log.available': {
    kind: 'gauge', unit: '{stream}', labels: ['stream'],
    description: '1 while the stream takes records, else 0: then no client and no change gets in.',
    source: 'the log, when asked',
  },
  'log.unavailable': {
    kind: 'counter', unit: 's', labels: ['stream'],
    description: 'How long the stream took no records.',
    source: 'the log, when it changes and when asked',
  },
  'log.disk.free': {
    kind: 'gauge', unit: 'By', labels: [],
    description: 'Free space of the file system that holds the log.',
    source: 'the disk, when asked',
  },
  'log.disk.size': {
    kind: 'gauge', unit: 'By', labels: [],
    description: 'Size of the file system that holds the log.',
    source: 'the disk, when asked',
  },
  'log.acknowledge.duration': {
    kind: 'histogram', unit: 's', labels: ['stream'], buckets: waits, kafkaOnly: true,
    description: 'How long Kafka took to acknowledge what was sent.',
    source: 'the log, after each send',
  },
  'log.backlog.records': {
    kind: 'gauge', unit: '{record}', labels: [], kafkaOnly: true,
    description: 'Records of this node that Kafka has not acknowledged yet.',
    source: 'the log, when asked',
  },
  'log.backlog.age': {
    kind: 'gauge', unit: 's', labels: [], kafkaOnly: true,
    description: 'How long the oldest of them waits.',
    source: 'the log, when asked',
  },
  'clock.skew': {
    kind: 'gauge', unit: 's', labels: [], kafkaOnly: true,
    description: 'How far the clock of this node is ahead of the broker\'s; below zero: behind.',
    source: 'the acknowledgements of Kafka, when asked',
  },
  'fold.lag': {
    kind: 'gauge', unit: '{record}', labels: ['stream'],
    description: 'Records of the log that the live state does not show yet.',
    source: 'the log and the folds, when asked',
  },
  'configuration.revision': {
    kind: 'gauge', unit: '{revision}', labels: [],
    description: 'Revision of the configuration in force on this node.',
    source: 'the folds, when asked',
  },
  'configuration.frozen': {
    kind: 'gauge', unit: '{configuration}', labels: [],
    description: '1 when this node no longer follows the configuration, else 0.',
    source: 'the folds, when asked',
  },
  'certificate.expiry.timestamp': {
    kind: 'gauge', unit: 's', labels: ['certificate'], kafkaOnly: true,
    description: 'When a certificate file of this node expires, seconds since the epoch; of several in a file the first to expire.',
    source: 'the files that the settings name, when asked, at most once a minute',
  },
  'build.info': {
    kind: 'gauge', unit: '{build}', labels: ['version', 'node_version', 'openssl'],
    description: 'Always 1: what runs.',
    source: 'the process, at the start',
  },
} as const satisfies Record<string, Instrument>

export type InstrumentName = keyof typeof instruments

/** Why a connection ended or was refused, for series that are there before the first one. */
export const reasonsOf = { 'connections.closed': closeReasons, 'connections.refused': refusalReasons } as const

/** As the OpenTelemetry data model names it. */
export function otelName(name: InstrumentName): string {
  return `waybill.${name}`
}

/**
 * As Prometheus names it, and as a collector would name the OpenTelemetry one: the unit as a suffix unless the name ends
 * with it, then `_total` (OpenTelemetry specification, "Prometheus and OpenMetrics compatibility").
 */
export function prometheusName(name: InstrumentName): string {
  const { kind, unit }: Instrument = instruments[name]
  const suffix = unit === 's' ? 'seconds' : unit === 'By' ? 'bytes' : null
  const base = `waybill_${name.replaceAll('.', '_')}`
  const withUnit = suffix === null || base.endsWith(`_${suffix}`) ? base : `${base}_${suffix}`
  return kind === 'counter' ? `${withUnit}_total` : withUnit
}
