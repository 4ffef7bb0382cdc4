import { z } from 'zod'
import { changeAudit, defineEvent, type EventOf } from './define.ts'
import {
  Actor, Algorithm, BackendId, Change, HealthCheckInterval, Host, IdempotencyKey, ListenAddress, Origin, PoolName, Port,
  ServerNamePattern, Text, Weight, exampleActor, exampleChange, exampleOrigin,
} from './values.ts'

/** Changes of pools: a named set of backends, and what leads to it. */

const InlineBackend = z.strictObject({
  host: Host,
  id: BackendId,
  port: Port,
  weight: Weight,
})
const Listen = ListenAddress.nullable().meta({
  description: 'Own address of the pool, such as [::]:9443; null when it is reached by server name only.',
})

export const PoolCreated = defineEvent({
  type: 'dev.waybill.pool.created.v1',
  stream: 'control',
  changes: true,
  summary: 'A pool exists from here on, with the backends it was created with.',
  subject: 'pools/<name>',
  audit: changeAudit,
  data: z.strictObject({
    actor: Actor,
    algorithm: Algorithm,
    backends: z.array(InlineBackend).max(256),
    business_need: Text.nullable(),
    change: Change,
    default_route: z.boolean().meta({ description: 'Clients with no or an unknown server name come here.' }),
    default_route_reason: z
      .enum(['automatic', 'requested'])
      .nullable()
      .meta({ description: 'Automatic: the pool had neither server_names nor listen and nothing was the default.' }),
    health_check_interval: HealthCheckInterval,
    idempotency_key: IdempotencyKey,
    listen: Listen,
    managed_by: z.enum(['api', 'file']),
    name: PoolName,
    origin: Origin,
    owner: Text.nullable(),
    server_names: z.array(ServerNamePattern).max(256),
    ssl_mode: z.literal('passthrough'),
  }),
  examples: [
    {
      actor: exampleActor,
      algorithm: 'least_connections',
      backends: [{ host: 'backend1.internal', id: 'backend1.internal:8443', port: 8443, weight: 1 }],
      business_need: 'card payments',
      change: exampleChange,
      default_route: true,
      default_route_reason: 'automatic',
      health_check_interval: 10_000,
      idempotency_key: null,
      listen: null,
      managed_by: 'api',
      name: 'secure-app',
      origin: exampleOrigin,
      owner: 'payments team',
      server_names: [],
      ssl_mode: 'passthrough',
    },
  ],
})

export const PoolChanged = defineEvent({
  type: 'dev.waybill.pool.changed.v1',
  stream: 'control',
  changes: true,
  summary: 'Settings of a pool were changed; only the fields in `set` are different from here on.',
  subject: 'pools/<name>',
  audit: changeAudit,
  data: z.strictObject({
    actor: Actor,
    change: Change,
    idempotency_key: IdempotencyKey,
    name: PoolName,
    origin: Origin,
    set: z.strictObject({
      algorithm: Algorithm.optional(),
      business_need: Text.nullable().optional(),
      default_route: z.boolean().optional(),
      health_check_interval: HealthCheckInterval.optional(),
      listen: Listen.optional(),
      owner: Text.nullable().optional(),
      server_names: z.array(ServerNamePattern).max(256).optional(),
    }),
  }),
  examples: [
    {
      actor: exampleActor,
      change: exampleChange,
      idempotency_key: null,
      name: 'secure-app',
      origin: exampleOrigin,
      set: { algorithm: 'round_robin', server_names: ['pay.example.com', '*.pay.example.com'] },
    },
  ],
})

export const PoolRemoved = defineEvent({
  type: 'dev.waybill.pool.removed.v1',
  stream: 'control',
  changes: true,
  summary: 'A pool and its backends are gone; connections that are open go on.',
  subject: 'pools/<name>',
  audit: changeAudit,
  data: z.strictObject({
    actor: Actor,
    change: Change,
    idempotency_key: IdempotencyKey,
    name: PoolName,
    origin: Origin,
  }),
  examples: [
    { actor: exampleActor, change: exampleChange, idempotency_key: null, name: 'secure-app', origin: exampleOrigin },
  ],
})

export const poolEvents = [PoolCreated, PoolChanged, PoolRemoved] as const
export type PoolEvent = EventOf<(typeof poolEvents)[number]>
export type PoolCreatedData = z.infer<typeof PoolCreated.data>
