import { z } from 'zod'
import { defineEvent, nodeAudit, type EventOf } from './define.ts'
import { Actor, Change, Count, NodeName, Origin, PoolName, Time, exampleActor, exampleChange, exampleOrigin, text } from './values.ts'

/** The lives of a node's process, what it tells the others meanwhile, and its end when it can't tell that itself. */

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
    because: z.enum(['signal', 'taken_over']).meta({ description: 'taken_over: a younger process goes by the name of the node.' }),
    connections_ended: Count.meta({ description: 'Connections that the drain did not see end by themselves.' }),
  }),
  examples: [{ because: 'signal', connections_ended: 0 }],
})

/** In one record at most, so that it keeps to the size of one whatever the names and numbers. */
export const poolsReportedMax = 90

export const NodeReported = defineEvent({
  type: 'dev.waybill.node.reported.v1',
  stream: 'operations',
  summary: 'A node of a cluster tells the others that it is there and what its totals are. Written every 10 s.',
  subject: 'nodes/<node>',
  audit: nodeAudit({ always: 'success' }),
  data: z.strictObject({
    clock_skew_ms: z.int().nullable().meta({
      description: 'Milliseconds that its clock is ahead of the broker (negative: behind); null: not known yet.',
    }),
    connections_open: Count,
    oldest_open: Time.nullable().meta({ description: 'When the oldest of the open connections was opened; null: none is open.' }),
    pools: z
      .array(
        z.strictObject({
          backends_down: Count.meta({ description: 'Backends of the pool that this node sees down.' }),
          bytes_to_backend: Count.meta({ description: 'Open connections included.' }),
          bytes_to_client: Count,
          closed: Count,
          connections_open: Count,
          dial_failures: Count,
          opened: Count,
          pool: PoolName,
        }),
      )
      .max(poolsReportedMax)
      .meta({
        description: 'Totals since `since`, of the pools whose numbers changed since the last report; now and then of all.',
      }),
    refused: Count.meta({ description: 'Clients refused since `since`.' }),
    revision: Count.meta({ description: 'The configuration that the node routes by.' }),
    since: Time.nullable().meta({ description: 'The first record that the totals count; null: nothing was counted yet.' }),
    started_at: Time.meta({ description: 'When this process life began.' }),
    version: z.string().regex(/^[0-9A-Za-z.+-]{1,60}$/),
  }),
  examples: [
    {
      clock_skew_ms: 3,
      connections_open: 211,
      oldest_open: '2026-11-24T07:12:45.118Z',
      pools: [
        {
          backends_down: 0,
          bytes_to_backend: 1_204_511,
          bytes_to_client: 88_112_907,
          closed: 40_127,
          connections_open: 211,
          dial_failures: 3,
          opened: 40_338,
          pool: 'payments',
        },
      ],
      refused: 17,
      revision: 42,
      since: '2026-11-01T06:30:00.412Z',
      started_at: '2026-11-20T06:00:00.007Z',
      version: '0.1.0',
    },
  ],
})

/** Of the source whose connections are meant, which is another one than that of the record where another node wrote it. */
const Epoch = z.string().regex(/^[A-Za-z0-9._-]{1,64}$/).meta({ description: 'The log folder that the lost process life wrote to.' })
const exampleEpoch = '0198c0de-0000-7000-8000-00000000000e'

export const NodeLost = defineEvent({
  type: 'dev.waybill.node.lost.v1',
  stream: 'operations',
  summary: 'A process life ended without a word; what it left open is closed on record, by its next life or by another node.',
  subject: 'nodes/<node>',
  audit: nodeAudit({ always: 'failure' }),
  data: z.strictObject({
    connections_closed: Count.meta({ description: 'Connections closed on record with because: node_lost.' }),
    epoch: Epoch,
    node: NodeName.meta({ description: 'The node that was lost; the one that says so is in `source`.' }),
    run: z.uuid().meta({ description: 'The process life that was lost.' }),
  }),
  examples: [{ connections_closed: 42, epoch: exampleEpoch, node: 'proxy-3', run: '0198c0de-0000-7000-8000-000000000003' }],
})

export const NodeRetired = defineEvent({
  type: 'dev.waybill.node.retired.v1',
  stream: 'operations',
  summary: 'Somebody said that a node never returns; what it left open is closed on record.',
  subject: 'nodes/<node>',
  audit: {
    who: { at: 'data.actor.id' },
    outcome: { always: 'success' },
    origin: { at: 'data.origin.ip', orElse: 'the local socket (data.origin.via)' },
  },
  data: z.strictObject({
    actor: Actor,
    change: Change,
    connections_closed: Count.meta({ description: 'Connections closed on record with because: node_lost, by: operator.' }),
    epoch: Epoch,
    node: NodeName,
    origin: Origin,
  }),
  examples: [
    {
      actor: exampleActor, change: exampleChange, connections_closed: 42, epoch: exampleEpoch, node: 'proxy-3', origin: exampleOrigin,
    },
  ],
})

export const nodeEvents = [NodeStarted, NodeReported, NodeStopped, NodeLost, NodeRetired] as const
export type NodeEvent = EventOf<(typeof nodeEvents)[number]>
export type NodeReportedData = z.infer<typeof NodeReported.data>
