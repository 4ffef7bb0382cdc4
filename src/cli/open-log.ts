import { streams, type Stream } from '../../events/define.ts'
import type { Settings } from '../config/settings.ts'
import { sleep, type Clock } from '../core/clock.ts'
import type { Disk } from '../core/disk.ts'
import { Fault } from '../core/errors.ts'
import type { MakeId } from '../core/ids.ts'
import type { Logger } from '../core/logger.ts'
import type { Pace } from '../log/commit-pace.ts'
import { FileLog, type FileLogOptions } from '../log/file/file-log.ts'
import { controlCopyName } from '../log/file/open-folder.ts'
import { StoppedLog } from '../log/file/stopped-log.ts'
import { SampledBrokerClock } from '../log/kafka/broker-clock.ts'
import { KafkaClient } from '../log/kafka/connection/client.ts'
import { settingAsideName } from '../log/kafka/joining/set-aside.ts'
import { KafkaLog } from '../log/kafka/kafka-log.ts'
import { topicNames, type TopicFacts } from '../log/kafka/topics/topic-rules.ts'
import type { TopicWatchOptions } from '../log/kafka/topics/topic-watch.ts'
import { partitionCounts, prepareTopics } from '../log/kafka/topics/topics.ts'
import { kafkaOptionsOf } from './kafka-options.ts'

/** Opens the log that the settings ask for: this node's own, or the one that the nodes of a cluster share. */

export interface LogPorts {
  readonly clock: Clock
  readonly disk: Disk
  readonly hostname: string
  readonly logger: Logger
  readonly makeId: MakeId
  readonly pid: number
}

/**
 * Two milliseconds are little beside a TLS handshake, and only busy times pay them. Ten let a closing record share the
 * commit of a later connection.
 */
const pace: Pace = { commitGapMs: 2, owedWaitMs: 10 }
/** Brokers that start with this node may need a moment. */
const brokersWaitMs = 60_000
const brokersAgainMs = 2_000

/** The log of this node, and what it stands on. */
export interface OpenedLog {
  readonly log: FileLog | KafkaLog
  /** Null: the log is this node's own. */
  readonly topics: ObservedTopics | null
}

/** The topics as they were at the start, and where to look at them again. */
export interface ObservedTopics extends Pick<TopicWatchOptions, 'client' | 'facts' | 'wanted'> {}

/** Throws a `Fault` that says what to do. */
export async function openLog(ports: LogPorts, settings: Settings): Promise<OpenedLog> {
  const { clock, disk, hostname, logger, makeId, pid } = ports
  const { cluster, data, node, reserveBytes, spaceLowBytes } = settings
  const own: FileLogOptions = {
    clock, cluster, disk, hostname, makeId, node, pace, reserveBytes, spaceLowBytes,
    folder: data,
    holder: { pid, verb: 'serve' },
  }
  if (settings.kafka !== null) return openClusterLog(ports, own, settings)
  await refuseWithoutCluster(own)
  const log = await FileLog.open(own)
  tellBeginnings(logger, log)
  return { log, topics: null }
}

/** What was counted before, and who was there, is in Kafka: alone, the node tells of what came after. */
function tellBeginnings(logger: Logger, log: FileLog): void {
  for (const stream of streams) {
    const { sequence } = log.beginning(stream)
    if (sequence === 0) continue
    logger.warn(`the ${stream} stream begins with record ${sequence} here: what was before it was removed, since Kafka has it. Totals and trails begin there, too`)
  }
}

/** Changes of other nodes are in force in this folder: alone, the node would route by its own ones. */
async function refuseWithoutCluster(own: FileLogOptions): Promise<void> {
  // What can't be listed is told by whoever opens it.
  const present = await own.disk.list(own.folder).catch((): readonly string[] => [])
  if (present.includes(settingAsideName)) {
    throw new Fault('folder_of_a_cluster', 'settings', `the data folder ${own.folder} is of a node on Kafka whose start was interrupted (${settingAsideName}): start it with --kafka once.`)
  }
  if (!present.includes(controlCopyName)) return
  await using stopped = await StoppedLog.open(own)
  if (!stopped.readsCopy) return
  throw new Fault(
    'folder_of_a_cluster', 'settings',
    `the data folder ${own.folder} is of a node whose configuration was made by several (${controlCopyName}): it is served with --kafka. ` +
      'It can be read without (waybill state --data, waybill events --data).',
  )
}

async function openClusterLog({ clock, disk, logger }: LogPorts, own: FileLogOptions, settings: Settings): Promise<OpenedLog> {
  const { backlogMs, backlogRecordsMax, durableWhen, takeOver } = settings
  const options = kafkaOptionsOf(settings, disk)
  const wanted = options.topics
  const client = new KafkaClient({ ...options.client, clientId: `waybill-${settings.node ?? own.hostname}`, logger })
  let facts: readonly TopicFacts[] = []
  const prepare = async (): Promise<Readonly<Record<Stream, number>>> => {
    const prepared = await prepareTopics({ client, clock }, wanted)
    if (prepared.created.length > 0) logger.info('created topics', { topics: prepared.created })
    for (const warning of prepared.warnings) logger.warn(warning)
    facts = prepared.facts
    return partitionCounts(facts)
  }
  try {
    const log = await KafkaLog.open({
      ...own, client, durableWhen, logger, takeOver,
      backlogMax: { ms: backlogMs, records: backlogRecordsMax },
      brokerClock: new SampledBrokerClock(clock),
      compression: options.compression,
      prepareTopics: () => waitingForBrokers(clock, logger, prepare),
      topics: topicNames(wanted.prefix),
    })
    return { log, topics: { client, facts, wanted } }
  } catch (error) {
    client[Symbol.dispose]()
    throw error
  }
}

async function waitingForBrokers<Result>(clock: Clock, logger: Logger, ask: () => Promise<Result>): Promise<Result> {
  const untilMs = clock.monotonicMs() + brokersWaitMs
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof Fault) || !error.canRetry || clock.monotonicMs() >= untilMs) throw error
      logger.warn('Kafka does not answer yet; asking again', { because: error.message })
    }
    await sleep(clock, brokersAgainMs)
  }
}
