import { Command } from 'commander'
import type { FlagTexts, SettingKey } from '../config/settings.ts'
import type { Disk } from '../core/disk.ts'
import { Fault } from '../core/errors.ts'
import { idMaker, type MakeId } from '../core/ids.ts'
import { systemDisk } from '../core/system/disk.ts'
import { systemRandom } from '../core/system/random.ts'
import { readCall } from './declare.ts'
import { printing, type Output } from './output.ts'
import { printable } from '../core/printable.ts'
import { progressOf } from './progress.ts'
import { settingOption } from './setting-options.ts'
import { table, type Cell } from './table.ts'
import { plainVerb, systemPorts, type VerbPorts } from './verb.ts'

/** `waybill log copy`: moves a log between a folder and the topics of a Kafka cluster, byte for byte. */

export interface LogPorts extends Pick<VerbPorts, 'clock' | 'stderr' | 'stdout'> {
  readonly disk: Disk
  readonly makeId: MakeId
  readonly pid: number
}

const systemLogPorts: LogPorts = {
  clock: systemPorts.clock,
  disk: systemDisk,
  makeId: idMaker(systemPorts.clock, systemRandom),
  pid: process.pid,
  stderr: systemPorts.stderr,
  stdout: systemPorts.stdout,
}

interface CopyOptions extends FlagTexts {
  readonly from?: string
  readonly json: boolean
  readonly to?: string
}

/** Of the connection, the topics and what is sent; the others are about a node that runs. */
const keys: readonly SettingKey[] = [
  'config', 'kafka', 'topicPrefix', 'kafkaTls', 'kafkaCa', 'kafkaCert', 'kafkaKey', 'kafkaSasl', 'kafkaUser', 'kafkaPasswordFile', 'kafkaTokenFile',
  'kafkaReplicas', 'kafkaPartitions', 'kafkaRetentionDays', 'kafkaCompression',
]

export function logCommand(ports: LogPorts = systemLogPorts): Command {
  const copy = plainVerb('copy', 'Copy the log of a stopped node into empty topics, or a log out of topics into a new folder', [
    'waybill log copy --from /var/lib/waybill --kafka kafka-1:9092 --topic-prefix payments',
    'waybill log copy --to /var/lib/waybill-2 --kafka kafka-1:9092',
    'waybill log copy --to /evidence/proxy-3 --node proxy-3 --config /etc/waybill/waybill.yaml',
  ])
  copy
    .option('--from <DIR>', 'the data folder of a stopped node; into empty topics, which are made where they are missing')
    .option('--to <DIR>', 'a folder that does not exist yet; gets what the topics hold')
    .option('--node <NAME>', 'with --to: the connections and operations of that node, and all of control (default: the one node that there is)')
  for (const key of keys) copy.addOption(settingOption(key))
  copy.option('--json', 'one JSON object, for programs', false).action((options: CopyOptions) => run(ports, options))
  return new Command('log').description('Move the log of a node between its folder and Kafka.').addCommand(copy)
    .addHelpText('after', '\nExample:\n  waybill log copy --from /var/lib/waybill --kafka kafka-1:9092')
}

async function run(ports: LogPorts, options: CopyOptions): Promise<void> {
  const { from, json, node, to, ...flags } = options
  if ((from === undefined) === (to === undefined)) {
    throw new Fault('option_missing', 'settings', 'say what to copy: --from DIR into topics, or --to DIR out of topics; never both')
  }
  if (node !== undefined && to === undefined) throw new Fault('option_invalid', 'settings', '--node goes with --to: a folder is of one node')
  const { settings } = (await readCall(flags, ports.disk)).inForce
  if (settings.kafka === null) throw new Fault('option_missing', 'settings', 'name the brokers: --kafka HOST:PORT, WAYBILL_KAFKA, or kafka in the file of --config')
  // Only here: a command line that prints help needs no Kafka client.
  const { copyFromFolder, copyToFolder } = await import('./log-copies.ts')
  const progress = (unit: string, total: number | null): ReturnType<typeof progressOf> => progressOf(ports, unit, total)
  const summary = to === undefined
    ? await copyFromFolder({ ...ports, progress, settings }, from!)
    : await copyToFolder({ ...ports, progress, settings }, to, node ?? null)
  await printing(ports.stdout, json, (output) => show(output, summary))
}

/** What was copied, as it was read back. */
export interface CopySummary {
  readonly streams: readonly {
    readonly stream: string
    readonly topic: string
    readonly records: number
    readonly last_leaf_hash: string | null
    /** Of a copy into topics: those that were not there before. */
    readonly sent?: number
  }[]
  readonly sentences: readonly string[]
}

async function show(output: Output, { sentences, streams }: CopySummary): Promise<void> {
  if (output.json) return output.object({ notes: sentences, streams })
  const sent = streams.some((stream) => stream.sent !== undefined)
  const head = ['STREAM', 'TOPIC', 'RECORDS', ...(sent ? ['SENT'] : []), 'LAST LEAF HASH']
  const rows = streams.map((stream): Cell[] => [
    stream.stream, stream.topic, stream.records, ...(sent ? [stream.sent] : []), stream.last_leaf_hash,
  ])
  await output.text(table(output.stream, head, rows))
  for (const sentence of sentences) await output.text(printable(sentence))
}
