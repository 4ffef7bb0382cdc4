import { nodeOf } from '../../events/envelope.ts'
import type { OpenConnections } from '../../projections/open-connections.ts'
import type { EventOfType } from '../../projections/projection.ts'
import { instantMs } from '../core/clock.ts'
import { Fault } from '../core/errors.ts'
import type { ClusterLog } from '../log/cluster-log.ts'
import { ClusterIntake } from './cluster-intake.ts'

/**
 * A node that was retired and returns after all: what its earlier runs left open has been closed on record by whoever
 * retired it, and must not be closed again.
 */

/** Broker and node may disagree about the time by so much. */
const marginMs = 3_600_000

/** Runs of this node's epoch that other nodes have declared lost. Reads nothing when nothing was left open. */
export async function lostElsewhere(log: Pick<ClusterLog, 'readAll' | 'writer'>, left: OpenConnections): Promise<ReadonlySet<string>> {
  const { cluster, epoch, node } = log.writer
  const runs = new Set<string>()
  const openedMs = [...left.values()].flatMap(({ openedAt }) => instantMs(openedAt) ?? [])
  if (openedMs.length === 0) return runs
  const storedSinceMs = Math.max(0, openedMs.reduce((oldest, each) => Math.min(oldest, each), Infinity) - marginMs)
  const intake = new ClusterIntake(cluster, 'operations', ['dev.waybill.node.lost.v1'])
  try {
    for await (const { records } of log.readAll('operations', { follow: false, from: { storedSinceMs } })) {
      for (const record of records) {
        const recorded = intake.take<EventOfType<'dev.waybill.node.lost.v1'>>(record)
        if (recorded === null) continue
        const { data, source } = recorded.event
        if (data.node === node && data.epoch === epoch && nodeOf(source) !== node) runs.add(data.run)
      }
    }
  } catch (error) {
    // While the topic is being filled again nobody can say; closing a connection twice says it twice and changes nothing.
    if (!(error instanceof Fault)) throw error
  }
  return runs
}
