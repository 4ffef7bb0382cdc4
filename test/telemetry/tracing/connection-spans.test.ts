import { SpanKind } from '@opentelemetry/api'
import { describe, expect, test } from 'vitest'
import {
  ConnectionClosed, ConnectionOpened, ConnectionRefused, closeReasons, type ConnectionClosedData, type ConnectionOpenedData, type ConnectionRefusedData,
} from '../../../events/connection.ts'
import { closedSpan, refusedSpan } from '../../../src/telemetry/tracing/connection-spans.ts'

const opened: ConnectionOpenedData = ConnectionOpened.data.parse(ConnectionOpened.examples[0])
const closed: ConnectionClosedData = ConnectionClosed.data.parse(ConnectionClosed.examples[0])
const refused: ConnectionRefusedData = ConnectionRefused.data.parse(ConnectionRefused.examples[0])
const wallMs = Date.UTC(2026, 10, 24, 8)
const wallOf = (ms: number): number => wallMs + ms

const spanOfClosed = (data: Partial<ConnectionClosedData> = {}, was: Partial<ConnectionOpenedData> = {}) =>
  closedSpan({ opened: { ...opened, ...was }, closed: { ...closed, ...data }, closedMs: 1_204.12 }, wallOf)

const spanOfRefused = (data: Partial<ConnectionRefusedData> = {}) => {
  const all = { ...refused, ...data }
  const because = all.because === 'other' ? 'not_tls' : all.because
  const record = { id: '0198c0de-0000-7000-8000-00000000abcd', refused: all }
  return refusedSpan({ afterMs: all.after_ms, attempts: all.attempts.length, because, listener: all.listener, pool: all.pool, record }, wallMs)
}

describe('a connection that is over', () => {
  test('is a span with the ids of its records', () => {
    expect(spanOfClosed()).toMatchObject({
      name: 'connection payments', kind: SpanKind.SERVER, parent: null, error: null,
      traceId: '0198c0de000070008000000000000001', spanId: '8000000000000001',
    })
  })

  test('lasts from being accepted to its end, with an event at the end of each phase', () => {
    const { endMs, events, startMs } = spanOfClosed()
    const at = (ms: number): number => Math.round((ms - wallMs - 1_000) * 1_000) / 1_000
    expect([at(startMs), at(endMs)]).toEqual([0, 204.12])
    // hello 0.33, dial 0.61 of which a failed one took 0.4, record 0.71, first byte of the backend 1.42 later
    expect(events.map(({ atMs, name }) => [name, at(atMs)])).toEqual([
      ['peek', 0.33], ['dial_failed', 0.73], ['dial', 0.94], ['record', 1.65], ['relay', 3.07],
    ])
    expect(events[1]?.attributes).toEqual({ 'error.type': 'ECONNREFUSED', 'network.peer.address': '10.0.4.10', 'waybill.backend': '10.0.4.10:8443' })
  })

  test('without a byte of the backend has no relay, and one that a crash cut off has no phases', () => {
    const timings = { ...closed.timings!, first_backend_byte: null }
    expect(spanOfClosed({ timings }).events.map(({ name }) => name)).toEqual(['peek', 'dial_failed', 'dial', 'record'])
    expect(spanOfClosed({ timings: null })).toMatchObject({ events: [], startMs: wallOf(1_204.12) })
  })

  test('says what the conventions have names for, and the rest under names of its own', () => {
    expect(spanOfClosed().attributes).toEqual({
      'client.address': '203.0.113.7',
      'client.port': 51_812,
      'network.transport': 'tcp',
      'network.type': 'ipv4',
      'server.address': 'pay.example.test',
      'tls.cipher': 'TLS_AES_256_GCM_SHA384',
      'tls.client.server_name': 'pay.example.test',
      'tls.curve': 'X25519MLKEM768',
      'tls.established': true,
      'tls.protocol.name': 'tls',
      'tls.protocol.version': '1.3',
      'tls.resumed': false,
      'waybill.backend': '10.0.4.11:8443',
      'waybill.backend_address': '10.0.4.11:8443',
      'waybill.bytes_to_backend': 1_204,
      'waybill.bytes_to_client': 88_112,
      'waybill.close.because': 'finished',
      'waybill.close.by': 'client',
      'waybill.close.phase': 'half_closed',
      'waybill.connection_id': '0198c0de-0000-7000-8000-000000000001',
      'waybill.ja4': 't13d1516h2_8daaf6152771_e5627efa2ab1',
      'waybill.listener': 'shared',
      'waybill.local_address': '10.0.4.2:40022',
      'waybill.pool': 'payments',
      'waybill.revision': 17,
      'waybill.routed_by': 'server_name',
    })
  })

  test('has nothing that is not known', () => {
    const { attributes } = spanOfClosed({ tls: null, close: { ...closed.close, code: 'ECONNRESET' } }, { client: null, ja4: null, local_address: null, server_name: null })
    expect(Object.keys(attributes).filter((name) => /^(?:client|tls|server)\./.test(name))).toEqual([])
    expect(attributes).toMatchObject({ 'waybill.close.code': 'ECONNRESET' })
    expect(Object.values(attributes)).not.toContain(null)
    expect(spanOfClosed({}, { client: { ip: '2001:db8::1', port: 1 } }).attributes).toMatchObject({ 'network.type': 'ipv6' })
    expect(spanOfClosed({ tls: { ...closed.tls!, version: '0x0305' } }).attributes).not.toHaveProperty('tls.protocol.version')
  })

  test('has failed when somebody has to look into it', () => {
    const failures = closeReasons.filter((because) => spanOfClosed({ close: { ...closed.close, because } }).error !== null)
    expect(failures).toEqual([
      'audit_timeout', 'backend_not_tls', 'cipher_forbidden', 'client_not_tls', 'network_error', 'node_lost', 'reset', 'tls_version_too_low',
    ])
    expect(spanOfClosed({ close: { ...closed.close, because: 'reset' } }).error).toBe('reset')
  })
})

