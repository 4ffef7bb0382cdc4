import { z } from 'zod'
import { defineEvent, type AuditElements, type EventOf } from './define.ts'
import { Encrypted, Ja4, RoutedBy, TlsFacts, TlsVersion } from './tls.ts'
import {
  Actor, BackendId, ConnectionId, Count, Endpoint, FailureCode, Ip, ListenerName, Milliseconds, PoolName,
  RoutedServerName, ServerName,
} from './values.ts'

/**
 * The unit of audit: one client socket and its backend socket. Every socket that the node accepts ends in exactly one
 * of: refused, or opened and then closed. Byte counts are of what the kernel of the receiving side was given.
 */

export const dialAttemptsRecordedMax = 16
export const alpnRecordedMax = 16
export const tlsVersionsRecordedMax = 16

const clientAudit: Pick<AuditElements, 'who' | 'origin'> = {
  who: { at: 'data.client.ip', orElse: 'unknown: the kernel could not name the client (gone at once, or from port 0)' },
  origin: { at: 'data.client.ip', orElse: 'unknown: the kernel could not name the client (gone at once, or from port 0)' },
}

const Client = Endpoint.nullable().meta({
  description: 'Null when the kernel could not name it: it was gone at once, or came from port 0.',
})
const RoutedName = RoutedServerName.nullable().meta({
  description: 'SNI as the client sent it, lower-cased; bytes that are no name are escaped as \\xNN, and then cut at 128 characters. Null: none sent.',
})

/** One dial that failed before another one was tried. */
const DialAttempt = z.strictObject({
  backend: BackendId,
  code: FailureCode.meta({ description: 'errno name, or timeout.' }),
  ip: Ip.nullable().meta({ description: 'Null when the name did not resolve.' }),
  ms: Milliseconds,
})
const DialAttempts = z.array(DialAttempt).max(dialAttemptsRecordedMax)

const openedShapeBeforeBytes = {
  alpn: z
    .array(z.string().regex(/^[\x21-\x7e]{1,255}$/))
    .max(alpnRecordedMax)
    .meta({ description: 'Offered protocols in order; bytes that do not print are escaped as \\xNN.' }),
  alpn_truncated: z.boolean(),
  attempts: DialAttempts.meta({ description: 'Dials that failed before this one.' }),
  backend: BackendId,
  backend_address: Endpoint.meta({ description: 'The address that was dialled.' }),
}
const openedShapeAfterBytes = {
  client: Client,
  connection_id: ConnectionId,
  ech_offered: z.boolean().meta({
    description: 'The hello offers Encrypted Client Hello, real or GREASE: server_name may be a public decoy.',
  }),
  encrypted: Encrypted,
  ja4: Ja4.nullable(),
  listener: ListenerName,
  local_address: Endpoint.nullable().meta({ description: 'Used towards the backend; matches its own logs.' }),
  pool: PoolName,
  revision: Count.meta({ description: 'Control revision that the connection was routed by.' }),
  routed_by: RoutedBy,
  server_name: RoutedName,
}
const openedShapeAtTheEnd = {
  tls_versions: z
    .array(TlsVersion)
    .max(tlsVersionsRecordedMax)
    .meta({ description: 'Offered versions in order (TLSv1.3, or 0xNNNN when unknown), without GREASE.' }),
  tls_versions_truncated: z.boolean(),
}

const exampleBeforeBytes = {
  alpn: ['h2', 'http/1.1'],
  alpn_truncated: false,
  attempts: [{ backend: '10.0.4.10:8443', code: 'ECONNREFUSED', ip: '10.0.4.10', ms: 0.4 }],
  backend: '10.0.4.11:8443',
  backend_address: { ip: '10.0.4.11', port: 8443 },
}
const exampleAfterBytes = {
  client: { ip: '203.0.113.7', port: 51_812 },
  connection_id: '0198c0de-0000-7000-8000-000000000001',
  ech_offered: false,
  encrypted: true,
  ja4: 't13d1516h2_8daaf6152771_e5627efa2ab1',
  listener: 'shared',
  local_address: { ip: '10.0.4.2', port: 40_022 },
  pool: 'payments',
  revision: 17,
  routed_by: 'server_name' as const,
  server_name: 'pay.example.test',
}
const exampleAtTheEnd = {
  tls_versions: ['TLSv1.3', 'TLSv1.2'],
  tls_versions_truncated: false,
}

