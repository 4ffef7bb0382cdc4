import kafkajs, { type Admin, type Kafka, type Producer } from 'kafkajs'
import type { Fault } from '../../../core/errors.ts'
import type { Logger } from '../../../core/logger.ts'
import { faultOf } from './client-faults.ts'
import { clientLog, clientLogLevel } from './client-log.ts'
import { registerCodecs } from './codec.ts'
import { FetchClient } from './fetch-client.ts'
import { OpenSockets } from './open-sockets.ts'
import { mendRequestQueues } from './request-queue.ts'
import { saslOptions, socketFactory, splittable, type KafkaSecurity } from './security.ts'
import { TopicClient } from './topic-client.ts'

/** The one place where kafkajs is configured: every connection to the brokers is made from here. */

export interface KafkaClientOptions {
  /** `host:port` of some brokers; the others are found through them. */
  readonly brokers: readonly string[]
  /** What the broker's own logs and quotas call us. */
  readonly clientId: string
  readonly logger: Logger
  /** Null or left out: neither TLS nor login. */
  readonly security?: KafkaSecurity | null
}

/** A request that a broker has not answered by then is given up and made again. */
const requestTimeoutMs = 5_000
const connectionTimeoutMs = 3_000
/** Pauses between tries of one request. */
const retry = { initialRetryTime: 50, maxRetryTime: 1_000, factor: 0.2, multiplier: 2 }
const triesMax = 5
const sendRetriesMax = 3

export class KafkaClient implements Disposable {
  readonly #kafka: Kafka
  readonly #options: KafkaClientOptions
  readonly #sockets = new OpenSockets()

  constructor(options: KafkaClientOptions) {
    const { brokers, clientId, logger, security = null } = options
    mendRequestQueues()
    registerCodecs()
    this.#options = options
    const sasl = saslOptions(security)
    this.#kafka = new kafkajs.Kafka({
      brokers: brokers.map(splittable),
      clientId,
      connectionTimeout: connectionTimeoutMs,
      logCreator: clientLog(logger),
      logLevel: clientLogLevel,
      requestTimeout: requestTimeoutMs,
      retry: { ...retry, retries: triesMax },
      socketFactory: this.#sockets.tracking(socketFactory(security)),
      ...(sasl === undefined ? {} : { sasl }),
    })
  }

  /** Not connected yet. Writes each batch once per life, whatever it has to repeat; has to be thrown away after a rejection. */
  producer(): Producer {
    return this.#kafka.producer({
      allowAutoTopicCreation: false,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      idempotent: true,
      // After a rejection the next send can be acknowledged and never stored: that is why its user throws it away then.
      // For ever would be until the cluster answers, also after `disconnect`.
      retry: { ...retry, retries: sendRetriesMax },
      maxInFlightRequests: 1,
    })
  }

  /** Not connected yet. Gives up after some tries. */
  admin(): Admin {
    return this.#kafka.admin({ retry: { ...retry, retries: triesMax } })
  }

  /** Not connected yet. */
  fetcher(topic: string): FetchClient {
    return new FetchClient(this.#kafka, topic)
  }

  /** Not connected yet. */
  topicClient(topic: string): TopicClient {
    return new TopicClient(this.#kafka, topic)
  }

  /**
   * Ends every connection, and those that are still being made: what is disconnected while it connects would else stay,
   * and keep the process from its end.
   */
  [Symbol.dispose](): void {
    this.#sockets.close()
  }

  /** What to tell a person of what any of them threw. */
  faultOf(error: unknown): Fault {
    const { brokers, security } = this.#options
    const login = security?.login ?? null
    const user = login !== null && 'user' in login ? login.user : null
    return faultOf(error, { brokers, login: login !== null, tls: (security?.tls ?? null) !== null, user })
  }
}
