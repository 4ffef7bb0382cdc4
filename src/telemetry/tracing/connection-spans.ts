import { SpanKind, type Attributes } from '@opentelemetry/api'
import type { ConnectionClosedData, ConnectionOpenedData, ConnectionRefusedData } from '../../../events/connection.ts'
import type { connectionClosed, connectionRefused, MessageOf } from '../../core/channels.ts'
import { formatEndpoint } from '../../core/endpoint.ts'
import type { Endpoint } from '../../core/network.ts'
import { spanIdsOf } from '../../core/tracing.ts'
import type { SpanEvent, SpanFacts } from './span.ts'

/**
 * One span for each connection and for each refused client that has a record of its own, with the ids of that record.
 * Names are those of OpenTelemetry's conventions where there are any.
 */

export type Closed = MessageOf<typeof connectionClosed>
export type Refused = MessageOf<typeof connectionRefused> & { readonly record: object }

/** Turns a moment of the monotonic clock into milliseconds since the epoch. */
type WallOf = (monotonicMs: number) => number

/** Ends that nobody has to look into. */
const orderlyEnds: ReadonlySet<ConnectionClosedData['close']['because']> = new Set([
  'drain_forced', 'drain_timeout', 'finished', 'half_close_timeout', 'idle_timeout', 'operator_ended', 'shutdown',
])

export function closedSpan({ closed, closedMs, opened }: Closed, wallOf: WallOf): SpanFacts {
  const { because } = closed.close
  const { timings } = closed
  const startMs = wallOf(closedMs - (timings?.total ?? 0))
  return {
    ...spanIdsOf(closed.connection_id),
    name: nameOf(closed.pool),
    kind: SpanKind.SERVER,
    parent: null,
    startMs,
    endMs: wallOf(closedMs),
    attributes: { ...openedAttributes(opened), ...closedAttributes(closed), ...tlsAttributes(closed) },
    events: timings === null ? [] : phases(startMs, timings, opened.attempts),
    error: orderlyEnds.has(because) ? null : because,
  }
}

/** A client that left by itself before it was let in is no failure of anybody. */
export function refusedSpan({ record: { id, refused } }: Refused, nowMs: number): SpanFacts {
  const { after_ms: afterMs, attempts, because, pool } = refused
  const startMs = nowMs - (afterMs ?? 0)
  const tried = attempts.reduce((sum, { ms }) => sum + ms, 0)
  return {
    ...spanIdsOf(id),
    name: nameOf(pool),
    kind: SpanKind.SERVER,
    parent: null,
    startMs,
    endMs: nowMs,
    attributes: refusedAttributes(id, refused),
    // What came after the last dial took next to nothing.
    events: failedDials(Math.max(startMs, nowMs - tried), attempts),
    error: because === 'client_gone' ? null : because,
  }
}

/** Few names: pools are of the configuration. */
function nameOf(pool: string | null): string {
  return pool === null ? 'connection' : `connection ${pool}`
}

type Timings = NonNullable<ConnectionClosedData['timings']>
type Attempts = ConnectionOpenedData['attempts']

/** Each event is the end of its phase; `relay` is the first byte from the backend. */
function phases(startMs: number, timings: Timings, attempts: Attempts): SpanEvent[] {
  const helloMs = startMs + timings.hello
  const dialMs = helloMs + timings.queue + timings.dial
  const recordMs = dialMs + timings.record
  const relay = timings.first_backend_byte === null ? [] : [{ name: 'relay', atMs: recordMs + timings.first_backend_byte }]
  return [
    { name: 'peek', atMs: helloMs },
    ...failedDials(helloMs, attempts),
    { name: 'dial', atMs: dialMs },
    { name: 'record', atMs: recordMs },
    ...relay,
  ]
}

/** One after the other, each as long as its record says. */
function failedDials(fromMs: number, attempts: Attempts): SpanEvent[] {
  let atMs = fromMs
  return attempts.map(({ backend, code, ip, ms }) => {
    atMs += ms
    return { name: 'dial_failed', atMs, attributes: withoutNulls({ 'error.type': code, 'network.peer.address': ip, 'waybill.backend': backend }) }
  })
}

function openedAttributes(opened: ConnectionOpenedData): Attributes {
  const { backend, backend_address: dialled, connection_id: id, ja4, listener, local_address: local, pool, revision, routed_by: routedBy } = opened
  return withoutNulls({
    ...clientAttributes(opened.client, opened.server_name),
    'waybill.backend': backend,
    'waybill.backend_address': formatEndpoint(dialled),
    'waybill.connection_id': id,
    'waybill.ja4': ja4,
    'waybill.listener': listener,
    'waybill.local_address': local === null ? null : formatEndpoint(local),
    'waybill.pool': pool,
    'waybill.revision': revision,
    'waybill.routed_by': routedBy,
  })
}

function closedAttributes({ bytes_to_backend: toBackend, bytes_to_client: toClient, close }: ConnectionClosedData): Attributes {
  return withoutNulls({
    'waybill.bytes_to_backend': toBackend,
    'waybill.bytes_to_client': toClient,
    'waybill.close.because': close.because,
    'waybill.close.by': close.by,
    'waybill.close.code': close.code,
    'waybill.close.phase': close.phase,
  })
}

function tlsAttributes({ tls }: ConnectionClosedData): Attributes {
  if (tls === null) return {}
  const version = tls.version?.match(/^TLSv(.+)$/)?.[1]
  return withoutNulls({
    'tls.cipher': tls.cipher,
    'tls.curve': tls.group,
    'tls.established': tls.handshake === 'inferred_complete',
    'tls.protocol.name': version === undefined ? null : 'tls',
    'tls.protocol.version': version ?? null,
    'tls.resumed': tls.resumed,
  })
}

function refusedAttributes(id: string, refused: ConnectionRefusedData): Attributes {
  const { alert, because, client, detail, ja4, listener, pool, server_name: serverName } = refused
  return withoutNulls({
    ...clientAttributes(client, serverName),
    'waybill.alert': alert,
    'waybill.detail': detail,
    'waybill.ja4': ja4,
    'waybill.listener': listener,
    'waybill.pool': pool,
    'waybill.record_id': id,
    'waybill.refused.because': because,
  })
}

function clientAttributes(client: Endpoint | null, serverName: string | null): Readonly<Record<string, string | number | null>> {
  const network = client === null ? null : client.ip.includes(':') ? 'ipv6' : 'ipv4'
  return {
    'client.address': client?.ip ?? null,
    'client.port': client?.port ?? null,
    'network.transport': 'tcp',
    'network.type': network,
    'server.address': serverName,
    'tls.client.server_name': serverName,
  }
}

/** OpenTelemetry knows no null: what is not known is not there. */
function withoutNulls(attributes: Readonly<Record<string, string | number | boolean | null>>): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== null))
}
