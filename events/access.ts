import { z } from 'zod'
import { defineEvent, type AuditElements, type EventOf } from './define.ts'
import { Actor, Count, Origin, exampleActor, exampleOrigin, text } from './values.ts'

/** Who called the API and was let in or turned away (PCI DSS 10.2.1.2 and 10.2.1.4). */

const audit: AuditElements = {
  who: { at: 'data.actor.id' },
  outcome: { at: 'data.status' },
  origin: { at: 'data.origin.ip', orElse: 'the local socket (data.origin.via)' },
}
const shape = {
  actor: Actor,
  count: Count.min(1).meta({ description: 'Equal calls that this record stands for.' }),
  method: text(20),
  origin: Origin,
  path: text(512).meta({ description: 'Without the query; cut to 512 characters.' }),
}
const call = { count: 1, method: 'POST', origin: exampleOrigin, path: '/api/pools' }

export const AccessGranted = defineEvent({
  type: 'dev.waybill.access.granted.v1',
  stream: 'operations',
  summary: 'A call to the API was let in and answered.',
  subject: 'api',
  audit,
  data: z.strictObject({ ...shape, status: z.int().min(100).max(599) }),
  examples: [{ actor: exampleActor, ...call, status: 201 }],
})

export const AccessDenied = defineEvent({
  type: 'dev.waybill.access.denied.v1',
  stream: 'operations',
  summary: 'A call to the API was turned away before it could do anything.',
  subject: 'api',
  audit,
  data: z.strictObject({
    actor: shape.actor,
    because: z.enum(['cross_site', 'host_not_ours', 'origin_not_ours']),
    count: shape.count,
    method: shape.method,
    origin: shape.origin,
    path: shape.path,
    status: z.int().min(400).max(499),
  }),
  examples: [{ actor: exampleActor, because: 'origin_not_ours', ...call, status: 403 }],
})

export const accessEvents = [AccessGranted, AccessDenied] as const
export type AccessEvent = EventOf<(typeof accessEvents)[number]>
