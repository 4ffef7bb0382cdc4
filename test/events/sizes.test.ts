import { describe, expect, test } from 'vitest'
import {
  alpnRecordedMax, closeParties, closePhases, closeReasons, ConnectionClosed, ConnectionOpened, ConnectionProgress,
  ConnectionRefused, dialAttemptsRecordedMax, refusalReasons, tlsVersionsRecordedMax,
} from '../../events/connection.ts'
import type { EventDefinition } from '../../events/define.ts'
import { HealthAddressesChanged } from '../../events/health.ts'
import { NodeReported, poolsReportedMax } from '../../events/node.ts'
import { handshakeProgress, RoutedBy, tlsAlertsRecordedMax } from '../../events/tls.ts'
import { encodeDraft, encodedBytes, sourceOf } from '../../events/envelope.ts'
import { closingRecordBytesMax, recordBytesMax } from '../../src/core/limits.ts'
import { draftOf, exampleEpoch, exampleRun, exampleTime, subjectOf } from '../support/records.ts'

/**
 * The largest records that the schemas let through. Each is shown to be the largest: no text in it can be longer or
 * need more bytes for a character, no list can have one more element.
 */

const clusterNameMax = 63
const nodeNameMax = 200
/** A closing record keeps to its limit, by which the reserve is measured, up to this length of a node's name. */
const nodeNameMaxOfClosing = 100

const ip = 'ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255'
const endpoint = { ip, port: 65_535 }
const count = Number.MAX_SAFE_INTEGER
/** A hundred days in microseconds: no connection goes on longer without a record that says so. */
const ms = 8_640_000_000.123
/** No number needs more digits than this one. */
const anyMs = 2.2250738585072014e-308
const uuid = exampleRun
const pool = 'p'.repeat(63)
const listener = `pools/${pool}`
const backend = `${'h'.repeat(253)}:65535`
const code = 'E'.repeat(60)
/** Of all that prints, a quote takes the most bytes in JSON. */
const quotes = (length: number): string => '"'.repeat(length)
const routedName = quotes(128)
const ja4 = 't13d1516h2_8daaf6152771_e5627efa2ab1'
const tls = {
  alerts: many(tlsAlertsRecordedMax, () => ({ by: 'backend', code: 255, name: 'n'.repeat(32) })),
  cipher: 'C'.repeat(48),
  group: 'g'.repeat(32),
  handshake: longest(handshakeProgress),
  hello_retry_request: false,
  resumed: false,
  version: 'T'.repeat(16),
}
const attempts = many(dialAttemptsRecordedMax, () => ({ backend, code, ip, ms: anyMs }))

const beforeBytes = {
  alpn: many(alpnRecordedMax, () => quotes(255)),
  alpn_truncated: false,
  attempts,
  backend,
  backend_address: endpoint,
}
const afterBytes = {
  client: endpoint,
  connection_id: uuid,
  ech_offered: false,
  encrypted: false,
  ja4,
  listener,
  local_address: endpoint,
  pool,
  revision: count,
  routed_by: longest(RoutedBy.options),
  server_name: routedName,
}
const atTheEnd = {
  tls_versions: many(tlsVersionsRecordedMax, () => 'T'.repeat(16)),
  tls_versions_truncated: false,
}
const closed = {
  backend,
  backend_address: endpoint,
  bytes_quality: 'at_least',
  bytes_to_backend: count,
  bytes_to_client: count,
  client: endpoint,
  close: { actor: { authn: 'none', id: 'a'.repeat(200), type: 'local' }, because: longest(closeReasons), by: longest(closeParties), code, phase: longest(closePhases) },
  connection_id: uuid,
  encrypted: false,
  listener,
  pool,
  server_name: routedName,
  timings: { dial: ms, first_backend_byte: ms, hello: ms, queue: ms, record: ms, total: ms },
  tls,
}
const largest: readonly (readonly [EventDefinition, object])[] = [
  [ConnectionOpened, { ...beforeBytes, ...afterBytes, ...atTheEnd }],
  [ConnectionProgress, { ...beforeBytes, bytes_to_backend: count, bytes_to_client: count, ...afterBytes, tls, ...atTheEnd }],
  [ConnectionClosed, closed],
  [
    ConnectionRefused,
    {
      after_ms: anyMs, alert: 255, attempts, because: longest(refusalReasons), client: endpoint,
      client_network: `${ip}/48`, count, detail: quotes(200), ja4, listener, pool, server_name: quotes(512),
    },
  ],
  [
    NodeReported,
    {
      clock_skew_ms: -count, connections_open: count, oldest_open: exampleTime,
      pools: many(poolsReportedMax, () => ({
        backends_down: count, bytes_to_backend: count, bytes_to_client: count, closed: count, connections_open: count, dial_failures: count,
        opened: count, pool,
      })),
      refused: count, revision: count, since: exampleTime, started_at: exampleTime, version: '0'.repeat(60),
    },
  ],
  [HealthAddressesChanged, { after: many(64, () => ip), before: many(64, () => ip), host: 'h'.repeat(253), truncated: false }],
]

describe.each(largest.map(([definition, data]) => [definition.type, definition, data] as const))('the largest %s', (_type, definition, data) => {
  test('is one that the schema lets through', () => {
    expect(definition.data.safeParse(data).error?.issues).toBeUndefined()
  })

  test('is the largest', () => {
    for (const [what, larger] of eachLarger(data)) {
      expect(definition.data.safeParse(larger).success, what).toBe(false)
    }
  })

  test(`has at most ${recordBytesMax} bytes`, () => {
    expect(sizeOf(definition, data, nodeNameMax)).toBeLessThanOrEqual(recordBytesMax)
  })
})

test(`the largest closing record has at most ${closingRecordBytesMax} bytes, by which the reserve is measured`, () => {
  expect(sizeOf(ConnectionClosed, closed, nodeNameMaxOfClosing)).toBeLessThanOrEqual(closingRecordBytesMax)
})

function sizeOf(definition: EventDefinition, data: object, nodeName: number): number {
  const node = 'n'.repeat(nodeName)
  const draft = { ...draftOf(definition, data, { subject: subjectOf(definition, data) }), partitionkey: node }
  const source = sourceOf('c'.repeat(clusterNameMax), node, exampleEpoch, definition.stream)
  return encodedBytes(encodeDraft(draft, { source, run: exampleRun }))
}

/** The value with one text longer or of costlier characters, or one list longer: each must be refused. */
function* eachLarger(value: unknown, path = ''): Generator<[string, unknown]> {
  if (typeof value === 'string') {
    yield [`${path} longer`, value + value.at(-1)]
    // Escaped by JSON, or several bytes in UTF-8.
    for (const costly of ['\u0001', '\u00e9', '\u20ac']) yield [`${path} with ${JSON.stringify(costly)}`, costly + value.slice(1)]
    if (!value.includes('"')) yield [`${path} with a quote`, `"${value.slice(1)}`]
  } else if (Array.isArray(value)) {
    yield [`${path} with one more`, [...value, value[0]]]
    for (const [what, larger] of eachLarger(value[0], `${path}[]`)) yield [what, value.with(0, larger)]
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value)) {
      for (const [what, larger] of eachLarger(inner, `${path}.${key}`)) yield [what, { ...value, [key]: larger }]
    }
  }
}

function many<Value>(length: number, make: () => Value): Value[] {
  return Array.from({ length }, make)
}

function longest(words: readonly string[]): string {
  return words.reduce((one, other) => (other.length > one.length ? other : one))
}
