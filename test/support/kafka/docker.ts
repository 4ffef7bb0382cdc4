import { KafkaContainer } from '@testcontainers/kafka'
import { getContainerRuntimeClient } from 'testcontainers'

/** A broker in a container, where a Docker engine answers. */

/** Kafka 4.1, KRaft; the module starts this vendor's images only. */
const image = 'confluentinc/cp-kafka:8.1.0'
const clientPort = 9093

export interface ContainedBroker extends AsyncDisposable {
  readonly brokers: readonly string[]
}

/** Null: no engine answers. */
export async function startInDocker(): Promise<ContainedBroker | null> {
  try {
    await getContainerRuntimeClient()
  } catch {
    return null
  }
  const container = await new KafkaContainer(image).withEnvironment({ KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false' }).start()
  return {
    brokers: [`${container.getHost()}:${container.getMappedPort(clientPort)}`],
    [Symbol.asyncDispose]: async () => void (await container.stop()),
  }
}
