import { ConnectionClosed } from '../../events/connection.ts'
import type { Draft } from '../../events/envelope.ts'
import { NodeLost } from '../../events/node.ts'
import type { OpenConnection, OpenConnections } from '../../projections/open-connections.ts'
import type { Runs } from '../../projections/runs.ts'
import type { Drafts } from '../log/drafts.ts'
import type { EventLog } from '../log/event-log.ts'

/**
 * After a crash: closes on record what this node's earlier process lives left open. Run before the first client is
 * accepted and after the log was replayed; running it twice closes nothing twice.
 */

const recordsPerAppend = 512

export interface RecoverParts {
  readonly drafts: Drafts
  readonly log: EventLog
  readonly node: string
  readonly openConnections: OpenConnections
  readonly run: string
  readonly runs: Runs
}

/** Resolves with how many were closed, once all their records are durable. */
export async function closeLeftOpen({ drafts, log, node, openConnections, run, runs }: RecoverParts): Promise<number> {
  const left = [...openConnections.values()].filter((open) => open.node === node && open.run !== run)
  const closing = left.map((open) => lostRecord(drafts, open))
  for (let from = 0; from < closing.length; from += recordsPerAppend) {
    const [first, ...others] = closing.slice(from, from + recordsPerAppend)
    await log.append('connections', [first!, ...others], { purpose: 'owed' })
  }
  const lostRuns = new Map<string, number>()
  const last = runs.get(node)
  if (last !== undefined && last.run !== run && last.ended === null) lostRuns.set(last.run, 0)
  for (const open of left) lostRuns.set(open.run, (lostRuns.get(open.run) ?? 0) + 1)
  for (const [lostRun, connections] of lostRuns) {
    const draft = drafts.make(NodeLost, `nodes/${node}`, { connections_closed: connections, run: lostRun })
    await log.append('operations', [draft], { purpose: 'owed' })
  }
  return left.length
}

function lostRecord(drafts: Drafts, { opened, bytesToBackend, bytesToClient, encrypted, tls }: OpenConnection): Draft {
  return drafts.make(ConnectionClosed, `connections/${opened.connection_id}`, {
    backend: opened.backend,
    backend_address: opened.backend_address,
    bytes_quality: 'at_least',
    bytes_to_backend: bytesToBackend,
    bytes_to_client: bytesToClient,
    client: opened.client,
    close: { actor: null, because: 'node_lost', by: 'proxy', code: null, phase: 'unknown' },
    connection_id: opened.connection_id,
    encrypted,
    listener: opened.listener,
    pool: opened.pool,
    server_name: opened.server_name,
    timings: null,
    tls,
  })
}
