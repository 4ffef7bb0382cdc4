import { z } from 'zod'
import { changeAudit, defineEvent, type EventOf } from './define.ts'
import {
  Actor, BackendId, Change, Declaration, Force, Host, Idempotency, Origin, PoolName, Port, Weight, exampleActor,
  exampleChange, exampleOrigin,
} from './values.ts'

/** Changes of the backends of a pool. */

const example = {
  actor: exampleActor,
  change: exampleChange,
  id: 'backend1.internal:8443',
  idempotency: null,
  origin: exampleOrigin,
  pool: 'secure-app',
}
/** What every change of one backend carries, keys in code-unit order. */
const plain = z.strictObject({
  actor: Actor,
  change: Change,
  id: BackendId,
  idempotency: Idempotency,
  origin: Origin,
  pool: PoolName,
})
/** A backend that leaves. */
const leaving = z.strictObject({
  actor: Actor,
  change: Change,
  force: Force,
  id: BackendId,
  idempotency: Idempotency,
  origin: Origin,
  pool: PoolName,
})
const leavingExample = {
  actor: exampleActor,
  change: exampleChange,
  force: false,
  id: example.id,
  idempotency: null,
  origin: exampleOrigin,
  pool: example.pool,
}

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
    declaration: Declaration,
    host: Host.meta({ description: 'Host name or IP literal, as configured.' }),
    id: BackendId,
    idempotency: Idempotency,
    origin: Origin,
    pool: PoolName,
    port: Port,
    weight: Weight,
  }),
  examples: [
    {
      actor: exampleActor,
      change: exampleChange,
      declaration: null,
      host: 'backend1.internal',
      id: 'backend1.internal:8443',
      idempotency: null,
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
  summary: 'Settings of a backend were changed; only the fields in `set` are different from here on.',
  subject: 'backends/<pool>/<id>',
  audit: changeAudit,
  data: z.strictObject({
    actor: Actor,
    change: Change,
    id: BackendId,
    idempotency: Idempotency,
    origin: Origin,
    pool: PoolName,
    set: z.strictObject({ declaration: Declaration.optional(), weight: Weight.optional() }),
  }),
  examples: [{ ...example, set: { weight: 10 } }],
})

export const BackendDrained = defineEvent({
  type: 'dev.waybill.backend.drained.v1',
  stream: 'control',
  changes: true,
  summary: 'A backend takes no new connections; open ones go on, or are ended when forced.',
  subject: 'backends/<pool>/<id>',
  audit: changeAudit,
  data: leaving,
  examples: [leavingExample],
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
  summary: 'A backend left its pool; open connections go on, or are ended when forced.',
  subject: 'backends/<pool>/<id>',
  audit: changeAudit,
  data: leaving,
  examples: [leavingExample],
})

export const backendEvents = [BackendAdded, BackendChanged, BackendDrained, BackendResumed, BackendRemoved] as const
export type BackendEvent = EventOf<(typeof backendEvents)[number]>
export type BackendAddedData = z.infer<typeof BackendAdded.data>
export type BackendChangedData = z.infer<typeof BackendChanged.data>
export type BackendDrainedData = z.infer<typeof BackendDrained.data>
export type BackendResumedData = z.infer<typeof BackendResumed.data>
export type BackendRemovedData = z.infer<typeof BackendRemoved.data>