const exampleTls = {
  alerts: [],
  cipher: 'TLS_AES_256_GCM_SHA384',
  group: 'X25519MLKEM768',
  handshake: 'inferred_complete' as const,
  hello_retry_request: false,
  resumed: false,
  version: 'TLSv1.3',
}

export const ConnectionOpened = defineEvent({
  type: 'dev.waybill.connection.opened.v1',
  stream: 'connections',
  summary: 'A client was let through to a backend. Durable before its first byte leaves this proxy.',
  subject: 'connections/<connection_id>',
  audit: { ...clientAudit, outcome: { always: 'success' } },
  data: z.strictObject({ ...openedShapeBeforeBytes, ...openedShapeAfterBytes, ...openedShapeAtTheEnd }),
  examples: [{ ...exampleBeforeBytes, ...exampleAfterBytes, ...exampleAtTheEnd }],
})

export const ConnectionProgress = defineEvent({
  type: 'dev.waybill.connection.progress.v1',
  stream: 'connections',
  summary: 'A connection is still open; what it carried so far. Written every 60 s of its life.',
  subject: 'connections/<connection_id>',
  audit: { ...clientAudit, outcome: { always: 'in progress' } },
  data: z.strictObject({
    ...openedShapeBeforeBytes,
    bytes_to_backend: Count,
    bytes_to_client: Count,
    ...openedShapeAfterBytes,
    tls: TlsFacts,
    ...openedShapeAtTheEnd,
  }),
  examples: [
    {
      ...exampleBeforeBytes, bytes_to_backend: 1_204, bytes_to_client: 88_112, ...exampleAfterBytes, tls: exampleTls, ...exampleAtTheEnd,
    },
  ],
})

export const closeParties = ['backend', 'client', 'operator', 'proxy'] as const
export const closePhases = ['half_closed', 'record', 'relay', 'unknown'] as const
export const closeReasons = [
  'audit_timeout', 'backend_not_tls', 'cipher_forbidden', 'client_not_tls', 'drain_forced', 'drain_timeout', 'finished', 'half_close_timeout',
  'idle_timeout', 'network_error', 'node_lost', 'operator_ended', 'reset', 'shutdown', 'tls_version_too_low',
] as const

/** An actor in characters of one byte each, so that a closing record keeps to the size that the reserve is measured by. */
const ClosingActor = z.strictObject({ ...Actor.shape, id: z.string().regex(/^[\x20\x21\x23-\x5b\x5d-\x7e]{1,200}$/) })

/** What a closing record says of an actor: other characters percent-encoded as UTF-8, cut to its maximum. */
export function closingActor(actor: Actor): z.infer<typeof ClosingActor> {
  const plain = actor.id.toWellFormed().replaceAll(/[^\x20\x21\x23\x24\x26-\x5b\x5d-\x7e]/gu, (character) => encodeURIComponent(character))
  return { authn: actor.authn, id: plain.slice(0, 200), type: actor.type }
}

export const ConnectionClosed = defineEvent({
  type: 'dev.waybill.connection.closed.v1',
  stream: 'connections',
  summary: 'A connection is over; complete in itself. Exactly one for each opened one.',
  subject: 'connections/<connection_id>',
  audit: { ...clientAudit, outcome: { at: 'data.close.because' } },
  data: z.strictObject({
    backend: BackendId,
    backend_address: Endpoint,
    bytes_quality: z.enum(['at_least', 'exact']).meta({
      description: 'at_least: bytes were under way when it broke, or the counts are those of the last progress record.',
    }),
    bytes_to_backend: Count,
    bytes_to_client: Count,
    client: Client,
    close: z.strictObject({
      actor: ClosingActor.nullable().meta({
        description: 'Who ended it, when `by` is operator. What does not print in ASCII is percent-encoded.',
      }),
      because: z.enum(closeReasons),
      by: z.enum(closeParties).meta({ description: 'Whose doing it was; for finished, who ended first.' }),
      code: FailureCode.nullable().meta({ description: 'errno name of the socket that broke.' }),
      phase: z.enum(closePhases).meta({ description: 'How far the connection had come.' }),
    }),
    connection_id: ConnectionId,
    encrypted: Encrypted,
    listener: ListenerName,
    pool: PoolName,
    server_name: RoutedName,
    timings: z
      .strictObject({
        dial: Milliseconds,
        first_backend_byte: Milliseconds.nullable(),
        hello: Milliseconds,
        queue: Milliseconds,
        record: Milliseconds,
        total: Milliseconds,
      })
      .nullable()
      .meta({
        description:
          'Milliseconds each phase took: hello from accept, queue waiting for a lease, dial with all attempts, record ' +
          'until durable, first_backend_byte from the hello being sent on; total is the life of the connection. ' +
          'Null when the node was lost.',
      }),
    tls: TlsFacts,
  }),
  examples: [
    {
      backend: '10.0.4.11:8443',
      backend_address: { ip: '10.0.4.11', port: 8443 },
      bytes_quality: 'exact',
      bytes_to_backend: 1_204,
      bytes_to_client: 88_112,
      client: { ip: '203.0.113.7', port: 51_812 },
      close: { actor: null, because: 'finished', by: 'client', code: null, phase: 'half_closed' },
      connection_id: '0198c0de-0000-7000-8000-000000000001',
      encrypted: true,
      listener: 'shared',
      pool: 'payments',
      server_name: 'pay.example.test',
      timings: { dial: 0.61, first_backend_byte: 1.42, hello: 0.33, queue: 0, record: 0.71, total: 204.12 },
      tls: exampleTls,
    },
  ],
})

