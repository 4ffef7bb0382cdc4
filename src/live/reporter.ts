import type { Draft } from '../../events/envelope.ts'
import { NodeReported, poolsReportedMax, type NodeReportedData } from '../../events/node.ts'
import type { PoolTotals } from '../../projections/nodes.ts'
import type { Clock, Timer } from '../core/clock.ts'
import type { ClusterLog } from '../log/cluster-log.ts'
import type { Drafts } from '../log/drafts.ts'
import { NotWritten, Unsettled } from '../log/event-log.ts'
import type { OwnNode } from './own-node.ts'

/**
 * Tells the other nodes of a cluster that this one is there and what its totals are. Holds nobody up: while the log
 * takes no records there are no reports, and the next one has all that changed meanwhile.
 */

/** A node is taken for silent after three of these. */
export const reportEveryMs = 10_000
/** Whoever begins to listen has to go back only so far to know all totals of the nodes that run. */
const reportAllEveryMs = 3_600_000
/** Of the last report, at the end: by then the log has taken the closing records, or it takes none. */
const lastReportTimeoutMs = 2_000

export interface ReporterParts {
  readonly clock: Clock
  readonly drafts: Drafts
  readonly log: Pick<ClusterLog, 'append' | 'availability' | 'backlog'>
  readonly own: OwnNode
}

type ReportedPool = NodeReportedData['pools'][number]

export class Reporter implements AsyncDisposable {
  readonly #parts: ReporterParts
  readonly #timer: Timer
  /** As the log has them, by pool. */
  #told = new Map<string, ReportedPool>()
  #tellAllAtMs = Number.NEGATIVE_INFINITY
  #writing: Promise<void> | null = null
  #ended = false

  /** Begins at once: `node.started` is on record by now. */
  constructor(parts: ReporterParts) {
    this.#parts = parts
    this.#timer = parts.clock.every(reportEveryMs, () => this.#report())
    this.#report()
  }

  /** Ends with a last report, so that the totals of this life are whole, if the log takes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    this.#timer[Symbol.dispose]()
    await this.#writing
    if (this.#parts.log.availability('operations').available) await this.#write(lastReportTimeoutMs)
  }

  #report(): void {
    const { log } = this.#parts
    // A report says how it is now: behind records that wait for the cluster it would come too late to say that.
    if (this.#writing !== null || !log.availability('operations').available || log.backlog().oldestMs > reportEveryMs) return
    this.#writing = this.#write(reportEveryMs).finally(() => (this.#writing = null))
  }

  async #write(timeoutMs: number): Promise<void> {
    const { clock, log } = this.#parts
    const nowMs = clock.monotonicMs()
    if (nowMs >= this.#tellAllAtMs) {
      this.#told = new Map()
      this.#tellAllAtMs = nowMs + reportAllEveryMs
    }
    const changed = this.#changed()
    const [first, ...others] = this.#drafts(changed)
    try {
      await log.append('operations', [first!, ...others], { purpose: 'admission', timeoutMs })
    } catch (error) {
      if (error instanceof NotWritten) return
      if (!(error instanceof Unsettled)) throw error
    }
    for (const pool of changed) this.#told.set(pool.pool, pool)
  }

  #changed(): ReportedPool[] {
    const { own } = this.#parts
    const changed: ReportedPool[] = []
    const names = own.poolNames()
    for (const name of names) {
      const pool = reportedPool(name, own.totalsOf(name))
      const told = this.#told.get(name)
      if (told === undefined || differs(told, pool)) changed.push(pool)
    }
    for (const name of this.#told.keys()) if (!names.has(name)) this.#told.delete(name)
    return changed
  }

  /** At least one: that it is there has to be said even when nothing changed. */
  #drafts(pools: readonly ReportedPool[]): Draft[] {
    const { drafts, own } = this.#parts
    const report = own.report()
    const made: Draft[] = []
    for (let from = 0; from === 0 || from < pools.length; from += poolsReportedMax) {
      const data: NodeReportedData = {
        clock_skew_ms: report.clockSkewMs,
        connections_open: report.connectionsOpen,
        oldest_open: report.oldestOpen,
        pools: pools.slice(from, from + poolsReportedMax),
        refused: report.refused,
        revision: report.revision,
        since: report.since,
        started_at: own.startedAt,
        version: own.version,
      }
      made.push(drafts.make(NodeReported, `nodes/${own.writer.node}`, data))
    }
    return made
  }
}

/** Keys in code-unit order, as records have them. */
function reportedPool(name: string, totals: PoolTotals): ReportedPool {
  return {
    backends_down: totals.backendsDown,
    bytes_to_backend: totals.bytesToBackend,
    bytes_to_client: totals.bytesToClient,
    closed: totals.closed,
    connections_open: totals.connectionsOpen,
    dial_failures: totals.dialFailures,
    opened: totals.opened,
    pool: name,
  }
}

function differs(one: ReportedPool, other: ReportedPool): boolean {
  return (Object.keys(one) as (keyof ReportedPool)[]).some((key) => one[key] !== other[key])
}
