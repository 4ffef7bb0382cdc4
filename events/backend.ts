import { z } from 'zod'
import { changeAudit, defineEvent, type EventOf } from './define.ts'
import {
  Actor, BackendId, Change, Host, IdempotencyKey, Origin, PoolName, Port, Weight, exampleActor, exampleChange,
  exampleOrigin,
} from './values.ts'

/** Changes of the backends of a pool. */

const example = {
  actor: exampleActor,
  change: exampleChange,
  id: 'backend1.internal:8443',
  idempotency_key: null,
  origin: exampleOrigin,
  pool: 'secure-app',
}
/** What every change of one backend carries, keys in code-unit order. */
const plain = z.strictObject({
  actor: Actor,
  change: Change,
  id: BackendId,
  idempotency_key: IdempotencyKey,
  origin: Origin,
  pool: PoolName,
})

export const BackendAdded = defineEvent({
  type: 'dev.waybill.backend.added.v1',
  stream: 'control',
  changes: true,
  summary: 'A backend joined a pool and may receive new connections at once.',
  subject: 'backends/<pool>/<id>',
  audit: changeAudit,
  data: z.strictObject({
    actor: Actor,
    change: Change,
    host: Host.meta({ description: 'Host name or IP literal, as configured.' }),
    id: BackendId,
    idempotency_key: IdempotencyKey,
    origin: Origin,
    pool: PoolName,
    port: Port,
    weight: Weight,
  }),
  examples: [
    {
      actor: exampleActor,
      change: exampleChange,
      host: 'backend1.internal',
      id: 'backend1.internal:8443',
      idempotency_key: null,
      origin: exampleOrigin,
      pool: 'secure-app',
      port: 8443,
      weight: 1,
    },
  ],
})

export const BackendChanged = defineEvent({
  type: 'dev.waybill.backend.changed.v1',
  stream: 'control',
  changes: true,
  summary: 'The weight of a backend was changed.',
  subject: 'backends/<pool>/<id>',
  audit: changeAudit,
  data: z.strictObject({
    actor: Actor,
    change: Change,
    id: BackendId,
    idempotency_key: IdempotencyKey,
    origin: Origin,
    pool: PoolName,
    weight: Weight,
  }),
  examples: [{ ...example, weight: 10 }],
})

export const BackendDrained = defineEvent({
  type: 'dev.waybill.backend.drained.v1',
  stream: 'control',
  changes: true,
  summary: 'A backend takes no new connections; open ones go on.',
  subject: 'backends/<pool>/<id>',
  audit: changeAudit,
  data: plain,
  examples: [example],
})

export const BackendResumed = defineEvent({
  type: 'dev.waybill.backend.resumed.v1',
  stream: 'control',
  changes: true,
  summary: 'A drained backend takes new connections again.',
  subject: 'backends/<pool>/<id>',
  audit: changeAudit,
  data: plain,
  examples: [example],
})

export const BackendRemoved = defineEvent({
  type: 'dev.waybill.backend.removed.v1',
  stream: 'control',
  changes: true,
  summary: 'A backend left its pool; connections that are open go on.',
  subject: 'backends/<pool>/<id>',
  audit: changeAudit,
  data: plain,
  examples: [example],
})

export const backendEvents = [BackendAdded, BackendChanged, BackendDrained, BackendResumed, BackendRemoved] as const
export type BackendEvent = EventOf<(typeof backendEvents)[number]>
export type BackendAddedData = z.infer<typeof BackendAdded.data>
