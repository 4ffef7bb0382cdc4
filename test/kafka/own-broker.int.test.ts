import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import kafkajs, { type Kafka } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FaultProxy } from '../support/kafka/fault-proxy.ts'
import { ownBrokersMissing } from '../support/kafka/jars.ts'
import { restartsSoon, startBroker, type OwnBroker } from '../support/kafka/own-broker.ts'
import { freePort, isServing } from '../support/kafka/ports.ts'
import { startProxiedBroker, type ProxiedBroker } from '../support/kafka/proxied-broker.ts'
import { until } from '../support/kafka/topic-checks.ts'

/** The broker that tests stop and the proxy that loses answers do what the tests that lean on them believe. */

const missing = await ownBrokersMissing()
const topic = 'things'

describe.skipIf(missing !== null)(`a broker of a test's own${missing === null ? '' : ` (skipped: ${missing})`}`, { timeout: 60_000 }, () => {
  let broker: OwnBroker
  let port: number
  let proxied: ProxiedBroker | undefined
  let proxy: FaultProxy
  /** Behind the proxy. */
  let kafka: Kafka

  beforeAll(async () => {
    proxied = await startProxiedBroker(restartsSoon)
    ;({ broker, proxy } = proxied)
    port = portOf(broker.address)
    kafka = new kafkajs.Kafka({
      brokers: broker.brokers, logLevel: kafkajs.logLevel.NOTHING, requestTimeout: 500, retry: { initialRetryTime: 50, maxRetryTime: 200 },
    })
    await withAdmin((admin) => admin.createTopics({ topics: [{ numPartitions: 1, replicationFactor: 1, topic }] }))
  }, 90_000)
  afterAll(() => proxied?.[Symbol.asyncDispose]())

  async function withAdmin<Result>(use: (admin: kafkajs.Admin) => Promise<Result>): Promise<Result> {
    const admin = kafka.admin()
    await admin.connect()
    try {
      return await use(admin)
    } finally {
      await admin.disconnect()
    }
  }

  /** Messages in the topic. */
  async function stored(): Promise<number> {
    const [end] = await withAdmin((admin) => admin.fetchTopicOffsets(topic))
    return Number(end?.offset)
  }

  /** Sends one message with a producer of its own, which tries until it has an answer. */
  async function send(): Promise<void> {
    const producer = kafka.producer({ idempotent: true })
    await producer.connect()
    try {
      await producer.send({ acks: -1, messages: [{ value: randomUUID() }], topic })
    } finally {
      await producer.disconnect()
    }
  }

  test('keeps what it was sent when it is stopped or killed, and comes back where it was', async () => {
    const before = await stored()
    await send()
    await broker.stop()
    expect(await isServing(port, 1)).toBe(false)
    await broker.start()
    await send()
    await broker.kill()
    expect(await isServing(port, 1)).toBe(false)
    await broker.start()
    expect(await stored()).toBe(before + 2)
  })

  test('says nothing while it is paused', async () => {
    broker.pause()
    expect(await isServing(port, 1)).toBe(false)
    broker.resume()
    expect(await isServing(port, 1)).toBe(true)
  })

  test('can be stopped while it is paused', async () => {
    broker.pause()
    await broker.stop()
    await broker.start()
    expect(await isServing(port, 1)).toBe(true)
  })

  test.each(['drop', 'swallow'] as const)('answers that meet "%s" are lost, and what they answer is stored', async (fate) => {
    const [before, produced] = [await stored(), proxy.produced]
    proxy.plan(fate, fate)
    await send()
    expect(proxy.produced - produced).toBe(3)
    expect(await stored()).toBe(before + 1)
  })

  test('what is held is not stored before it is released', async () => {
    const before = await stored()
    proxy.plan('hold')
    await send()
    expect(proxy.held).toBe(1)
    expect(await stored()).toBe(before + 1)
    // The broker knows by the number of the batch that it has this one.
    proxy.release()
    expect(proxy.held).toBe(0)
    await send()
    expect(await stored()).toBe(before + 2)
  })

  test('a black hole takes everything, until it is healed', async () => {
    expect(await isServing(portOf(proxy.address), 1)).toBe(true)
    proxy.blackhole()
    expect(await isServing(portOf(proxy.address), 1)).toBe(false)
    proxy.heal()
    expect(await isServing(portOf(proxy.address), 1)).toBe(true)
  })

  test('every connection is cut at once', async () => {
    proxy.cut()
    await until(() => proxy.connections === 0)
    const clients = [connect(portOf(proxy.address), '127.0.0.1'), connect(portOf(proxy.address), '127.0.0.1')]
    await until(() => proxy.connections === 2)
    const ends = clients.map((client) => once(client.resume(), 'close'))
    proxy.cut()
    await Promise.all(ends)
  })

  test('one that does not start says why', async () => {
    await expect(startBroker({ properties: { 'ssl.keystore.type': 'PEM', 'ssl.keystore.location': '/nowhere' }, listeners: [{ port: await freePort(), protocol: 'SSL' }] }))
      .rejects.toThrow(/^broker 1 did not start:[^]*\/nowhere/)
  })
})

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1))
}