export const refusalReasons = [
  'append_timeout', 'client_gone', 'connection_limit', 'dial_failed', 'ech_offered', 'hello_malformed', 'hello_too_large',
  'log_unavailable', 'no_backend', 'no_healthy_backend', 'no_sni', 'not_tls', 'peek_limit', 'peek_timeout',
  'resource_exhausted', 'shutting_down', 'sslv2', 'tls_version_too_low', 'unknown_sni',
] as const

export const ConnectionRefused = defineEvent({
  type: 'dev.waybill.connection.refused.v1',
  stream: 'connections',
  summary: 'Clients got in no further, and no byte of theirs went on. One record each, or one with a count under a flood.',
  subject: 'listeners/<listener>',
  audit: {
    who: { at: 'data.client.ip', orElse: 'the network in data.client_network, or unknown' },
    origin: { at: 'data.client.ip', orElse: 'the network in data.client_network, or unknown' },
    outcome: { at: 'data.because' },
  },
  data: z.strictObject({
    after_ms: Milliseconds.nullable().meta({ description: 'From accept; null in a record with a count.' }),
    alert: z.int().min(0).max(255).nullable().meta({
      description: 'TLS alert that the client was sent (RFC 8446, section 6). Null: none, or a record with a count.',
    }),
    attempts: DialAttempts,
    because: z.enum([...refusalReasons, 'other']).meta({ description: 'other: more kinds in one second than are kept.' }),
    client: Client,
    client_network: z
      .string()
      .regex(/^[0-9a-f.:]{2,45}\/(?:24|48)$/)
      .nullable()
      .meta({ description: 'In a record with a count: the /24 (IPv4) or /48 (IPv6) they came from; null: mixed.' }),
    count: Count.min(1).meta({ description: 'Clients that this record stands for.' }),
    detail: z
      .string()
      .regex(/^[\x20-\x7e]{1,200}$/)
      .nullable()
      .meta({ description: 'What exactly was wrong, never client bytes.' }),
    ja4: Ja4.nullable().meta({ description: 'Null: there was no complete hello, or a record with a count.' }),
    listener: ListenerName,
    pool: PoolName.nullable(),
    server_name: ServerName.nullable().meta({
      description: 'SNI as the client sent it, lower-cased; bytes that are no name are escaped as \\xNN. Null: none known.',
    }),
  }),
  examples: [
    {
      after_ms: 0.21,
      alert: null,
      attempts: [],
      because: 'not_tls',
      client: { ip: '203.0.113.9', port: 40_001 },
      client_network: null,
      count: 1,
      detail: 'the first byte is 0x47, not a TLS handshake record',
      ja4: null,
      listener: 'shared',
      pool: null,
      server_name: null,
    },
  ],
})

export const connectionEvents = [ConnectionOpened, ConnectionProgress, ConnectionClosed, ConnectionRefused] as const
export type ConnectionEvent = EventOf<(typeof connectionEvents)[number]>
export type ConnectionOpenedData = z.infer<typeof ConnectionOpened.data>
export type ConnectionProgressData = z.infer<typeof ConnectionProgress.data>
export type ConnectionClosedData = z.infer<typeof ConnectionClosed.data>
export type ConnectionRefusedData = z.infer<typeof ConnectionRefused.data>
export type RefusalReason = (typeof refusalReasons)[number]
