import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ServerNamePattern } from '../../events/values.ts'
import { poolsMax } from '../../src/commands/bounds.ts'
import { decideAddBackend } from '../../src/commands/backend.ts'
import { canonicalServerName } from '../../src/commands/host-name.ts'
import { canonicalListen, decideCreatePool, warningsOf, type CreatePool } from '../../src/commands/pool.ts'
import type { Request } from '../../src/commands/decision.ts'
import type { Pool } from '../../projections/routing.ts'
import { given, recorded, rules, stamp } from './decide.ts'

type Wish = Omit<CreatePool, keyof Request>

function pool(name: string, wish: Partial<Wish> = {}): Wish {
  return {
    name,
    algorithm: 'least_connections',
    businessNeed: null,
    defaultRoute: null,
    healthCheckIntervalMs: 10_000,
    listen: null,
    managedBy: 'api',
    owner: null,
    serverNames: [],
    ...wish,
  }
}
const named = (name: string): Wish => pool(name, { serverNames: [`${name}.example.com`] })
const refusal = (code: string, field?: string) => ({
  refusal: expect.objectContaining(field === undefined ? { code } : { code, field }),
})

describe('creating a pool', () => {
  test('records who, when and all that was said, with the id of the command', () => {
    const command = { ...pool('secure-app', { owner: 'payments', businessNeed: 'cards' }), ...stamp }
    expect(given().when(decideCreatePool, command)).toEqual({
      record: {
        id: stamp.id,
        time: stamp.time,
        type: 'dev.waybill.pool.created.v1',
        subject: 'pools/secure-app',
        partitionkey: 'control',
        data: {
          actor: { authn: 'none', id: 'loopback', type: 'local' },
          algorithm: 'least_connections',
          backends: [],
          business_need: 'cards',
          change: { approved_by: null, reason: null, requested_by: null, ticket: null },
          default_route: true,
          default_route_reason: 'automatic',
          health_check_interval: 10_000,
          idempotency_key: null,
          listen: null,
          managed_by: 'api',
          name: 'secure-app',
          origin: { ip: '127.0.0.1', port: 50_112, via: 'api' },
          owner: 'payments',
          server_names: [],
          ssl_mode: 'passthrough',
        },
      },
    })
  })

  test('the same name twice is refused', () => {
    expect(given().and(decideCreatePool, pool('a')).when(decideCreatePool, pool('a'))).toEqual(refusal('pool_exists', 'name'))
  })

  test('as many pools as there may be', () => {
    let { state } = given()
    for (let index = 0; index < poolsMax; index += 1) {
      const decision = given(state).when(decideCreatePool, named(`pool-${index}`))
      if ('record' in decision) state = { ...recorded(state, decision.record) }
    }
    expect(state.pools.size).toBe(poolsMax)
    expect(given(state).when(decideCreatePool, named('more'))).toEqual(refusal('too_many_pools'))
  })

  test('a record that would be too large is refused before any other rule', () => {
    const label = 'a'.repeat(60)
    const serverNames = Array.from({ length: 256 }, (_, index) => `${label}.${label}.${label}.b${label.slice(12)}.${index}.test`)
    const before = given().and(decideCreatePool, pool('a'))
    expect(before.when(decideCreatePool, pool('a', { serverNames }))).toEqual(refusal('command_too_large'))
    expect(before.when(decideCreatePool, pool('b', { serverNames: serverNames.slice(0, 200) }))).toHaveProperty('record')
  })
})

