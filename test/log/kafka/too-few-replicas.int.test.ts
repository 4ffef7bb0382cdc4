import kafkajs from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newTopic } from '../../../src/log/kafka/topics/topic-rules.ts'
import { draft } from '../../support/drafts.ts'
import { freshPrefix } from '../../support/kafka/broker.ts'
import { hastyClock } from '../../support/kafka/hasty-clock.ts'
import { ownBrokersMissing } from '../../support/kafka/jars.ts'
import { kafkaClient, openKafkaLog } from '../../support/kafka/logs.ts'
import { restartsSoon, startCluster, type OwnCluster } from '../../support/kafka/own-broker.ts'
import { expectWhole, labelsOf, sendRaw, until } from '../../support/kafka/topic-checks.ts'
import { MemoryDisk } from '../../support/memory-disk.ts'

/** Brokers that answer, and take nothing because too few of them are there (NOT_ENOUGH_REPLICAS). */

const skipReason = await ownBrokersMissing()
const skipped = skipReason === null ? '' : ` (skipped: ${skipReason})`
const admission = { purpose: 'admission', timeoutMs: 60_000 } as const
const clock = hastyClock(10)
/** Longer than one producer tries: an age that began anew with each would never come to it. */
const backlogMs = 20_000

describe.skipIf(skipReason !== null)(`one broker of three is missing, and all of them are asked for${skipped}`, () => {
  let cluster: OwnCluster
  beforeAll(async () => {
    cluster = await startCluster(3, { properties: restartsSoon })
  }, 90_000)
  afterAll(() => cluster?.[Symbol.asyncDispose]())

  async function askForAll(prefix: string): Promise<void> {
    const { settings, topic } = newTopic('connections', { brokers: [], partitions: 3, prefix, replicas: 3, retentionMs: null }, 3)
    const configEntries = settings.map(({ name, value }) => ({ name, value: name === 'min.insync.replicas' ? '3' : value }))
    const admin = kafkaClient(cluster.brokers).admin()
    await admin.connect()
    await admin.alterConfigs({ resources: [{ configEntries, name: topic, type: kafkajs.ConfigResourceTypes.TOPIC }], validateOnly: false })
    await admin.disconnect()
  }

  test('with durable_when local: clients are refused once the oldest record has waited too long, and let in when it was carried', async () => {
    const { brokers, nodes } = cluster
    const prefix = freshPrefix()
    const options = { backlogMax: { ms: backlogMs, records: 1_000_000 }, durableWhen: 'local' } as const
    const log = await openKafkaLog({ brokers, clock, disk: new MemoryDisk(), options, prefix })
    await log.append('connections', [draft('before')], admission)
    await until(() => log.backlog().records === 0)
    await askForAll(prefix)
    await nodes[2]!.stop()
    await expect(sendRaw(brokers, prefix, 'connections', [{ value: 'x' }])).rejects.toMatchObject({ cause: { type: 'NOT_ENOUGH_REPLICAS' } })

    await log.append('connections', [draft('oldest')], admission)
    await until(() => log.backlog().oldestMs > 0)
    await log.append('connections', [draft('next')], admission)
    await until(() => !log.availability('connections').available)
    expect(log.backlog().records).toBe(2)
    expect(log.backlog().oldestMs).toBeGreaterThan(backlogMs)
    await expect(log.append('connections', [draft('refused')], admission)).rejects.toMatchObject({ because: 'BACKLOG_FULL', code: 'not_written' })

    await nodes[2]!.start()
    await until(() => log.availability('connections').available)
    await log.append('connections', [draft('last')], admission)
    await until(() => log.backlog().records === 0)
    expect(await log.close(20_000)).toBe(true)
    expect(labelsOf(await expectWhole(brokers, prefix, 'connections'))).toEqual(['before', 'oldest', 'next', 'last'])
  }, 60_000)
})
