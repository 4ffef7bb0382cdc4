import { z } from 'zod'
import { defineEvent, nodeAudit, type EventOf } from './define.ts'
import { FailureCode, ListenAddress, ListenerName, PoolName } from './values.ts'

/** Which addresses a node accepts clients on. */

const shape = {
  address: ListenAddress.meta({ description: 'ip:port, brackets around IPv6.' }),
  listener: ListenerName,
  pool: PoolName.nullable().meta({ description: 'Null for the shared listener, which routes by server name.' }),
}
const example = { address: '[::]:8443', listener: 'shared', pool: null }

export const ListenerBound = defineEvent({
  type: 'dev.waybill.listener.bound.v1',
  stream: 'operations',
  summary: 'The node accepts clients on this address.',
  subject: 'listeners/<listener>',
  audit: nodeAudit({ always: 'success' }),
  data: z.strictObject(shape),
  examples: [example],
})

export const ListenerFailed = defineEvent({
  type: 'dev.waybill.listener.failed.v1',
  stream: 'operations',
  summary: 'The node could not accept clients on this address.',
  subject: 'listeners/<listener>',
  audit: nodeAudit({ at: 'data.code' }),
  data: z.strictObject({ address: shape.address, code: FailureCode, listener: shape.listener, pool: shape.pool }),
  examples: [{ address: '[::]:443', code: 'EACCES', listener: 'pools/secure-app', pool: 'secure-app' }],
})

export const ListenerClosed = defineEvent({
  type: 'dev.waybill.listener.closed.v1',
  stream: 'operations',
  summary: 'The node stopped accepting clients on this address; accepted ones go on.',
  subject: 'listeners/<listener>',
  audit: nodeAudit({ always: 'success' }),
  data: z.strictObject(shape),
  examples: [example],
})

export const listenerEvents = [ListenerBound, ListenerFailed, ListenerClosed] as const
export type ListenerEvent = EventOf<(typeof listenerEvents)[number]>
