import { randomUUID } from 'node:crypto'
import kafkajs from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { draft, labels } from '../../support/drafts.ts'
import { freshPrefix } from '../../support/kafka/broker.ts'
import type { FaultProxy } from '../../support/kafka/fault-proxy.ts'
import { hastyClock } from '../../support/kafka/hasty-clock.ts'
import { ownBrokersMissing } from '../../support/kafka/jars.ts'
import { kafkaClient, openKafkaLog, topicRecords, withoutRepeats } from '../../support/kafka/logs.ts'
import { startProxiedBroker, type ProxiedBroker } from '../../support/kafka/proxied-broker.ts'
import { MemoryDisk } from '../../support/memory-disk.ts'

/**
 * Answers of the broker that are lost on the way: what kafkajs makes of them, and that the shipper loses nothing that it
 * acknowledged and gives no number twice all the same.
 */

const owed = { purpose: 'owed' } as const

const missing = await ownBrokersMissing()

describe.skipIf(missing !== null)(`lost answers${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  let proxied: ProxiedBroker
  let proxy: FaultProxy
  let brokers: string[]

  beforeAll(async () => {
    proxied = await startProxiedBroker()
    ;({ brokers, proxy } = proxied)
  }, 60_000)
  afterAll(() => proxied[Symbol.asyncDispose]())

  test('kafkajs with few retries acknowledges the send after a lost one and never stores it', async () => {
    const topic = `plain.${randomUUID()}`
    const kafka = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING })
    const admin = kafka.admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ numPartitions: 1, topic }], waitForLeaders: true })
    await admin.disconnect()
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, retry: { initialRetryTime: 10, retries: 1 } })
    await producer.connect()
    const send = (value: string): Promise<unknown> => producer.send({ acks: -1, messages: [{ value }], topic })
    await send('first')
    proxy.plan('drop', 'drop')
    await expect(send('A')).rejects.toThrow('Closed connection')
    await expect(send('B')).resolves.toMatchObject([{ errorCode: 0 }])
    await send('C')
    await producer.disconnect()
    const fetcher = kafkaClient(brokers).fetcher(topic)
    await fetcher.connect()
    const [fetched] = await fetcher.fetch(new Map([[0, 0]]), { bytesMax: 1_048_576, maxWaitMs: 100 })
    await fetcher.disconnect()
    // Should this ever say first, A, B, C: kafkajs was mended, and the shipper's caution can be looked at again.
    expect(fetched!.messages.map(({ value }) => value!.toString())).toEqual(['first', 'A', 'C'])
  })

  test('with the shipper every acknowledged record is there once, in its order', async () => {
    const prefix = freshPrefix()
    const log = await openKafkaLog({ brokers, disk: new MemoryDisk(), prefix })
    const wanted: string[] = []
    for (let round = 0; round < 12; round += 1) {
      proxy.plan(...Array.from({ length: round % 4 }, () => 'drop' as const))
      const label = `r${round}`
      wanted.push(label)
      await log.append('connections', [draft(label)], owed)
    }
    expect(await log.close(10_000)).toBe(true)
    const stored = await topicRecords(brokers, prefix, 'connections')
    expect(withoutRepeats(stored).map(({ label }) => label)).toEqual(wanted)
    expect(withoutRepeats(stored).map(({ sequence }) => sequence)).toEqual(wanted.map((_, index) => index))
    expect(new Set(stored.map(({ text }) => text)).size).toBe(wanted.length)
  })

  test('what lands late, after a new producer has sent it again, is a repeat and nothing else', async () => {
    const prefix = freshPrefix()
    const log = await openKafkaLog({ brokers, clock: hastyClock(20), disk: new MemoryDisk(), prefix })
    await log.append('control', [draft('first')], owed)
    proxy.plan(...Array.from({ length: 200 }, () => 'hold' as const))
    const late = log.append('control', [draft('A')], owed)
    // The producer is given up, another one begins; only then does the network deliver again.
    while (proxy.held < 3) await new Promise((resolve) => setTimeout(resolve, 20))
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    proxy.forget()
    await late
    await log.append('control', [draft('B')], owed)
    proxy.release()
    while ((await topicRecords(brokers, prefix, 'control')).length < 4) await new Promise((resolve) => setTimeout(resolve, 50))
    await log.append('control', [draft('C')], owed)
    expect(await labels(log, 'control')).toEqual(['first', 'A', 'B', 'C'])
    await log.close(10_000)
    const stored = await topicRecords(brokers, prefix, 'control')
    expect(stored.length).toBeGreaterThan(4)
    expect(stored.slice(0, 3).map(({ label }) => label)).toEqual(['first', 'A', 'B'])
    expect(withoutRepeats(stored).map(({ sequence }) => sequence)).toEqual([0, 1, 2, 3])
    expect(new Set(stored.map(({ text }) => text)).size).toBe(4)
  })
})
