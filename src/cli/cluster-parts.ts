import type { OpenConnections } from '../../projections/open-connections.ts'
import type { RetireParts } from '../commands/retire.ts'
import { sleep, type Clock } from '../core/clock.ts'
import type { Disk } from '../core/disk.ts'
import { Fault } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import { ClusterView, type TakenOver } from '../live/cluster-view.ts'
import { closeLeftOpenOf } from '../live/left-open.ts'
import { LocalRetention } from '../live/local-retention.ts'
import { recordLostTopics } from '../live/lost-topics.ts'
import type { OpenCounters } from '../live/node-view.ts'
import { Nodes } from '../live/nodes.ts'
import { OwnNode, type OwnNodeParts } from '../live/own-node.ts'
import { Reporter } from '../live/reporter.ts'
import { ClusterViewFile } from '../live/snapshots/cluster-view-file.ts'
import { isClusterLog, type ClusterLog } from '../log/cluster-log.ts'
import type { Drafts } from '../log/drafts.ts'
import type { NodeLog } from '../log/node-log.ts'
import type { Notes } from '../log/notes.ts'

/**
 * What a node does because there are others: tells them that it is there, listens to them, closes on record what an
 * earlier folder of its name left open, and leaves to Kafka what is old. With a log of its own it knows itself, and that is all.
 */

export interface ClusterParts extends AsyncDisposable {
  readonly nodes: Nodes
  /** Null: this node has its log to itself. */
  readonly cluster: RetireParts['cluster']
}

export interface ClusterPartsOptions {
  readonly clock: Clock
  readonly disk: Disk
  readonly drafts: Drafts
  /** Where snapshots are. */
  readonly folder: string
  readonly freeBytesMin: number
  readonly live: OwnNodeParts['live'] & { readonly openConnections: OpenConnections }
  /** How long what Kafka has stays on this disk as well; null: for ever. */
  readonly localRetentionMs: number | null
  readonly log: NodeLog
  readonly logger: Logger
  readonly notes: Pick<Notes, 'write'>
  /** The name is somebody else's now: this process has to end. */
  readonly onTakenOver: (by: TakenOver) => void
  readonly open: OpenCounters
  /** Of the cluster that the log is of, so that nothing kept of another one is used. */
  readonly origin: string
  readonly version: string
}

/** Call it when `node.started` is on record. Ends with a last report, so dispose of it before the log. */
export function startClusterParts(options: ClusterPartsOptions): ClusterParts {
  const { clock, live, log, open, version } = options
  const shared = isClusterLog(log) ? log : null
  const own = new OwnNode({ clock, live, open, skewMs: () => shared?.brokerClock.skewMs ?? null, version, writer: log.writer })
  if (shared === null) return { nodes: new Nodes({ own, view: null }), cluster: null, [Symbol.asyncDispose]: async () => {} }
  return startShared(options, shared, own)
}

function startShared(options: ClusterPartsOptions, log: ClusterLog, own: OwnNode): ClusterParts {
  const { clock, disk, drafts, folder, freeBytesMin, live, localRetentionMs, logger, notes, onTakenOver, origin } = options
  const file = new ClusterViewFile({ disk, folder, freeBytesMin, logger, origin })
  const view = new ClusterView({ clock, file, log, logger, onTakenOver })
  const reporter = new Reporter({ clock, drafts, log, own })
  const parts = new DisposableStack()
  parts.use(recordLostTopics({ clock, drafts, log, logger, notes, view }))
  if (localRetentionMs !== null) parts.use(new LocalRetention({ clock, drafts, live, log, logger, retentionMs: localRetentionMs }))
  const ending = new AbortController()
  // What waits for the log at the end, the end of the log settles.
  void closeEarlier({ clock, drafts, log, logger, signal: ending.signal, view })
  return {
    nodes: new Nodes({ own, view }),
    cluster: { log, view },
    [Symbol.asyncDispose]: async () => {
      parts.dispose()
      ending.abort()
      await view.stop()
      await reporter[Symbol.asyncDispose]()
    },
  }
}

/** How often is looked whether the lives before this one have ended: one that was taken over closes itself what it has open. */
const lookAtEarlierMs = 5_000

interface Earlier {
  readonly clock: Clock
  readonly drafts: Drafts
  readonly log: ClusterLog
  readonly logger: Logger
  readonly signal: AbortSignal
  readonly view: ClusterView
}

/** In the background: clients need not wait until it is found out what an earlier folder of this name left open. */
async function closeEarlier({ clock, drafts, log, logger, signal, view }: Earlier): Promise<void> {
  await view.start()
  while (!signal.aborted && !view.aloneUnderItsName) await sleep(clock, lookAtEarlierMs, signal)
  const before = view.node(log.writer.node)
  if (before === null || signal.aborted) return
  try {
    const closed = await closeLeftOpenOf({ drafts, log, lost: before, options: { purpose: 'owed' }, signal })
    if (closed > 0) logger.warn(`${closed} connections that an earlier log folder of this node left open were closed on record`)
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    logger.warn('what an earlier log folder of this node left open could not be closed on record; the next start does it', { error: error.message })
  }
}
