import kafkajs, { type Admin } from 'kafkajs'
import { describe, expect, test } from 'vitest'
import { ownBrokersMissing } from '../support/kafka/jars.ts'
import { restartsSoon, startCluster } from '../support/kafka/own-broker.ts'
import { until } from '../support/kafka/topic-checks.ts'

/** Three brokers move a partition to another leader when one dies, and take the dead one back. */

const missing = await ownBrokersMissing()
const topic = 'things'

describe.skipIf(missing !== null)(`three brokers${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  test('go on without one, and with it again', { timeout: 120_000 }, async () => {
    await using cluster = await startCluster(3, { properties: restartsSoon })
    const kafka = new kafkajs.Kafka({ brokers: cluster.brokers, logLevel: kafkajs.logLevel.NOTHING })
    const admin = kafka.admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ configEntries: [{ name: 'min.insync.replicas', value: '2' }], numPartitions: 1, replicationFactor: 3, topic }] })
    const producer = kafka.producer({ idempotent: true })
    await producer.connect()
    const send = () => producer.send({ acks: -1, messages: [{ value: 'x' }], topic })
    await send()

    const first = (await placeOf(admin)).leader
    const leader = cluster.nodes[first - 1]!
    await leader.kill()
    await send()
    expect((await placeOf(admin)).leader).not.toBe(first)

    await leader.start()
    await until(async () => (await placeOf(admin)).isr.includes(first))
    expect(await admin.fetchTopicOffsets(topic)).toMatchObject([{ offset: '2' }])
    await producer.disconnect()
    await admin.disconnect()
  })
})

async function placeOf(admin: Admin): Promise<{ readonly leader: number; readonly isr: readonly number[] }> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  return topics[0]!.partitions[0]!
}
