import { z } from 'zod'
import { changeAudit, defineEvent, nodeAudit, type EventOf } from './define.ts'
import {
  Actor, Change, Declaration, FailureCode, Idempotency, ListenAddress, ListenerAnswer, ListenerName, Origin, PoolName,
  exampleActor, exampleChange, exampleOrigin,
} from './values.ts'

/** Which addresses a node accepts clients on, and what becomes of clients whose hello leads to no pool. */

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

const Answer = ListenerAnswer.optional()

export const ListenerChanged = defineEvent({
  type: 'dev.waybill.listener.changed.v1',
  stream: 'control',
  changes: true,
  summary: 'What a listener does with clients whose hello leads to no pool; only the cases in `set` are different from here on.',
  subject: 'listeners/<listener>',
  audit: changeAudit,
  data: z.strictObject({
    actor: Actor,
    change: Change,
    idempotency: Idempotency,
    listener: ListenerName,
    origin: Origin,
    set: z.strictObject({
      declaration: Declaration.optional(),
      malformed: Answer.meta({ description: 'TLS that can not be read, or a server name that is no host name.' }),
      no_sni: Answer.meta({ description: 'A hello without a server name.' }),
      not_tls: Answer.meta({ description: 'Anything but TLS. A pool needs allow_plaintext.' }),
      sslv2: Answer.meta({ description: 'A hello in the format of SSLv2, which has no server name.' }),
      timeout: Answer.meta({ description: 'No complete hello in time, or nothing at all.' }),
      too_large: Answer.meta({ description: 'A hello over the limit.' }),
      unknown_sni: Answer.meta({ description: 'A server name that no pool claims; on a pool\'s own listener, one that is not the pool\'s.' }),
    }),
  }),
  examples: [
    {
      actor: exampleActor,
      change: exampleChange,
      idempotency: null,
      listener: 'shared',
      origin: exampleOrigin,
      set: { no_sni: { pool: 'legacy' }, unknown_sni: 'refuse' },
    },
  ],
})

export const listenerEvents = [ListenerBound, ListenerFailed, ListenerClosed, ListenerChanged] as const
export type ListenerEvent = EventOf<(typeof listenerEvents)[number]>
export type ListenerChangedData = z.infer<typeof ListenerChanged.data>
