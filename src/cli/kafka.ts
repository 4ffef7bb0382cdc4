import { Command } from 'commander'
import { isWritten, type FlagTexts, type SettingKey, type Settings } from '../config/settings.ts'
import type { Disk } from '../core/disk.ts'
import { Fault } from '../core/errors.ts'
import { systemDisk } from '../core/system/disk.ts'
import { readCall } from './declare.ts'
import { exitCodes } from './exit-codes.ts'
import type { TopicCheck } from './kafka-check.ts'
import { kafkaCommands } from './kafka-commands.ts'
import { printing, type Output } from './output.ts'
import { printable } from '../core/printable.ts'
import { settingOption } from './setting-options.ts'
import { table, type Cell } from './table.ts'
import { plainVerb, systemExit, systemPorts, type ExitPort, type VerbPorts } from './verb.ts'

/** `waybill kafka topics`: what has to be there in a Kafka cluster, and whether it is. */

export interface KafkaPorts extends ExitPort, Pick<VerbPorts, 'stdout'> {
  readonly disk: Pick<Disk, 'openToRead'>
}

const systemKafkaPorts: KafkaPorts = { ...systemExit, disk: systemDisk, stdout: systemPorts.stdout }

interface TopicsOptions extends FlagTexts {
  readonly check: boolean
  readonly json: boolean
  readonly principal?: string
  readonly print: boolean
}

/** Of the connection and the topics; the others are about a node that runs. */
const keys: readonly SettingKey[] = [
  'config', 'kafka', 'topicPrefix', 'kafkaTls', 'kafkaCa', 'kafkaCert', 'kafkaKey', 'kafkaSasl', 'kafkaUser', 'kafkaPasswordFile', 'kafkaTokenFile',
  'kafkaReplicas', 'kafkaPartitions', 'kafkaRetentionDays',
]

export function kafkaCommand(ports: KafkaPorts = systemKafkaPorts): Command {
  const topics = plainVerb('topics', 'Show what Kafka needs for Waybill, as commands of its own tools, or check what is there', [
    'waybill kafka topics --print --kafka kafka-1:9092 --principal User:waybill',
    'waybill kafka topics --check --config /etc/waybill/waybill.yaml',
  ])
  for (const key of keys) topics.addOption(settingOption(key))
  topics
    .option('--print', 'print the commands that create topics and access rules; asks nobody', false)
    .option('--check', 'ask the brokers what the topics are like; creates nothing', false)
    .option('--principal <NAME>', 'with --print: whom the rules are for, as Kafka spells it (default: User:, then kafka_user or waybill)')
    .option('--json', 'with --check: one JSON object, for programs', false)
    .action((options: TopicsOptions) => run(ports, options))
  return new Command('kafka').description('Prepare and check the Kafka cluster where the logs of many nodes meet.').addCommand(topics)
    .addHelpText('after', '\nExample:\n  waybill kafka topics --print --kafka kafka-1:9092')
}

/** Stands in the printed commands where nobody said where the brokers are. */
const someBroker = 'localhost:9092'

async function run(ports: KafkaPorts, options: TopicsOptions): Promise<void> {
  const { check, json, principal, print, ...flags } = options
  if (check === print) {
    throw new Fault('option_missing', 'settings', "say what to do: --print shows commands for Kafka's tools, --check asks the brokers")
  }
  if (json && print) throw new Fault('option_invalid', 'settings', '--json goes with --check; what --print shows is a shell script')
  // Only here: a command line that prints help needs no Kafka client.
  const { kafkaOptionsOf } = await import('./kafka-options.ts')
  if (print) {
    const settings = await settingsToPrint(ports, flags)
    const { client, topics } = kafkaOptionsOf(settings, ports.disk)
    const access = { principal: principal ?? `User:${settings.kafkaUser ?? 'waybill'}`, secured: client.security !== null }
    return printing(ports.stdout, false, (output) => output.text(printableLines(kafkaCommands(topics, access))))
  }
  const { settings } = (await readCall(flags, ports.disk)).inForce
  if (settings.kafka === null) {
    const message = 'name the brokers to ask: --kafka HOST:PORT, WAYBILL_KAFKA, or kafka in the file of --config'
    throw new Fault('option_missing', 'settings', message)
  }
  const { checkTopics } = await import('./kafka-check.ts')
  const checks = await checkTopics(kafkaOptionsOf(settings, ports.disk))
  await printing(ports.stdout, json, (output) => show(output, checks))
  if (checks.some(({ problems }) => problems.length > 0)) ports.exit(exitCodes.failed)
}

/** What is printed depends on no broker, so none has to be named. */
async function settingsToPrint({ disk }: KafkaPorts, flags: FlagTexts): Promise<Settings> {
  const { declaration, inForce } = await readCall({ kafka: someBroker, ...flags }, disk)
  const isNamed = isWritten('kafka', flags, undefined, declaration?.settings)
  return isNamed ? (await readCall(flags, disk)).inForce.settings : inForce.settings
}

async function show(output: Output, checks: readonly TopicCheck[]): Promise<void> {
  if (output.json) return output.object({ topics: checks, valid: checks.every(({ problems }) => problems.length === 0) })
  const rows = checks.map((check): Cell[] => [check.topic, check.facts?.partitions, check.facts?.replicas, stateCell(check)])
  await output.text(table(output.stream, ['TOPIC', 'PARTITIONS', 'REPLICAS', 'STATE'], rows))
  for (const sentence of checks.flatMap(({ problems, warnings }) => [...problems, ...warnings.map((warning) => `Note: ${warning}.`)])) {
    await output.text(printable(sentence))
  }
}

function stateCell({ facts, problems, warnings }: TopicCheck): Cell {
  if (facts === null) return { text: 'missing', tone: 'bad' }
  if (problems.length > 0) return { text: 'unsafe', tone: 'bad' }
  return warnings.length > 0 ? { text: 'usable', tone: 'warn' } : { text: 'good', tone: 'good' }
}

function printableLines(lines: string): string {
  return lines.split('\n').map(printable).join('\n')
}
