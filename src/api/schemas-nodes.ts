import { z } from 'zod'
import { NodeName, PoolName } from '../../events/values.ts'

/** Nodes, and the share that each has in a pool, as the API shows them. */

const count = z.int().min(0)

const DownBackends = z
  .array(z.strictObject({ backend: z.string(), since: z.string(), code: z.string().nullable() }))
  .meta({ description: 'Backends that the node sees down, and what failed last (errno name or timeout).' })

const state = z.enum(['running', 'stopped', 'lost', 'retired']).meta({
  description: 'stopped: in order. lost: without a word, and what it left open is closed on record. retired: somebody said that it never returns.',
})
const stale = z.boolean().meta({
  description: 'Running as far as anybody said, and not heard of for 30 s: what is said of it is old.',
})
const seenAt = z.string().nullable().meta({
  description: 'When the cluster stored its last sign of life; null: it is the node that answers.',
})
const since = z.string().nullable().meta({
  description: 'The oldest record that its totals count: they begin with its log folder. Null: nothing was counted yet.',
})

const traffic = {
  current_connections: count.meta({ description: '0 when it does not run, or is stale.' }),
  total_connections: count,
  bytes_to_backend: count.meta({ description: 'Open connections included.' }),
  bytes_to_client: count,
  dial_failures: count,
}

/** One node's part of a pool's statistics. */
export const NodeShare = z
  .strictObject({
    node: NodeName,
    self: z.boolean().meta({ description: 'The node that answers; its numbers are of this moment, those of others up to 10 s old.' }),
    state,
    stale,
    seen_at: seenAt,
    since,
    healthy_backends: count.meta({ description: 'Not seen down by this node.' }),
    backends_down: DownBackends,
    ...traffic,
  })
  .meta({ id: 'NodeShare' })
export type NodeShare = z.infer<typeof NodeShare>

export const NodeSummary = z
  .strictObject({
    name: NodeName,
    self: z.boolean().meta({ description: 'The node that answers.' }),
    state,
    stale,
    seen_at: seenAt,
    started_at: z.string(),
    epoch: z.string().meta({ description: 'Of its log folder.' }),
    run: z.string().meta({ description: 'Of its process.' }),
    version: z.string(),
    since,
    revision: count.nullable().meta({ description: 'The configuration that it routes by; null: it has not reported yet.' }),
    current_connections: count,
    oldest_connection: z.string().nullable().meta({ description: 'When the oldest open connection was opened.' }),
    refused: count.meta({ description: 'Clients refused.' }),
    clock_skew_ms: z.int().nullable().meta({
      description: 'Milliseconds that its clock is ahead of the brokers; null: not known, or there are none.',
    }),
  })
  .meta({ id: 'NodeSummary' })
export type NodeSummary = z.infer<typeof NodeSummary>

export const NodeView = z
  .strictObject({ ...NodeSummary.shape, pools: z.array(z.strictObject({ name: PoolName, ...traffic })) })
  .meta({ id: 'Node' })
export type NodeView = z.infer<typeof NodeView>

export const NodesView = z.strictObject({
  nodes: z.array(NodeSummary),
  caught_up: z.boolean().meta({ description: 'False for a moment after a start: others may be missing.' }),
})
export type NodesView = z.infer<typeof NodesView>

export const NodeParams = z.strictObject({ name: NodeName })

export const RetiredView = z
  .strictObject({
    node: NodeName,
    state: z.literal('retired'),
    connections_closed: count.meta({ description: 'Closed on record by this call.' }),
    repeated: z.boolean().meta({ description: 'True: it was retired before, and nothing was open. No record was written.' }),
  })
  .meta({ id: 'RetiredNode' })
