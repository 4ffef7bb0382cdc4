import { describe, expect, test } from 'vitest'
import { PoolCreated } from '../../events/pool.ts'
import { ListenerChanged } from '../../events/listener.ts'
import type { EventDefinition } from '../../events/define.ts'
import type { ListenerAnswer, ListenerCase } from '../../events/values.ts'
import { fold } from '../../projections/projection.ts'
import { routing as projection, type Routing } from '../../projections/routing.ts'
import type { NoHello } from '../../src/proxy/engine.ts'
import { findPool, type Found, type Judged } from '../../src/proxy/route.ts'
import { RecordChain, recorded } from '../support/records.ts'
import { extension, helloMessage, record, serverName, supportedVersions } from '../support/tls-hellos.ts'
import { helloOf, judge } from '../support/tls-hellos-judge.ts'

/** Which pool a hello leads to, in every case that a listener tells apart. */

const plainPool = {
  ...PoolCreated.examples[0], allow_plaintext: false, backends: [], default_route: false, default_route_reason: null, listen: null,
  min_tls_version: null, reject_ech: false, server_names: [],
}
const pool = (name: string, set: object = {}) => [PoolCreated, { ...plainPool, name, ...set }] as const
const listener = (name: string, set: { readonly [Case in ListenerCase]?: ListenerAnswer }) =>
  [ListenerChanged, { ...ListenerChanged.examples[0], listener: name, set }] as const

function routingOf(...changes: (readonly [EventDefinition, object])[]): Routing {
  const chain = new RecordChain('control')
  return fold(projection, changes.map(([definition, data]) => recorded(chain.make(definition, data))))
}

function hello(...extensions: Buffer[]): Judged {
  return { kind: 'hello', hello: helloOf(judge(record(helloMessage({ extensions })))) }
}
const named = (name: string): Judged => hello(serverName(name))
const without = (what: NoHello['what']): Judged => ({ kind: 'no_hello', what, detail: 'as it was', hint: null })

function told(found: Found): string {
  return found.kind === 'pool' ? `${found.pool.name} by ${found.routedBy}` : found.reason
}

describe('the shared listener', () => {
  const app = pool('app', { server_names: ['app.example', '*.one.example', '**.any.example', '10.0.0.1', '2001:db8::1'] })

  test.each([
    ['app.example', 'app by server_name'],
    ['APP.Example.', 'app by server_name'],
    ['x.one.example', 'app by server_name'],
    ['x.y.one.example', 'unknown_sni'],
    ['one.example', 'unknown_sni'],
    ['x.any.example', 'app by server_name'],
    ['x.y.z.any.example', 'app by server_name'],
    ['any.example', 'unknown_sni'],
    ['other.example', 'unknown_sni'],
    // RFC 6066 forbids addresses: only who is claimed as one is found by it.
    ['10.0.0.1', 'app by server_name'],
    ['10.0.0.1.', 'app by server_name'],
    ['10.0.0.2', 'no_sni'],
    ['::ffff:10.0.0.1', 'no_sni'],
    ['010.0.0.1', 'no_sni'],
    ['2001:DB8:0::1', 'app by server_name'],
    ['[2001:db8::1]', 'app by server_name'],
    ['::1', 'no_sni'],
    ['a b', 'hello_malformed'],
    ['-', 'unknown_sni'],
  ])('%s: %s', (name, wanted) => {
    expect(told(findPool(routingOf(app), null, named(name)))).toBe(wanted)
  })

  test('without a default route everything that leads nowhere is refused', () => {
    const routing = routingOf(app)
    expect(told(findPool(routing, null, hello()))).toBe('no_sni')
    const reasons = (['malformed', 'not_tls', 'sslv2', 'timeout', 'too_large'] as const).map((what) => told(findPool(routing, null, without(what))))
    expect(reasons).toEqual(['hello_malformed', 'not_tls', 'sslv2', 'peek_timeout', 'hello_too_large'])
    expect(findPool(routing, null, without('malformed'))).toMatchObject({ detail: 'as it was', pool: null })
  })

  test('the default route takes what has no name or an unknown one, and nothing that could not be read', () => {
    const routing = routingOf(app, pool('rest', { default_route: true }))
    expect([hello(), named('other.example'), named('10.0.0.2')].map((peeked) => told(findPool(routing, null, peeked)))).toEqual([
      'rest by no_sni', 'rest by unknown_sni', 'rest by no_sni',
    ])
    for (const what of ['malformed', 'not_tls', 'sslv2', 'timeout', 'too_large'] as const) {
      expect(findPool(routing, null, without(what)).kind).toBe('refused')
    }
    expect(told(findPool(routing, null, named('a b')))).toBe('hello_malformed')
  })

  test('what is set for the listener beats the default route, in each case on its own', () => {
    const rest = pool('rest', { default_route: true })
    const old = pool('old', { allow_plaintext: true })
    const routing = routingOf(app, rest, old, listener('shared', { no_sni: 'refuse', not_tls: { pool: 'old' }, sslv2: { pool: 'old' } }))
    expect(told(findPool(routing, null, hello()))).toBe('no_sni')
    expect(told(findPool(routing, null, named('other.example')))).toBe('rest by unknown_sni')
    expect(told(findPool(routing, null, without('not_tls')))).toBe('old by not_tls')
    expect(told(findPool(routing, null, without('sslv2')))).toBe('old by sslv2')
    const again = routingOf(app, rest, old, listener('shared', { no_sni: 'refuse', not_tls: { pool: 'old' } }), listener('shared', { no_sni: null }))
    expect(told(findPool(again, null, hello()))).toBe('rest by no_sni')
    expect(told(findPool(again, null, without('not_tls')))).toBe('old by not_tls')
  })

  test('a log that names a pool which is not there, or takes no plaintext, refuses', () => {
    const nowhere = routingOf(app, listener('shared', { malformed: { pool: 'gone' }, not_tls: { pool: 'app' } }))
    expect(told(findPool(nowhere, null, without('malformed')))).toBe('hello_malformed')
    expect(findPool(nowhere, null, without('not_tls'))).toMatchObject({ reason: 'not_tls', pool: 'app', detail: expect.stringContaining('plaintext') })
  })
})

