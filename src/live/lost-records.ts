import { closingActor, ConnectionClosed } from '../../events/connection.ts'
import type { Draft } from '../../events/envelope.ts'
import type { Actor } from '../../events/values.ts'
import type { OpenConnection } from '../../projections/open-connections.ts'
import type { Drafts } from '../log/drafts.ts'
import type { AppendOptions, EventLog } from '../log/event-log.ts'

/** Closes on record what a process life that ended without a word left open: its own node's, or one that never returns. */

const recordsPerAppend = 512

/**
 * Resolves when all of it is durable; rejects as the log's `append`. `retiredBy`: who said that the node never returns;
 * null: a later life of the node closes.
 */
export async function closeLost(
  { drafts, log }: { readonly drafts: Drafts; readonly log: Pick<EventLog, 'append'> },
  left: readonly OpenConnection[],
  retiredBy: Actor | null,
  options: AppendOptions,
): Promise<void> {
  for (let from = 0; from < left.length; from += recordsPerAppend) {
    const [first, ...others] = left.slice(from, from + recordsPerAppend).map((open) => closingOf(drafts, open, retiredBy))
    await log.append('connections', [first!, ...others], options)
  }
}

function closingOf(drafts: Drafts, left: OpenConnection, retiredBy: Actor | null): Draft {
  const { opened, bytesToBackend, bytesToClient, encrypted, tls } = left
  return drafts.make(ConnectionClosed, `connections/${opened.connection_id}`, {
    backend: opened.backend,
    backend_address: opened.backend_address,
    bytes_quality: 'at_least',
    bytes_to_backend: bytesToBackend,
    bytes_to_client: bytesToClient,
    client: opened.client,
    close: {
      actor: retiredBy === null ? null : closingActor(retiredBy),
      because: 'node_lost',
      by: retiredBy === null ? 'proxy' : 'operator',
      code: null,
      phase: 'unknown',
    },
    connection_id: opened.connection_id,
    encrypted,
    listener: opened.listener,
    pool: opened.pool,
    server_name: opened.server_name,
    timings: null,
    tls,
  })
}
