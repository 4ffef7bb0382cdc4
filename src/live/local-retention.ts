import { LogPruned } from '../../events/log.ts'
import type { OpenConnections } from '../../projections/open-connections.ts'
import { instantMs, type Clock } from '../core/clock.ts'
import { errnoOf, Fault, messageOf } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import type { ClusterLog, LocalCut } from '../log/cluster-log.ts'
import type { Drafts } from '../log/drafts.ts'

/**
 * Keeps a cluster node's disk from growing for ever: what Kafka has is removed here after a while, on record, but never what
 * tells of a connection that is still open.
 */

/** A start has more important things to read. */
const firstAfterMs = 600_000
const everyMs = 3_600_000
/** No record, no cut. */
const recordTimeoutMs = 30_000

export interface LocalRetentionParts {
  readonly clock: Clock
  readonly drafts: Drafts
  readonly live: { readonly openConnections: OpenConnections }
  readonly log: Pick<ClusterLog, 'append' | 'cutLocal' | 'writer'>
  readonly logger: Logger
  readonly retentionMs: number
}

export class LocalRetention implements Disposable {
  readonly #parts: LocalRetentionParts
  readonly #timers = new DisposableStack()
  #running = false
  #ended = false

  constructor(parts: LocalRetentionParts) {
    const { clock } = parts
    this.#parts = parts
    this.#timers.use(clock.after(firstAfterMs, () => void this.#cut()))
    this.#timers.use(clock.every(everyMs, () => void this.#cut()))
  }

  /** What is under way ends with the log. */
  [Symbol.dispose](): void {
    this.#ended = true
    this.#timers.dispose()
  }

  async #cut(): Promise<void> {
    if (this.#running) return
    this.#running = true
    const { clock, live, log, logger, retentionMs } = this.#parts
    try {
      const beforeMs = Math.min(clock.now() - retentionMs, oldestMs(live.openConnections, log.writer.run))
      for (const { first, last, stream } of await log.cutLocal({ beforeMs, record: (cut) => this.#record(cut) })) {
        logger.info(`records of the ${stream} stream that Kafka has were removed from this disk`, { first, last })
      }
    } catch (error) {
      if (!(error instanceof Fault) && errnoOf(error) === 'EUNKNOWN') throw error
      if (!this.#ended) logger.warn('what Kafka has could not be removed from this disk; the next try is within the hour', { because: messageOf(error) })
    } finally {
      this.#running = false
    }
  }

  async #record({ first, last, leafHash, offset, partition, stream, topic }: LocalCut): Promise<void> {
    if (this.#ended) throw new Fault('closed', 'log', 'the node is stopping')
    const { drafts, log } = this.#parts
    const data = { because: 'in_kafka', first, last, leaf_hash: leafHash, offset, partition, stream, topic } as const
    await log.append('operations', [drafts.make(LogPruned, `log/${stream}`, data)], { purpose: 'owed', timeoutMs: recordTimeoutMs })
  }
}

/**
 * When the oldest connection that this process has open was opened, milliseconds since the epoch. Those of earlier runs are over: what
 * another node has closed on record stays open in this node's own stream for ever.
 */
function oldestMs(open: OpenConnections, own: string): number {
  let oldest: string | null = null
  // Times in records have one form, so that the order of the texts is that of the times.
  for (const { openedAt, run } of open.values()) if (run === own && (oldest === null || openedAt < oldest)) oldest = openedAt
  return oldest === null ? Infinity : (instantMs(oldest) ?? 0)
}
