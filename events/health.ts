import { z } from 'zod'
import { defineEvent, nodeAudit, type EventOf } from './define.ts'
import { BackendId, Count, FailureCode, Host, Ip, PoolName, Revision, Time } from './values.ts'

/** How a node sees the backends: its own view, by which it routes. */

export const HealthChanged = defineEvent({
  type: 'dev.waybill.health.changed.v1',
  stream: 'operations',
  summary: 'This node sees a backend differently from here on and routes accordingly.',
  subject: 'backends/<pool>/<backend>',
  audit: nodeAudit({ at: 'data.to' }),
  data: z.strictObject({
    backend: BackendId,
    because: z.enum(['check_failed', 'check_succeeded', 'dial_failed']),
    code: FailureCode.nullable().meta({ description: 'What failed last (errno name or timeout).' }),
    consecutive: Count.meta({ description: 'Results in a row that led to the change.' }),
    from: z.enum(['down', 'new', 'up']),
    pool: PoolName,
    to: z.enum(['down', 'up']),
  }),
  examples: [
    {
      backend: 'backend1.internal:8443',
      because: 'check_failed',
      code: 'ECONNREFUSED',
      consecutive: 3,
      from: 'up',
      pool: 'secure-app',
      to: 'down',
    },
  ],
})

const Addresses = z.array(Ip).max(64)

export const HealthAddressesChanged = defineEvent({
  type: 'dev.waybill.health.addresses_changed.v1',
  stream: 'operations',
  summary: 'The name of a backend host resolves to other addresses than before, as this node sees it.',
  subject: 'hosts/<host>',
  audit: nodeAudit({ always: 'success' }),
  data: z.strictObject({
    after: Addresses,
    before: Addresses.nullable().meta({ description: 'Null at the first answer of this process life.' }),
    host: Host,
    truncated: z.boolean().meta({ description: 'True when the answer had more than 64 addresses.' }),
  }),
  examples: [{ after: ['10.0.4.12'], before: ['10.0.4.11'], host: 'backend1.internal', truncated: false }],
})

export const HealthDrainCompleted = defineEvent({
  type: 'dev.waybill.health.drain_completed.v1',
  stream: 'operations',
  summary: 'The last open connection of a draining or removed backend on this node is over.',
  subject: 'backends/<pool>/<backend>',
  audit: nodeAudit({ at: 'data.because' }),
  data: z.strictObject({
    backend: BackendId,
    because: z.enum(['drain_timeout', 'finished', 'forced']).meta({
      description: 'finished: all ended by themselves. Otherwise the rest was ended by the timeout or by force.',
    }),
    connections_at_start: Count.meta({ description: 'Open on this node when the drain began.' }),
    connections_ended: Count.meta({ description: 'Of these, ended by the timeout or by force.' }),
    pool: PoolName,
    revision: Revision.meta({ description: 'The change that began the drain.' }),
    since: Time.meta({ description: 'When the drain began.' }),
  }),
  examples: [
    {
      backend: 'backend1.internal:8443',
      because: 'finished',
      connections_at_start: 12,
      connections_ended: 0,
      pool: 'secure-app',
      revision: 18,
      since: '2026-11-24T08:00:00.000Z',
    },
  ],
})

export const healthEvents = [HealthChanged, HealthAddressesChanged, HealthDrainCompleted] as const
export type HealthEvent = EventOf<(typeof healthEvents)[number]>
