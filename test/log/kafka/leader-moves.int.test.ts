import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { topicNames } from '../../../src/log/kafka/topics/topic-rules.ts'
import { Partitions } from '../../../src/log/kafka/topics/partitions.ts'
import { Appender } from '../../support/kafka/appender.ts'
import { freshPrefix } from '../../support/kafka/broker.ts'
import { hastyClock } from '../../support/kafka/hasty-clock.ts'
import { ownBrokersMissing } from '../../support/kafka/jars.ts'
import { kafkaClient, openKafkaLog } from '../../support/kafka/logs.ts'
import { restartsSoon, startCluster, type OwnCluster } from '../../support/kafka/own-broker.ts'
import { expectWhole, labelsOf, until } from '../../support/kafka/topic-checks.ts'
import { MemoryDisk } from '../../support/memory-disk.ts'

/** Three brokers with every record on all of them: one that dies takes nothing with it. */

const skipReason = await ownBrokersMissing()
const skipped = skipReason === null ? '' : ` (skipped: ${skipReason})`
const appended = ['connections', 'control'] as const

describe.skipIf(skipReason !== null)(`a broker of three that is killed${skipped}`, () => {
  let cluster: OwnCluster
  beforeAll(async () => {
    cluster = await startCluster(3, { properties: restartsSoon })
  }, 90_000)
  afterAll(() => cluster[Symbol.asyncDispose]())

  async function leaderOf(topic: string, partition: number): Promise<number> {
    const admin = kafkaClient(cluster.brokers).admin()
    await admin.connect()
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    await admin.disconnect()
    const found = topics[0]!.partitions.find(({ partitionId }) => partitionId === partition)!
    expect(found.isr).toHaveLength(3)
    return found.leader
  }

  test('leads the partitions that are written to: writing goes on by itself, and nothing acknowledged is missing', async () => {
    const { brokers } = cluster
    const prefix = freshPrefix()
    const log = await openKafkaLog({ brokers, clock: hastyClock(2), disk: new MemoryDisk(), prefix })
    const partition = new Partitions({ connections: 3, control: 1, operations: 3 }).of('connections', 'n1')
    const appenders = appended.map((stream) => new Appender(log, stream))
    await until(() => appenders.every(({ acknowledged }) => acknowledged.length > 20))
    await cluster.nodes[(await leaderOf(topicNames(prefix).connections, partition)) - 1]!.kill()
    const before = appenders.map(({ acknowledged }) => acknowledged.length)
    await until(() => appenders.every(({ acknowledged }, index) => acknowledged.length > before[index]! + 100))
    await Promise.all(appenders.map((appender) => appender.stop()))
    await until(() => log.availability().available)
    expect(await log.close(20_000)).toBe(true)
    for (const [index, stream] of appended.entries()) {
      const { acknowledged, refused } = appenders[index]!
      const stored = labelsOf(await expectWhole(brokers, prefix, stream))
      expect(stored).toEqual(expect.arrayContaining(acknowledged))
      expect(stored.filter((label) => refused.includes(label))).toEqual([])
    }
  }, 90_000)
})
