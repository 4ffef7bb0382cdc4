import { reasonAgainstJars } from './jars.ts'
import { startBroker } from './own-broker.ts'

/** `npm run kafka`: a broker for a developer, until Ctrl-C. Its data goes with it. */

const because = await reasonAgainstJars()
if (because !== null) {
  process.stderr.write(`Kafka can't be started here: ${because}. deploy/compose.yaml has a cluster for Docker.\n`)
  process.exit(1)
}
process.stderr.write('starting Apache Kafka (the first time its jars are fetched)\n')
await using broker = await startBroker()
process.stdout.write(`Kafka listens at ${broker.address}; its data is in ${broker.dataFolder} and goes with it.\n`)
process.stdout.write(`  npm start -- --kafka ${broker.address}\n`)
await new Promise((done) => {
  process.once('SIGINT', done)
  process.once('SIGTERM', done)
})
