import { describe, expect, test } from 'vitest'
import { decideChangePool, decideRemovePool, type PoolChanges } from '../../src/commands/change-pool.ts'
import { decideCreatePool } from '../../src/commands/create-pool.ts'
import { given, rules, stamp } from './decide.ts'
import { backend, fileA, declaredIn, givenApp, inline, named, pool, recordWith, refusal } from './wishes.ts'
import { decideAddBackend } from '../../src/commands/backend.ts'

const change = (set: PoolChanges) => ({ name: 'app', set })

/** What the record says of a change of `app`. */
function setOf(set: PoolChanges, before = givenApp()): unknown {
  const decision = before.when(decideChangePool, change(set))
  return 'record' in decision ? decision.record.data.set : decision
}

describe('changing a pool', () => {
  test('records who, when and what, with the id of the command', () => {
    const command = { ...change({ owner: 'eve' }), ...stamp, ifMatch: 2 }
    expect(givenApp().when(decideChangePool, command)).toEqual({
      record: {
        id: stamp.recordId,
        time: stamp.time,
        type: 'dev.waybill.pool.changed.v1',
        subject: 'pools/app',
        partitionkey: 'control',
        data: {
          actor: { authn: 'none', id: 'loopback', type: 'local' },
          change: { approved_by: null, reason: null, requested_by: null, ticket: null },
          idempotency: null,
          name: 'app',
          origin: { ip: '127.0.0.1', port: 50_112, via: 'api' },
          set: { owner: 'eve' },
        },
      },
    })
  })

  test('all fields at once, in the words of the record and in canonical form', () => {
    const set = setOf({
      algorithm: 'random',
      allowPlaintext: true,
      businessNeed: 'cards',
      declaration: declaredIn(fileA, 'algorithm'),
      defaultRoute: true,
      drainTimeoutMs: 0,
      healthCheckIntervalMs: 500,
      listen: 9443,
      minTlsVersion: 'TLSv1.3',
      owner: 'eve',
      rejectEch: true,
      serverNames: ['B.example', '*.Bücher.example', 'b.EXAMPLE'],
    })
    expect(Object.entries(set as object)).toEqual([
      ['algorithm', 'random'],
      ['allow_plaintext', true],
      ['business_need', 'cards'],
      ['declaration', { fields: ['algorithm'], file: fileA }],
      ['default_route', true],
      ['drain_timeout', 0],
      ['health_check_interval', 500],
      ['listen', '[::]:9443'],
      ['min_tls_version', 'TLSv1.3'],
      ['owner', 'eve'],
      ['reject_ech', true],
      ['server_names', ['b.example', '*.xn--bcher-kva.example']],
    ])
  })

  test('only what differs is recorded', () => {
    const same = {
      algorithm: 'least_connections', allowPlaintext: false, defaultRoute: false, drainTimeoutMs: null, listen: null,
      minTlsVersion: null, rejectEch: false,
    } as const
    expect(setOf({ ...same, businessNeed: null, owner: 'eve', serverNames: ['APP.example.com'] })).toEqual({ owner: 'eve' })
  })

  test('what is so already is no change, whoever asks and however it is written', () => {
    const before = givenApp({ listen: 9443, owner: 'ada', declaration: declaredIn(fileA, 'listen', 'owner') })
    expect(before.when(decideChangePool, change({}))).toEqual({ unchanged: true })
    expect(before.when(decideChangePool, change({ listen: '[0::0]:9443', owner: 'ada' }))).toEqual({ unchanged: true })
  })

  test('null takes away what may be missing', () => {
    const before = givenApp({ businessNeed: 'cards', drainTimeoutMs: 5, listen: 9443, minTlsVersion: 'TLSv1.2', owner: 'ada' })
    const nothing = { businessNeed: null, drainTimeoutMs: null, listen: null, minTlsVersion: null, owner: null } as const
    const none = { business_need: null, drain_timeout: null, listen: null, min_tls_version: null, owner: null }
    expect(setOf(nothing, before)).toEqual(none)
    const { state } = before.and(decideChangePool, change(nothing))
    expect(state.pools.get('app')).toMatchObject(nothing)
  })

  test('takes effect in the fold and leaves the rest', () => {
    const { state } = givenApp().and(decideChangePool, change({ algorithm: 'random', serverNames: ['new.example'] }))
    expect(state.pools.get('app')).toMatchObject({ algorithm: 'random', healthCheckIntervalMs: 10_000, revision: 3 })
    expect([...state.exactNames]).toEqual([['new.example', 'app']])
    expect(state.pools.get('app')!.backends.size).toBe(1)
  })

  test('of a pool that is not there; of one that changed since', () => {
    expect(given().when(decideChangePool, change({ owner: 'eve' }))).toEqual(refusal('pool_unknown'))
    expect(givenApp().when(decideChangePool, { ...change({ owner: 'eve' }), ifMatch: 1 })).toEqual(refusal('revision_mismatch'))
    // RFC 9110, section 13.1.1: the precondition comes before looking at what would change.
    expect(givenApp().when(decideChangePool, { ...change({}), ifMatch: 1 })).toEqual(refusal('revision_mismatch'))
    expect(givenApp().when(decideChangePool, { ...change({ owner: 'eve' }), ifMatch: 2 })).toHaveProperty('record')
  })

  test('values that are none are refused before anything else', () => {
    expect(given().when(decideChangePool, change({ listen: 'nowhere' }))).toEqual(refusal('listen_invalid', 'listen'))
    expect(given().when(decideChangePool, change({ serverNames: ['fine', '10.0.0.256'] }))).toEqual(
      refusal('server_name_invalid', 'server_names.1'),
    )
  })

  test('a record that would be too large is refused', () => {
    const label = 'a'.repeat(60)
    const serverNames = Array.from({ length: 256 }, (_, index) => `${label}.${label}.${label}.b${label.slice(12)}.${index}.test`)
    expect(setOf({ serverNames })).toEqual(refusal('command_too_large'))
    expect(setOf({ serverNames: serverNames.slice(0, 200) })).toHaveProperty('server_names')
  })
})

