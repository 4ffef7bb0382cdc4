import { z } from 'zod'
import { defineEvent, nodeAudit, type EventOf } from './define.ts'
import { Count, text } from './values.ts'

/** The lives of a node's process: started, stopped, lost. */

/** Settings are no secrets. */
const SettingInForce = z
  .strictObject({ name: z.string().regex(/^[a-z_]{1,40}$/), value: text(4_096) })
  .meta({ description: 'A setting as the process runs by it, wherever it was set.' })

export const NodeStarted = defineEvent({
  type: 'dev.waybill.node.started.v1',
  stream: 'operations',
  summary: 'One process life of the node begins; its id is `run`.',
  subject: 'nodes/<node>',
  audit: nodeAudit({ always: 'success' }),
  data: z.strictObject({
    connections_max: Count.meta({ description: 'Client connections at once, from the descriptor limit.' }),
    descriptors_max: Count,
    process: z.int().min(1).meta({ description: 'Process id on its machine.' }),
    settings: z.array(SettingInForce).max(64),
    versions: z.strictObject({ node: text(60), openssl: text(60), waybill: text(60) }),
  }),
  examples: [
    {
      connections_max: 9_872,
      descriptors_max: 20_000,
      process: 4_711,
      settings: [{ name: 'listen', value: '[::]:8443' }],
      versions: { node: '26.10.0', openssl: '3.5.4', waybill: '0.1.0' },
    },
  ],
})

export const NodeStopped = defineEvent({
  type: 'dev.waybill.node.stopped.v1',
  stream: 'operations',
  summary: 'One process life of the node ended in order: every connection has its closing record.',
  subject: 'nodes/<node>',
  audit: nodeAudit({ at: 'data.because' }),
  data: z.strictObject({
    because: z.enum(['signal']),
    connections_ended: Count.meta({ description: 'Connections that the drain did not see end by themselves.' }),
  }),
  examples: [{ because: 'signal', connections_ended: 0 }],
})

export const NodeLost = defineEvent({
  type: 'dev.waybill.node.lost.v1',
  stream: 'operations',
  summary: 'An earlier process life ended without a word; what it left open is closed on record.',
  subject: 'nodes/<node>',
  audit: nodeAudit({ always: 'failure' }),
  data: z.strictObject({
    connections_closed: Count.meta({ description: 'Connections closed on record with because: node_lost.' }),
    run: z.uuid().meta({ description: 'The process life that was lost.' }),
  }),
  examples: [{ connections_closed: 42, run: '0198c0de-0000-7000-8000-000000000003' }],
})

export const nodeEvents = [NodeStarted, NodeStopped, NodeLost] as const
export type NodeEvent = EventOf<(typeof nodeEvents)[number]>