describe("a pool's own listener", () => {
  const own = pool('own', { listen: '127.0.0.1:9443', server_names: ['own.example'] })
  const other = pool('other', { default_route: true, server_names: ['other.example'] })

  test('leads there whatever the name, but not what could not be read', () => {
    const routing = routingOf(own, other)
    expect(told(findPool(routing, 'own', named('own.example')))).toBe('own by server_name')
    expect([hello(), named('other.example'), named('unknown.example')].map((peeked) => told(findPool(routing, 'own', peeked)))).toEqual([
      'own by listener', 'own by listener', 'own by listener',
    ])
    expect(told(findPool(routing, 'own', named('a b')))).toBe('hello_malformed')
    expect(findPool(routing, 'own', without('timeout'))).toMatchObject({ reason: 'peek_timeout', pool: 'own' })
  })

  test('may insist on its own names', () => {
    const routing = routingOf(own, other, listener('pools/own', { no_sni: 'refuse', unknown_sni: { pool: 'other' } }))
    expect(told(findPool(routing, 'own', hello()))).toBe('no_sni')
    expect(told(findPool(routing, 'own', named('other.example')))).toBe('other by unknown_sni')
    expect(told(findPool(routing, 'own', named('own.example')))).toBe('own by server_name')
    expect(told(findPool(routing, null, hello()))).toBe('other by no_sni')
  })
})

describe('what a pool asks of a hello', () => {
  const asks = (set: object) => routingOf(pool('app', { default_route: true, ...set }))

  test.each([
    ['TLSv1.2', [0x0303, 0x0302], 'app by unknown_sni'],
    ['TLSv1.2', [0x0302, 0x0a0a], 'tls_version_too_low'],
    ['TLSv1.3', [0x0303], 'tls_version_too_low'],
    ['TLSv1.3', [0x7f1c, 0x0a0a], 'tls_version_too_low'],
    ['TLSv1.3', [0x3a3a, 0x0304], 'app by unknown_sni'],
    [null, [0x0300], 'app by unknown_sni'],
  ])('at least %s, offered %j: %s', (min_tls_version, versions, wanted) => {
    expect(told(findPool(asks({ min_tls_version }), null, hello(serverName('a.example'), supportedVersions(...versions))))).toBe(wanted)
  })

  test('without supported_versions the legacy version is what is offered, TLS 1.2 at most', () => {
    expect(told(findPool(asks({ min_tls_version: 'TLSv1.2' }), null, named('a.example')))).toBe('app by unknown_sni')
    expect(findPool(asks({ min_tls_version: 'TLSv1.3' }), null, named('a.example'))).toMatchObject({
      reason: 'tls_version_too_low', pool: 'app', detail: 'at most TLSv1.2 is offered, and the pool asks for TLSv1.3',
    })
  })

  test('no Encrypted Client Hello, where it is rejected', () => {
    const offersEch = hello(serverName('a.example'), extension(0xfe0d, Buffer.from([1, 2, 3])))
    expect(told(findPool(asks({}), null, offersEch))).toBe('app by unknown_sni')
    expect(findPool(asks({ reject_ech: true }), null, offersEch)).toMatchObject({ reason: 'ech_offered', pool: 'app' })
    expect(told(findPool(asks({ reject_ech: true }), null, named('a.example')))).toBe('app by unknown_sni')
  })
})
