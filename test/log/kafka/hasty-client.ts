import { silentLogger } from '../../../src/core/logger.ts'
import { KafkaClient } from '../../../src/log/kafka/connection/client.ts'

/** A process that gives up connections in every moment of their making: it has to end by itself. */

const brokers = process.argv[2]!.split(',')
const roundsMax = 150

for (let round = 0; round < roundsMax; round += 1) {
  const client = new KafkaClient({ brokers, clientId: 'hasty', logger: silentLogger })
  for (const each of [client.producer(), client.admin(), client.fetcher('none')]) {
    each.connect().catch(() => {})
    await new Promise((resolve) => setTimeout(resolve, round % 15))
    void Promise.resolve(each.disconnect()).catch(() => {})
  }
  client[Symbol.dispose]()
}
