import { describe, expect, test } from 'vitest'
import { silentLogger, type LogFields } from '../../../src/core/logger.ts'
import { Partitions } from '../../../src/log/kafka/topics/partitions.ts'
import { newTopic, topicName } from '../../../src/log/kafka/topics/topic-rules.ts'
import { draft } from '../../support/drafts.ts'
import { freshPrefix, kafkaMissing, sharedBrokers } from '../../support/kafka/broker.ts'
import { hastyClock } from '../../support/kafka/hasty-clock.ts'
import { kafkaClient, openKafkaLog } from '../../support/kafka/logs.ts'
import { deleteTopic, expectWhole, labelsOf, until } from '../../support/kafka/topic-checks.ts'
import { MemoryDisk } from '../../support/memory-disk.ts'

/** Somebody deletes a topic and makes it anew with another number of partitions: then other nodes look elsewhere for a node's records. */

const skipReason = kafkaMissing()
const skipped = skipReason === null ? '' : ` (skipped: ${skipReason})`
const owed = { purpose: 'owed' } as const
const admission = { purpose: 'admission', timeoutMs: 60_000 } as const
const clock = hastyClock(10)
/** As `openKafkaLog` makes topics. */
const before = 3

/** A node whose connections lie in this partition of those that there were. */
function nodeIn(partition: number): string {
  const partitions = new Partitions({ connections: before, control: 1, operations: before })
  for (let number = 1; ; number += 1) if (partitions.of('connections', `n${number}`) === partition) return `n${number}`
}

/** As somebody does who does it by hand. */
async function makeAnew(prefix: string, partitions: number): Promise<void> {
  const brokers = sharedBrokers()
  await deleteTopic(brokers, prefix, 'connections')
  const { settings, topic } = newTopic('connections', { brokers, partitions, prefix, replicas: 1, retentionMs: null }, 1)
  const admin = kafkaClient(brokers).admin()
  await admin.connect()
  // The name is free again only after a moment.
  await until(async () => !(await admin.listTopics()).includes(topic))
  const made = { configEntries: settings.map(({ name, value }) => ({ name, value })), numPartitions: partitions, topic }
  await until(() => admin.createTopics({ topics: [made] }).then(() => true, () => false))
  await admin.disconnect()
}

describe.skipIf(skipReason !== null)(`a topic that is made anew${skipped}`, () => {
  const changes = [
    ['fewer partitions, without that of the node', 2, 2],
    ['fewer partitions', 0, 2],
    ['more partitions', 1, 5],
  ] as const

  test.for(changes)('with %s: that is named, no client is let in, and with as many as before it goes on', async ([, partition, after]) => {
    const prefix = freshPrefix()
    const topic = topicName(prefix, 'connections')
    const said: string[] = []
    const tell = (sentence: string, fields?: LogFields): void => void said.push(`${sentence} ${JSON.stringify(fields)}`)
    const log = await openKafkaLog({
      brokers: sharedBrokers(), clock, disk: new MemoryDisk(), node: nodeIn(partition), options: { logger: { ...silentLogger, warn: tell } }, prefix,
    })
    for (const label of ['a', 'b']) await log.append('connections', [draft(label)], admission)

    await makeAnew(prefix, after)
    // Whoever is on the way when it happens is not forgotten.
    const late = log.append('connections', [draft('c')], owed)
    const code = 'KAFKA_PARTITIONS_CHANGED'
    await until(() => {
      const now = log.availability('connections')
      return !now.available && now.code === code
    })
    await expect(log.append('connections', [draft('refused')], admission)).rejects.toMatchObject({ because: code, code: 'not_written' })
    expect(said).toContainEqual(expect.stringContaining(`${topic} was made anew with ${after} partitions, and had ${before}. Give it as many as before, or restart this node.`))
    expect(log.availability('control')).toEqual({ available: true })

    await makeAnew(prefix, before)
    await late
    await until(() => log.availability('connections').available)
    await log.append('connections', [draft('d')], admission)
    expect(await log.close(10_000)).toBe(true)
    expect(labelsOf(await expectWhole(sharedBrokers(), prefix, 'connections'))).toEqual(['a', 'b', 'c', 'd'])
  })

  test('with more partitions while the node is down: its start sends everything to where others look for it now', async () => {
    const where = { brokers: sharedBrokers(), clock, disk: new MemoryDisk(), prefix: freshPrefix() }
    let log = await openKafkaLog(where)
    for (const label of ['a', 'b']) await log.append('connections', [draft(label)], owed)
    expect(await log.close(10_000)).toBe(true)
    await makeAnew(where.prefix, 5)
    log = await openKafkaLog(where)
    await log.append('connections', [draft('c')], owed)
    const found: string[] = []
    for await (const { records } of log.readAll('connections', { follow: false, from: 'beginning', node: 'n1' })) {
      found.push(...records.map(({ bytes }) => (JSON.parse(Buffer.from(bytes).toString()) as { data: { label: string } }).data.label))
    }
    expect(found).toEqual(['a', 'b', 'c'])
    expect(await log.close(10_000)).toBe(true)
  })
})
