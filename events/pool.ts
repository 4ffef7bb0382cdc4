import { z } from 'zod'
import { changeAudit, defineEvent, type EventOf } from './define.ts'
import {
  Actor, Algorithm, AllowPlaintext, BackendId, Change, Declaration, DrainTimeout, Force, HealthCheckInterval, Host, Idempotency,
  ListenAddress, MinTlsVersion, Origin, PoolName, Port, RejectEch, ServerNamePattern, Text, Weight, exampleActor, exampleChange, exampleOrigin,
} from './values.ts'

/** Changes of pools: a named set of backends, and what leads to it. */

const InlineBackend = z.strictObject({
  declaration: Declaration,
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
    allow_plaintext: AllowPlaintext,
    backends: z.array(InlineBackend).max(256),
    business_need: Text.nullable(),
    change: Change,
    declaration: Declaration,
    default_route: z.boolean().meta({ description: 'Clients with no or an unknown server name come here.' }),
    default_route_reason: z
      .enum(['automatic', 'requested'])
      .nullable()
      .meta({ description: 'Automatic: the pool had neither server_names nor listen and nothing was the default.' }),
    drain_timeout: DrainTimeout,
    health_check_interval: HealthCheckInterval,
    idempotency: Idempotency,
    listen: Listen,
    min_tls_version: MinTlsVersion,
    name: PoolName,
    origin: Origin,
    owner: Text.nullable(),
    reject_ech: RejectEch,
    server_names: z.array(ServerNamePattern).max(256),
    ssl_mode: z.literal('passthrough'),
  }),
  examples: [
    {
      actor: exampleActor,
      algorithm: 'least_connections',
      allow_plaintext: false,
      backends: [{ declaration: null, host: 'backend1.internal', id: 'backend1.internal:8443', port: 8443, weight: 1 }],
      business_need: 'card payments',
      change: exampleChange,
      declaration: null,
      default_route: true,
      default_route_reason: 'automatic',
      drain_timeout: null,
      health_check_interval: 10_000,
      idempotency: null,
      listen: null,
      min_tls_version: 'TLSv1.2',
      name: 'secure-app',
      origin: exampleOrigin,
      owner: 'payments team',
      reject_ech: false,
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
    idempotency: Idempotency,
    name: PoolName,
    origin: Origin,
    set: z.strictObject({
      algorithm: Algorithm.optional(),
      allow_plaintext: AllowPlaintext.optional(),
      business_need: Text.nullable().optional(),
      declaration: Declaration.optional(),
      default_route: z.boolean().optional(),
      drain_timeout: DrainTimeout.optional(),
      health_check_interval: HealthCheckInterval.optional(),
      listen: Listen.optional(),
      min_tls_version: MinTlsVersion.optional(),
      owner: Text.nullable().optional(),
      reject_ech: RejectEch.optional(),
      server_names: z.array(ServerNamePattern).max(256).optional(),
    }),
  }),
  examples: [
    {
      actor: exampleActor,
      change: exampleChange,
      idempotency: null,
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
  summary: 'A pool and its backends are gone; open connections go on, or are ended when forced.',
  subject: 'pools/<name>',
  audit: changeAudit,
  data: z.strictObject({
    actor: Actor,
    change: Change,
    force: Force,
    idempotency: Idempotency,
    name: PoolName,
    origin: Origin,
  }),
  examples: [
    {
      actor: exampleActor,
      change: exampleChange,
      force: false,
      idempotency: null,
      name: 'secure-app',
      origin: exampleOrigin,
    },
  ],
})

export const poolEvents = [PoolCreated, PoolChanged, PoolRemoved] as const
export type PoolEvent = EventOf<(typeof poolEvents)[number]>
export type PoolCreatedData = z.infer<typeof PoolCreated.data>
export type PoolChangedData = z.infer<typeof PoolChanged.data>
export type PoolRemovedData = z.infer<typeof PoolRemoved.data>
