import { describe, expect, test } from 'vitest'
import { decideAddBackend } from '../../src/commands/backend.ts'
import { backendsPerPoolMax, poolsMax } from '../../src/commands/bounds.ts'
import { decideCreatePool } from '../../src/commands/create-pool.ts'
import { given, recorded, rules, stamp } from './decide.ts'
import { backend, inline, named, pool, refusal } from './wishes.ts'

describe('creating a pool', () => {
  test('records who, when and all that was said, with the id of the command', () => {
    const command = { ...pool('secure-app', { owner: 'payments', businessNeed: 'cards' }), ...stamp }
    expect(given().when(decideCreatePool, command)).toEqual({
      record: {
        id: stamp.recordId,
        time: stamp.time,
        type: 'dev.waybill.pool.created.v1',
        subject: 'pools/secure-app',
        partitionkey: 'control',
        data: {
          actor: { authn: 'none', id: 'loopback', type: 'local' },
          algorithm: 'least_connections',
          allow_plaintext: false,
          backends: [],
          business_need: 'cards',
          change: { approved_by: null, reason: null, requested_by: null, ticket: null },
          declaration: null,
          default_route: true,
          default_route_reason: 'automatic',
          drain_timeout: null,
          health_check_interval: 10_000,
          idempotency: null,
          listen: null,
          min_tls_version: null,
          name: 'secure-app',
          origin: { ip: '127.0.0.1', port: 50_112, via: 'api' },
          owner: 'payments',
          reject_ech: false,
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

describe('backends that a pool is created with', () => {
  test('are part of its one record, with their addresses in canonical form and in the order given', () => {
    const backends = [inline('B.internal:8443', { weight: 7 }), inline('[::0:1]')]
    const before = given().and(decideCreatePool, pool('a', { backends }))
    expect(before.state.revision).toBe(1)
    expect([...before.state.pools.get('a')!.backends.values()].map(({ id, weight }) => [id, weight])).toEqual([
      ['b.internal:8443', 7],
      ['[::1]:443', 1],
    ])
  })

  test('one that is no URL is refused by its place in the list', () => {
    expect(given().when(decideCreatePool, pool('a', { backends: [inline('fine'), inline('no path/')] }))).toEqual(
      refusal('backend_url_invalid', 'backends.1.url'),
    )
  })

  test('twice the same, however it is written', () => {
    expect(given().when(decideCreatePool, pool('a', { backends: [inline('b'), inline('c'), inline('B:0443')] }))).toEqual(
      refusal('backend_exists', 'backends.2.url'),
    )
  })

  test('as many as a pool may have', () => {
    const many = Array.from({ length: backendsPerPoolMax }, (_, index) => inline(`b-${index}`))
    expect(given().when(decideCreatePool, pool('a', { backends: many }))).toHaveProperty('record')
    expect(given().when(decideCreatePool, pool('a', { backends: [...many, inline('more')] }))).toEqual(refusal('too_many_backends', 'backends'))
  })

  test('all or none: with one that is refused there is no pool', () => {
    expect(given().when(decideCreatePool, pool('a', { backends: [inline('b'), inline('b')] }))).not.toHaveProperty('record')
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

  test('never goes by itself to a pool for clients that may not be encrypted', () => {
    const plain = { allowPlaintext: true, businessNeed: 'card readers of 2009' }
    expect(given().when(decideCreatePool, pool('a', plain))).toMatchObject(route(null))
    expect(given().when(decideCreatePool, pool('a', { ...plain, defaultRoute: true }))).toMatchObject(route('requested'))
    expect(given().and(decideCreatePool, pool('a', plain)).when(decideCreatePool, pool('b'))).toMatchObject(route('automatic'))
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
})

test('deciders leave the state as it was', () => {
  const before = given().and(decideCreatePool, pool('a'))
  const copy = structuredClone(before.state)
  before.when(decideCreatePool, pool('b'))
  before.when(decideAddBackend, backend('a', 'x'))
  expect(before.state).toEqual(copy)
})