describe('what other pools claim', () => {
  const before = givenApp({ defaultRoute: false })
    .and(decideCreatePool, pool('other', { defaultRoute: true, listen: 9443, serverNames: ['x.example', '*.y.example'] }))

  test.each([
    [{ serverNames: ['new.example', 'X.example'] }, 'server_name_taken', 'server_names'],
    [{ serverNames: ['*.y.example'] }, 'server_name_taken', 'server_names'],
    [{ listen: '127.0.0.1:9443' }, 'listen_taken', 'listen'],
    [{ listen: rules.sharedListen.port }, 'listen_taken', 'listen'],
    [{ listen: rules.api.port }, 'listen_taken', 'listen'],
    [{ defaultRoute: true }, 'default_route_taken', 'default_route'],
  ] as const)('%o is refused as %s', (set, code, field) => {
    expect(before.when(decideChangePool, change(set))).toEqual(refusal(code, field))
  })

  test('is free again once the other one gave it up', () => {
    const after = before.and(decideChangePool, { name: 'other', set: { defaultRoute: false, listen: null, serverNames: [] } })
    expect(setOf({ defaultRoute: true, listen: 9443, serverNames: ['x.example'] }, after)).toEqual({
      default_route: true, listen: '[::]:9443', server_names: ['x.example'],
    })
  })

  test('its own claims are in nobody\'s way', () => {
    const own = givenApp({ defaultRoute: true, listen: '127.0.0.1:9443', serverNames: ['x.example'] })
    expect(setOf({ defaultRoute: true, listen: 9443, serverNames: ['x.example', 'y.example'] }, own)).toEqual({
      listen: '[::]:9443', server_names: ['x.example', 'y.example'],
    })
  })
})

describe('removing a pool', () => {
  const remove = (force: boolean) => ({ name: 'app', force })

  test.each([true, false])('is one record that says whether open connections are ended: %s', (force) => {
    const decision = givenApp().when(decideRemovePool, remove(force))
    expect(decision).toEqual(recordWith({ force, name: 'app' }))
    expect(decision).toMatchObject({ record: { type: 'dev.waybill.pool.removed.v1', subject: 'pools/app' } })
  })

  test('frees all that the pool claimed', () => {
    const before = givenApp({ defaultRoute: true, listen: 9443 }).and(decideRemovePool, remove(false))
    expect(before.state).toMatchObject({ revision: 3, pools: new Map(), exactNames: new Map(), defaultRoute: null })
    expect(before.when(decideCreatePool, named('app', { defaultRoute: true, listen: 9443 }))).toHaveProperty('record')
  })

  test('a new one of the same name has nothing of the old one', () => {
    const again = givenApp().and(decideRemovePool, remove(false)).and(decideCreatePool, named('app', { backends: [inline('new')] }))
    expect([...again.state.pools.get('app')!.backends.keys()]).toEqual(['new:443'])
  })

  test('of a pool that is not there, twice, or changed since', () => {
    expect(given().when(decideRemovePool, remove(true))).toEqual(refusal('pool_unknown'))
    expect(givenApp().and(decideRemovePool, remove(true)).when(decideRemovePool, remove(true))).toEqual(refusal('pool_unknown'))
    expect(givenApp().when(decideRemovePool, { ...remove(true), ifMatch: 1 })).toEqual(refusal('revision_mismatch'))
    // A change of one of its backends is a change of the pool.
    const touched = givenApp().and(decideAddBackend, backend('app', 'b'))
    expect(touched.when(decideRemovePool, { ...remove(true), ifMatch: 2 })).toEqual(refusal('revision_mismatch'))
    expect(touched.when(decideRemovePool, { ...remove(true), ifMatch: 3 })).toHaveProperty('record')
  })
})
