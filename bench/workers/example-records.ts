import type { ConnectionClosedData, ConnectionOpenedData } from '../../events/connection.ts'
import type { Draft } from '../../events/envelope.ts'
import { rfc3339 } from '../../src/core/clock.ts'
import type { MakeId } from '../../src/core/ids.ts'

/**
 * Connection records as a busy node writes them: opened and closed of many connections interleaved, over several pools,
 * backends, names and clients. The same for every run but for the ids.
 */

const openAtOnce = 1_000
const pools = ['payments', 'patient-records', 'partner-api', 'mail', 'identity']
const backendsPerPool = 6
const offers = [['h2', 'http/1.1'], ['http/1.1'], []] as const
const startMs = Date.UTC(2026, 0, 5, 8)

export interface Generated {
  readonly drafts: readonly Draft[]
  readonly bytesToClient: number
}

/** `records` drafts (an even number), in batches. */
export function* exampleRecords(records: number, batchSize: number, makeId: MakeId): Generator<Generated> {
  const total = records / 2
  const waiting: ConnectionOpenedData[] = []
  let drafts: Draft[] = []
  let bytesToClient = 0
  let opened = 0
  let closed = 0
  while (closed < total) {
    if (opened < total && opened - closed < openAtOnce) {
      const data = openedData(opened, makeId())
      waiting[opened % openAtOnce] = data
      drafts.push(draftOf('opened', opened, data, makeId()))
      opened += 1
    } else {
      const data = closedData(closed, waiting[closed % openAtOnce]!)
      bytesToClient += data.bytes_to_client
      drafts.push(draftOf('closed', closed + openAtOnce, data, makeId()))
      closed += 1
    }
    if (drafts.length < batchSize && closed < total) continue
    yield { drafts, bytesToClient }
    drafts = []
    bytesToClient = 0
  }
}

function draftOf(fact: string, index: number, data: ConnectionOpenedData | ConnectionClosedData, id: string): Draft {
  return {
    id,
    type: `dev.waybill.connection.${fact}.v1`,
    subject: `connections/${data.connection_id}`,
    time: rfc3339(startMs + index),
    partitionkey: 'bench',
    data,
  }
}

function openedData(index: number, connectionId: string): ConnectionOpenedData {
  const pick = scattered(index)
  const pool = pools[pick % pools.length]!
  const last = 10 + ((pick >>> 8) % backendsPerPool)
  const host = `${pool}-${last}.internal`
  const retried = pick % 50 === 0
  return {
    alpn: [...offers[pick % offers.length]!],
    alpn_truncated: false,
    attempts: retried ? [{ backend: `${pool}-99.internal:8443`, code: 'ECONNREFUSED', ip: '10.0.4.99', ms: 0.41 }] : [],
    backend: `${host}:8443`,
    backend_address: { ip: `10.0.4.${last}`, port: 8_443 },
    client: { ip: `203.0.${pick & 0xff}.${(pick >>> 8) & 0xff}`, port: 1_024 + (pick % 60_000) },
    connection_id: connectionId,
    ech_offered: pick % 7 === 0,
    encrypted: true,
    ja4: `t13d1516h2_8daaf6152771_${pick.toString(16).padStart(12, '0').slice(-12)}`,
    listener: 'shared',
    local_address: { ip: '10.0.4.2', port: 32_768 + (pick % 28_000) },
    pool,
    revision: 17 + Math.floor(index / 100_000),
    routed_by: 'server_name',
    server_name: `customer-${pick % 400}.${pool}.example.com`,
    tls_versions: ['TLSv1.3', 'TLSv1.2'],
    tls_versions_truncated: false,
  }
}

function closedData(index: number, opened: ConnectionOpenedData): ConnectionClosedData {
  const pick = scattered(index ^ 0x5555)
  const broke = pick % 40 === 0
  return {
    backend: opened.backend,
    backend_address: opened.backend_address,
    bytes_quality: broke ? 'at_least' : 'exact',
    bytes_to_backend: 1_500 + (pick % 9_000),
    bytes_to_client: 4_000 + (pick % 900_000),
    client: opened.client,
    close: broke
      ? { actor: null, because: 'reset', by: 'client', code: 'ECONNRESET', phase: 'relay' }
      : { actor: null, because: 'finished', by: pick % 3 === 0 ? 'backend' : 'client', code: null, phase: 'half_closed' },
    connection_id: opened.connection_id,
    encrypted: true,
    listener: opened.listener,
    pool: opened.pool,
    server_name: opened.server_name,
    timings: {
      dial: hundredths(pick % 120),
      first_backend_byte: hundredths(pick % 900),
      hello: hundredths(pick % 70),
      queue: 0,
      record: hundredths(pick % 210),
      total: hundredths(pick % 3_000_000),
    },
    tls: {
      alerts: [],
      cipher: 'TLS_AES_128_GCM_SHA256',
      group: 'X25519MLKEM768',
      handshake: 'inferred_complete',
      hello_retry_request: false,
      resumed: pick % 3 === 0,
      version: 'TLSv1.3',
    },
  }
}

function hundredths(count: number): number {
  return count / 100
}

/** A number below 2^31 that looks random and is the same every time (multiplicative hashing, Knuth 6.4). */
function scattered(index: number): number {
  return Math.imul(index + 1, 0x9e37_79b1) >>> 1
}
