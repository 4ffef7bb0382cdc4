import kafkajs from 'kafkajs'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import type { LogFields } from '../../../src/core/logger.ts'
import { KafkaClient } from '../../../src/log/kafka/connection/client.ts'
import { passwordExchanges, requestQueuePrototype } from '../../../src/log/kafka/connection/kafkajs-internals.ts'
import { freshPrefix, kafkaMissing, sharedBrokers } from '../../support/kafka/broker.ts'

test('what is used of kafkajs besides its entry is there', () => {
  expect(Object.values(passwordExchanges).map((exchange) => typeof exchange({ password: '', username: '' }))).toEqual(['function', 'function', 'function'])
  expect(typeof requestQueuePrototype.scheduleCheckPendingRequests).toBe('function')
  expect(typeof requestQueuePrototype.checkPendingRequests).toBe('function')
})

const skipReason = kafkaMissing()

describe.skipIf(skipReason !== null)(`the client${skipReason === null ? '' : ` (skipped: ${skipReason})`}`, () => {
  test('prints nothing, warns of nothing, and keeps no process from its end', async () => {
    const environment = { ...process.env, KAFKAJS_LOG_LEVEL: 'debug', NODE_ENV: 'production' }
    const argv = ['--trace-warnings', 'test/log/kafka/quiet-client.ts', sharedBrokers().join(','), freshPrefix()]
    // Rejects when it exits with anything but 0.
    expect(await promisify(execFile)(process.execPath, argv, { env: environment })).toEqual({ stderr: '', stdout: '' })
  })

  test('keeps no process from its end by connections that were given up while they were made', async () => {
    // Resolves when it ends, which nothing in it makes it do.
    expect(await promisify(execFile)(process.execPath, ['test/log/kafka/hasty-client.ts', sharedBrokers().join(',')])).toEqual({ stderr: '', stdout: '' })
  })

  test('tells the program\'s logger, in sentences without what brokers answered', async () => {
    const said: [string, LogFields | undefined][] = []
    const tell = (sentence: string, fields?: LogFields): void => void said.push([sentence, fields])
    const client = new KafkaClient({ brokers: ['127.0.0.1:1'], clientId: 'x', logger: { debug: tell, error: tell, info: tell, warn: tell } })
    await expect(client.admin().connect()).rejects.toThrow('ECONNREFUSED')
    expect(said[0]).toEqual(['kafka client: Connection error: connect ECONNREFUSED 127.0.0.1:1', { failed: true, namespace: 'Connection' }])
  })

  test('finds brokers by IPv6 addresses', async () => {
    const said: string[] = []
    const tell = (sentence: string): void => void said.push(sentence)
    const client = new KafkaClient({ brokers: ['[::1]:1'], clientId: 'x', logger: { debug: tell, error: tell, info: tell, warn: tell } })
    await expect(client.admin().connect()).rejects.toThrow(/connect E\w+ ::1:1/)
  })

  test('reads what a topic holds in every compression that it knows, and says which it does not', async () => {
    const topic = freshPrefix()
    const client = new KafkaClient({ brokers: sharedBrokers(), clientId: 'x', logger: { debug: () => {}, error: () => {}, info: () => {}, warn: () => {} } })
    const admin = client.admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ configEntries: [{ name: 'compression.type', value: 'lz4' }], numPartitions: 1, replicationFactor: 1, topic }], waitForLeaders: true })
    const producer = client.producer()
    await producer.connect()
    await producer.send({ acks: -1, compression: kafkajs.CompressionTypes.ZSTD, messages: [{ key: 'k', value: 'v'.repeat(2_000) }], topic })
    const fetcher = client.fetcher(topic)
    await fetcher.connect()
    const fetched = fetcher.fetch(new Map([[0, 0]]), { bytesMax: 100_000, maxWaitMs: 1_000 })
    await expect(fetched.catch((error: unknown) => Promise.reject(client.faultOf(error)))).rejects.toMatchObject({ code: 'kafka_codec_unknown' })
    await Promise.all([admin.disconnect(), producer.disconnect(), fetcher.disconnect()])
  })
})