describe('server names', () => {
  test('are stored lower case, as A-labels, each once', () => {
    const serverNames = ['App.Example.COM', 'app.example.com', '*.Bücher.example']
    expect(given().when(decideCreatePool, pool('a', { serverNames }))).toMatchObject({
      record: { data: { server_names: ['app.example.com', '*.xn--bcher-kva.example'], default_route: false } },
    })
  })

  test.each([
    'a b.example', '*', '*.', 'a.*.example', '*.*.example', '**.example', 'a*.example', '10.0.0.1', '::1', '[::1]',
    'a.example.', '-a.example', 'a..b', 'a.example:443', '1.2', '\u00ad',
  ])('"%s" is refused, with its place in the list', (name) => {
    expect(given().when(decideCreatePool, pool('a', { serverNames: ['fine.example', name] }))).toEqual(
      refusal('server_name_invalid', 'server_names.1'),
    )
  })

  test('a name that another pool claims is refused, and the pool is named', () => {
    const before = given().and(decideCreatePool, pool('a', { serverNames: ['x.example', '*.y.example'] }))
    for (const name of ['X.example', '*.y.EXAMPLE']) {
      const decision = before.when(decideCreatePool, pool('b', { serverNames: [name] }))
      expect(decision).toEqual(refusal('server_name_taken', 'server_names'))
      expect(decision).toMatchObject({ refusal: { extra: { pool: 'a' }, sentence: expect.stringContaining('"a"') } })
    }
  })

  test('an exact name, its wildcard and a name under the wildcard are different claims', () => {
    const before = given().and(decideCreatePool, pool('a', { serverNames: ['*.example.com'] }))
    expect(before.when(decideCreatePool, pool('b', { serverNames: ['example.com', 'a.example.com'] }))).toHaveProperty('record')
  })

  test('are canonical once made so, and then fit the record', () => {
    const name = fc.oneof(fc.domain(), fc.domain().map((domain) => `*.${domain}`), fc.string({ unit: 'grapheme', maxLength: 20 }))
    fc.assert(
      fc.property(name, (text) => {
        const once = canonicalServerName(text)
        if ('problem' in once) return
        expect(canonicalServerName(once.value)).toEqual(once)
        expect(ServerNamePattern.safeParse(once.value).success).toBe(true)
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('listen', () => {
  test.each([
    [9443, '[::]:9443'],
    ['[0:0::0]:9443', '[::]:9443'],
    ['127.0.0.1:9443', '127.0.0.1:9443'],
    [null, null],
  ])('%s is stored as %s', (listen, stored) => {
    expect(canonicalListen(listen)).toEqual({ value: stored })
  })

  test.each([0, 65_536, 1.5, '9443', '127.0.0.1:0', 'example.com:9443', '[fe80::1%lo]:9443', ''])('%s is refused', (listen) => {
    expect(given().when(decideCreatePool, pool('a', { listen }))).toEqual(refusal('listen_invalid', 'listen'))
  })

  test.each([8443, '127.0.0.1:8443', 4000, '127.0.0.1:4000', 9443, '0.0.0.0:9443', '127.0.0.1:9443'])(
    '%s is taken by the shared listener, the API or pool a',
    (listen) => {
      const before = given().and(decideCreatePool, pool('a', { listen: 9443 }))
      expect(before.when(decideCreatePool, pool('b', { listen }))).toEqual(refusal('listen_taken', 'listen'))
    },
  )

  test('the same port on another address is free', () => {
    const before = given().and(decideCreatePool, pool('a', { listen: '127.0.0.1:9443' }))
    expect(before.when(decideCreatePool, pool('b', { listen: '127.0.0.2:9443' }))).toHaveProperty('record')
    expect(before.when(decideCreatePool, pool('b', { listen: '127.0.0.2:4000' }))).toHaveProperty('record')
  })
})

describe('the default route', () => {
  const route = (reason: string | null) => ({
    record: { data: { default_route: reason !== null, default_route_reason: reason } },
  })

  test('goes by itself to the first pool that nothing else leads to', () => {
    expect(given().when(decideCreatePool, pool('a'))).toMatchObject(route('automatic'))
    expect(given().when(decideCreatePool, named('a'))).toMatchObject(route(null))
    expect(given().when(decideCreatePool, pool('a', { listen: 9443 }))).toMatchObject(route(null))
    expect(given().and(decideCreatePool, pool('a')).when(decideCreatePool, pool('b'))).toMatchObject(route(null))
  })

  test('does not when the setting or the command says so', () => {
    expect(given().when(decideCreatePool, pool('a'), { ...rules, autoDefaultRoute: false })).toMatchObject(route(null))
    expect(given().when(decideCreatePool, pool('a', { defaultRoute: false }))).toMatchObject(route(null))
  })

  test('can be asked for, once', () => {
    const wish = { ...named('a'), defaultRoute: true }
    expect(given().when(decideCreatePool, wish)).toMatchObject(route('requested'))
    const decision = given().and(decideCreatePool, wish).when(decideCreatePool, pool('b', { defaultRoute: true }))
    expect(decision).toEqual(refusal('default_route_taken', 'default_route'))
    expect(decision).toMatchObject({ refusal: { extra: { pool: 'a' } } })
  })

  test('a pool that nothing leads to has a warning', () => {
    const { pools } = given().and(decideCreatePool, pool('a')).and(decideCreatePool, pool('b')).and(decideCreatePool, named('c')).state
    const warnings = (name: string) => warningsOf(pools.get(name) as Pool)
    expect([warnings('a'), warnings('c')]).toEqual([[], []])
    expect(warnings('b')).toEqual([expect.stringContaining('No route leads to pool "b"')])
  })
})

test('deciders leave the state as it was', () => {
  const before = given().and(decideCreatePool, pool('a'))
  const copy = structuredClone(before.state)
  before.when(decideCreatePool, pool('b'))
  before.when(decideAddBackend, { pool: 'a', url: 'https://x', weight: 1 })
  expect(before.state).toEqual(copy)
})
