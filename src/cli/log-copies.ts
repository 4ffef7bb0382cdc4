import { resolve } from 'node:path'
import { streams, type Stream } from '../../events/define.ts'
import type { Settings } from '../config/settings.ts'
import { Fault } from '../core/errors.ts'
import { silentLogger } from '../core/logger.ts'
import { StoppedLog } from '../log/file/stopped-log.ts'
import { KafkaClient } from '../log/kafka/connection/client.ts'
import { checkNewFolder, copyIntoFolder } from '../log/kafka/copying/copy-into-folder.ts'
import { copyIntoTopics, type CopyProgress } from '../log/kafka/copying/copy-into-topics.ts'
import { planCopy, type CopyPlan } from '../log/kafka/copying/copy-plan.ts'
import { folderStreams } from '../log/kafka/copying/folder-streams.ts'
import { Partitions } from '../log/kafka/topics/partitions.ts'
import { topicName, topicNames } from '../log/kafka/topics/topic-rules.ts'
import { surveyTopics } from '../log/kafka/copying/topic-survey.ts'
import { lookAtTopic, partitionCounts, prepareTopics } from '../log/kafka/topics/topics.ts'
import { kafkaOptionsOf, type KafkaOptions } from './kafka-options.ts'
import type { CopySummary, LogPorts } from './log-copy.ts'

/** The two ways of `waybill log copy`, from settings to what is said in the end. */

export interface CopyCall extends LogPorts {
  readonly progress: CopyProgress
  readonly settings: Settings
}

const verb = 'log copy'

/** Holds the folder until the topics have all of it. Throws a `Fault` that says what to do. */
export async function copyFromFolder({ clock, disk, pid, progress, settings }: CopyCall, folder: string): Promise<CopySummary> {
  await using log = await StoppedLog.open({ clock, disk, folder, holder: { pid, verb } })
  // What it refuses, it refuses before topics are made.
  const ours = await folderStreams(log)
  const options = kafkaOptionsOf(settings, disk)
  using client = clientOf(options)
  const prepared = await prepareTopics({ client, clock }, options.topics)
  const copied = await copyIntoTopics({
    client, clock, progress,
    compression: options.compression,
    node: log.identity.node,
    partitions: new Partitions(partitionCounts(prepared.facts)),
    streams: ours,
    topics: topicNames(options.topics.prefix),
  })
  return {
    sentences: [
      ...prepared.warnings.map((warning) => `Note: ${warning}.`),
      `Read back: the topics have all records of ${folder}, byte for byte. waybill serve --data ${folder} goes on there with --kafka and the same --topic-prefix.`,
    ],
    streams: copied.map(({ lastHash, records, sent, stream, topic }) => ({ last_leaf_hash: lastHash, records, sent, stream, topic })),
  }
}

/** `node` null: the one that there is. Throws a `Fault` that says what to do. */
export async function copyToFolder({ clock, disk, makeId, pid, progress, settings }: CopyCall, to: string, node: string | null): Promise<CopySummary> {
  const folder = resolve(to)
  await checkNewFolder(disk, folder)
  const options = kafkaOptionsOf(settings, disk)
  using client = clientOf(options)
  const parts = { client, clock, progress, topics: topicNames(options.topics.prefix) }
  const partitions = new Partitions(await countsOf(client, options))
  const survey = await surveyTopics(parts)
  const plan = planCopy(survey, node, clock.now())
  const copied = await copyIntoFolder({ ...parts, disk, folder, holder: { pid, verb }, makeId, partitions, plan })
  return {
    sentences: [
      ...(survey.foreign === 0 ? [] : [`Note: ${survey.foreign} messages in the topics are no records of Waybill: they were left out.`]),
      ...plan.left.map(({ epoch, records }) =>
        `Note: of an earlier log folder of this node (epoch ${epoch}) ${records.connections} connections and ${records.operations} operations were left out.`),
      saidOf(plan, folder, copied.controlOfAll),
    ],
    streams: copied.streams.map(({ lastHash, records, stream, topic }) => ({ last_leaf_hash: lastHash, records, stream, topic })),
  }
}

function saidOf({ author }: CopyPlan, folder: string, controlOfAll: number | null): string {
  if (controlOfAll === null) return `Read back: ${folder} is the whole log of node ${author.node}, byte for byte. waybill serve --data ${folder} goes on with it, without Kafka.`
  return (
    `Read back: ${folder} has what node ${author.node} wrote, byte for byte, and ${controlOfAll} records of control of all nodes. ` +
    `It can be read (waybill events, state, diff, trail --data ${folder}), and served with --kafka, not without.`
  )
}

function clientOf({ client }: KafkaOptions): KafkaClient {
  return new KafkaClient({ ...client, clientId: 'waybill-copy', logger: silentLogger })
}

/** Reading creates nothing. */
async function countsOf(client: KafkaClient, { topics: wanted }: KafkaOptions): Promise<Readonly<Record<Stream, number>>> {
  const facts = []
  for (const stream of streams) {
    const seen = await lookAtTopic(client, stream, wanted)
    if (seen === null) throw new Fault('kafka_topics_missing', 'log', `there is no topic ${topicName(wanted.prefix, stream)}. Check --kafka and --topic-prefix.`)
    facts.push(seen)
  }
  return partitionCounts(facts)
}
