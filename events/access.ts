import { z } from 'zod'
import { defineEvent, type AuditElements, type EventOf } from './define.ts'
import { Actor, Count, Origin, Time, exampleActor, exampleOrigin, text } from './values.ts'

/** Who called the API and was let in or turned away (PCI DSS 10.2.1.2 and 10.2.1.4). */

const audit: AuditElements = {
  who: { at: 'data.actor.id' },
  outcome: { at: 'data.status' },
  origin: { at: 'data.origin.ip', orElse: 'the local socket (data.origin.via)' },
}
const shape = {
  actor: Actor,
  count: Count.min(1).meta({ description: 'Equal calls that this record stands for.' }),
  method: text(20).nullable().meta({ description: 'Null: what came was not HTTP.' }),
  origin: Origin.meta({ description: 'In a record with a count, the port is null.' }),
  path: text(512).nullable().meta({
    description: 'Without the query; cut to 512 characters. *: more paths than are told apart at once. Null: what came was not HTTP.',
  }),
  request_id: z.uuid().nullable().meta({
    description: 'Also in the answer, where that is a problem, as `instance`. Null in a record with a count.',
  }),
  since: Time.meta({ description: 'When the call came, or the first of several.' }),
}
const call = {
  count: 1,
  method: 'POST',
  origin: exampleOrigin,
  path: '/api/pools',
  request_id: '0198c0de-0000-7000-8000-000000000005',
  since: '2026-11-24T08:00:00.000Z',
}

export const AccessGranted = defineEvent({
  type: 'dev.waybill.access.granted.v1',
  stream: 'operations',
  summary: 'A call to the API was let in and answered. Equal reads within a minute are one record with a count.',
  subject: 'api',
  audit,
  data: z.strictObject({
    actor: shape.actor,
    count: shape.count,
    method: shape.method,
    origin: shape.origin,
    path: shape.path,
    record_id: z.uuid().nullable().meta({ description: 'The control record that the call made; null: it made none.' }),
    request_id: shape.request_id,
    since: shape.since,
    status: z.int().min(100).max(599),
  }),
  examples: [
    {
      actor: exampleActor,
      count: call.count,
      method: call.method,
      origin: call.origin,
      path: call.path,
      record_id: '0198c0de-0000-7000-8000-000000000006',
      request_id: call.request_id,
      since: call.since,
      status: 201,
    },
  ],
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
    request_id: shape.request_id,
    since: shape.since,
    status: z.int().min(400).max(499),
  }),
  examples: [{ actor: exampleActor, because: 'origin_not_ours', ...call, status: 403 }],
})

export const accessEvents = [AccessGranted, AccessDenied] as const
export type AccessEvent = EventOf<(typeof accessEvents)[number]>
