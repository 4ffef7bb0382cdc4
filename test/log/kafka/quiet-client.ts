import { silentLogger } from '../../../src/core/logger.ts'
import { codecNumbers } from '../../../src/log/kafka/connection/codec.ts'
import { KafkaClient } from '../../../src/log/kafka/connection/client.ts'

/** A process that uses the client in every way, and brokers that are not there: whatever it prints, kafkajs printed. */

const [brokers = '', topic = ''] = process.argv.slice(2)
const client = new KafkaClient({ brokers: brokers.split(','), clientId: 'quiet', logger: silentLogger })

const admin = client.admin()
await admin.connect()
await admin.createTopics({ topics: [{ numPartitions: 1, replicationFactor: 1, topic }], waitForLeaders: true })
for (const compression of Object.values(codecNumbers)) {
  const producer = client.producer()
  await producer.connect()
  const send = (): Promise<unknown> => producer.send({ acks: -1, compression, messages: [{ key: 'k', partition: 0, value: 'v'.repeat(1_000) }], topic })
  await Promise.all([send(), send(), send()])
  await producer.disconnect()
}
const fetcher = client.fetcher(topic)
await fetcher.connect()
await fetcher.offsets([0], 'earliest')
const fetched = await fetcher.fetch(new Map([[0, 0]]), { bytesMax: 1_000_000, maxWaitMs: 1_000 })
await fetcher.disconnect()
await admin.disconnect()
await new KafkaClient({ brokers: ['127.0.0.1:1'], clientId: 'quiet', logger: silentLogger }).admin().connect().catch(() => {})
process.exitCode = fetched.flatMap(({ messages }) => messages).length === 9 ? 0 : 1
