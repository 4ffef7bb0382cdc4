import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { kafkaCommand } from '../../src/cli/kafka.ts'
import { systemDisk } from '../../src/core/system/disk.ts'
import { folder, run, type Ran } from './harness.ts'

interface Called extends Ran {
  readonly exits: readonly number[]
}

async function topics(...argv: string[]): Promise<Called> {
  const exits: number[] = []
  const ran = await run((ports) => kafkaCommand({ ...ports, disk: systemDisk, exit: (code) => exits.push(code) }), ['topics', ...argv])
  return { ...ran, exits }
}

test('--print: a script that makes the topics and allows what a node needs, without asking anybody', async () => {
  const { error, exits, out } = await topics('--print')
  expect([error, exits]).toEqual([null, []])
  const lines = out.trimEnd().split('\n')
  expect(lines.filter((line) => line.startsWith('kafka-topics.sh')).map((line) => /--topic \S+ --partitions \d+ --replication-factor \d+/.exec(line)?.[0])).toEqual([
    '--topic waybill.control --partitions 1 --replication-factor 3',
    '--topic waybill.connections --partitions 12 --replication-factor 3',
    '--topic waybill.operations --partitions 12 --replication-factor 3',
  ])
  expect(lines).toContain(
    'kafka-topics.sh --bootstrap-server localhost:9092 --create --topic waybill.control --partitions 1 --replication-factor 3 ' +
      '--config cleanup.policy=delete --config max.message.bytes=1048588 --config message.timestamp.type=LogAppendTime ' +
      '--config min.insync.replicas=2 --config retention.bytes=-1 --config retention.ms=-1 --config unclean.leader.election.enable=false',
  )
  expect(lines).toContain(
    'kafka-acls.sh --bootstrap-server localhost:9092 --add --allow-principal User:waybill --operation Read --operation Write --operation DescribeConfigs --topic waybill.control',
  )
  expect(lines.filter((line) => line.includes('--operation Create')).every((line) => line.startsWith('# '))).toBe(true)
})

test('--print goes by the settings, from flags and from the file', async () => {
  await using data = folder()
  const file = join(data.path, 'waybill.yaml')
  writeFileSync(file, 'settings:\n  kafka: "kafka-1:9093,[2001:db8::1]:9093"\n  topic_prefix: lb\n  kafka_tls: true\n  kafka_sasl: scram-sha-512\n  kafka_user: it\'s me\n  kafka_password_file: p\n')
  const { out } = await topics('--print', '--config', file, '--kafka-replicas', '1', '--kafka-retention-days', '30')
  expect(out).toContain("kafka-topics.sh --bootstrap-server 'kafka-1:9093,[2001:db8::1]:9093' --command-config client.properties --create --topic lb.operations --partitions 12 --replication-factor 1")
  expect(out).toContain('--config min.insync.replicas=1 --config retention.bytes=-1 --config retention.ms=2592000000')
  expect(out).toContain(String.raw`--allow-principal 'User:it'\''s me' `)
  expect((await topics('--print', '--principal', 'User:CN=node,O=Example')).out).toContain("--allow-principal 'User:CN=node,O=Example' ")
})

test.each([
  ['neither', [], 'say what to do: --print shows commands'],
  ['both', ['--print', '--check'], 'say what to do: --print shows commands'],
  ['a script as JSON', ['--print', '--json'], '--json goes with --check'],
  ['nobody to ask', ['--check'], 'name the brokers to ask: --kafka HOST:PORT'],
  ['settings that contradict each other', ['--print', '--kafka-tls', 'true', '--kafka-cert', 'c'], 'a client certificate needs its key'],
])('%s: a mistake of the call', async (_what, argv, sentence) => {
  const { error, out } = await topics(...argv)
  expect(error).toMatchObject({ message: expect.stringContaining(sentence) as string, source: 'settings' })
  expect(out).toBe('')
})

test('--check where nobody answers: says so', async () => {
  const { error } = await topics('--check', '--kafka', '127.0.0.1:1')
  expect(error).toMatchObject({ code: 'kafka_unreachable', message: expect.stringContaining('127.0.0.1:1') as string })
})
