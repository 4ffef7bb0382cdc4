import { NodeLost } from '../../events/node.ts'
import type { OpenConnections } from '../../projections/open-connections.ts'
import type { Runs } from '../../projections/runs.ts'
import { closeLost } from '../live/lost-records.ts'
import type { Drafts } from '../log/drafts.ts'
import type { EventLog } from '../log/event-log.ts'

/**
 * After a crash: closes on record what this node's earlier process lives left open. Run before the first client is
 * accepted and after the log was replayed; running it twice closes nothing twice.
 */

export interface RecoverParts {
  readonly drafts: Drafts
  readonly epoch: string
  readonly log: EventLog
  readonly node: string
  readonly openConnections: OpenConnections
  readonly run: string
  readonly runs: Runs
  /** Runs of this node that another one has declared lost, and closed on record. */
  readonly closedElsewhere: ReadonlySet<string>
}

/** Resolves with how many were closed, once all their records are durable. */
export async function closeLeftOpen({ closedElsewhere, drafts, epoch, log, node, openConnections, run, runs }: RecoverParts): Promise<number> {
  const left = [...openConnections.values()].filter((open) => open.node === node && open.run !== run && !closedElsewhere.has(open.run))
  await closeLost({ drafts, log }, left, null, { purpose: 'owed' })
  const lostRuns = new Map<string, number>()
  const last = runs.get(node)
  if (last !== undefined && last.run !== run && last.ended === null && !closedElsewhere.has(last.run)) lostRuns.set(last.run, 0)
  for (const open of left) lostRuns.set(open.run, (lostRuns.get(open.run) ?? 0) + 1)
  for (const [lostRun, connections] of lostRuns) {
    const draft = drafts.make(NodeLost, `nodes/${node}`, { connections_closed: connections, epoch, node, run: lostRun })
    await log.append('operations', [draft], { purpose: 'owed' })
  }
  return left.length
}
