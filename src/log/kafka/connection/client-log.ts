import kafkajs, { type logCreator } from 'kafkajs'
import type { Logger } from '../../../core/logger.ts'

/**
 * Where kafkajs's own messages go: the program's logger, and never the console. Only the sentence and where it comes from
 * are passed on: what it adds besides may be whole answers of brokers.
 */

/** What kafkajs calls an error is mostly a retry that works, many times a second in an outage; what matters we say ourselves. */
export function clientLog(logger: Logger): logCreator {
  return () =>
    ({ level, log, namespace }) => {
      logger.debug(`kafka client: ${log.message}`, { namespace, ...(level === kafkajs.logLevel.ERROR ? { failed: true } : {}) })
    }
}

export const clientLogLevel = kafkajs.logLevel.WARN