describe('a refused client', () => {
  test('is a span with the ids of its record', () => {
    const span = spanOfRefused()
    expect(span).toMatchObject({
      name: 'connection', error: 'not_tls', events: [], traceId: '0198c0de00007000800000000000abcd', spanId: '800000000000abcd',
      startMs: wallMs - 0.21, endMs: wallMs,
    })
    expect(span.attributes).toEqual({
      'client.address': '203.0.113.9', 'client.port': 40_001, 'network.transport': 'tcp', 'network.type': 'ipv4',
      'waybill.detail': 'the first byte is 0x47, not a TLS handshake record', 'waybill.listener': 'shared',
      'waybill.record_id': '0198c0de-0000-7000-8000-00000000abcd', 'waybill.refused.because': 'not_tls',
    })
  })

  test('tells of each dial that failed, the last of them at its end', () => {
    const attempts = [
      { backend: 'a:1', code: 'ENOTFOUND', ip: null, ms: 2 },
      { backend: 'b:1', code: 'timeout', ip: '10.0.0.1', ms: 5 },
    ]
    const { error, events, name } = spanOfRefused({ after_ms: 9, attempts, because: 'dial_failed', pool: 'app' })
    expect([name, error]).toEqual(['connection app', 'dial_failed'])
    expect(events).toEqual([
      { name: 'dial_failed', atMs: wallMs - 5, attributes: { 'error.type': 'ENOTFOUND', 'waybill.backend': 'a:1' } },
      { name: 'dial_failed', atMs: wallMs, attributes: { 'error.type': 'timeout', 'network.peer.address': '10.0.0.1', 'waybill.backend': 'b:1' } },
    ])
  })

  test('that left by itself is no failure', () => {
    expect(spanOfRefused({ because: 'client_gone' }).error).toBeNull()
    expect(spanOfRefused({ after_ms: null, because: 'peek_limit' })).toMatchObject({ error: 'peek_limit', startMs: wallMs })
  })
})
