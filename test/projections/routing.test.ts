import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BackendAdded, BackendChanged, BackendDrained, BackendRemoved, BackendResumed } from '../../events/backend.ts'
import { zeroHash } from '../../events/chain.ts'
import { ConfigApplied } from '../../events/config.ts'
import { PoolChanged, PoolCreated, PoolRemoved } from '../../events/pool.ts'
import type { EventDefinition } from '../../events/define.ts'
import { hasListener } from '../../projections/listeners.ts'
import { fold } from '../../projections/projection.ts'
import { routing, type Routing } from '../../projections/routing.ts'
import { movesOf, recordsOf } from '../support/histories.ts'
import { RecordChain, recorded, type Overrides } from '../support/records.ts'

type Given = readonly [EventDefinition, object, Overrides?]

/** The state after these records, in this order. */
function given(...history: Given[]): Routing {
  const chain = new RecordChain('control')
  return fold(routing, history.map(([definition, data, overrides]) => recorded(chain.make(definition, data, overrides))))
}

const [example] = PoolCreated.examples
const created = (name: string, fields: object = {}): Given => [
  PoolCreated, { ...example, backends: [], default_route: false, default_route_reason: null, name, server_names: [], ...fields },
]
const [plain] = BackendResumed.examples
const id = '10.0.0.1:8443'
const address = { host: '10.0.0.1', id, port: 8443 }
const of = (pool: string) => ({ ...plain, id, pool })
const leaving = (pool: string) => ({ ...of(pool), force: false })
const declaration = { fields: ['weight'], file: '/etc/waybill.yaml' }
const added = (pool: string, fields: object = {}): Given => [
  BackendAdded, { ...BackendAdded.examples[0], ...address, pool, weight: 1, ...fields }, { time: '2026-11-24T08:00:01.000Z' },
]
const changed = (name: string, set: object): Given => [PoolChanged, { ...PoolChanged.examples[0], name, set }]
const removed = (name: string): Given => [PoolRemoved, { ...PoolRemoved.examples[0], name }]

describe('nothing', () => {
  test('is revision 0, based on zeros, and routes nowhere', () => {
    expect(given()).toEqual({
      revision: 0, basis: zeroHash, changedAt: null, voided: 0, pools: new Map(), exactNames: new Map(), wildcardNames: new Map(),
      anyDepthNames: new Map(), listeners: new Map(), defaultRoute: null, declarations: new Map(),
    })
  })
})

describe('pool.created', () => {
  test('makes a pool of what the record says, with its backends, at its revision and time', () => {
    const state = given(
      created('first'),
      created('app', {
        allow_plaintext: true, min_tls_version: 'TLSv1.3', reject_ech: true,
        backends: [{ declaration, ...address, weight: 3 }], declaration, drain_timeout: 500, listen: '[::]:9443', owner: 'ada',
        business_need: null, server_names: ['x.example'], default_route: true, default_route_reason: 'requested',
      }),
    )
    expect(state.revision).toBe(2)
    expect(state.pools.get('app')).toEqual({
      name: 'app',
      algorithm: 'least_connections',
      allowPlaintext: true,
      backends: new Map([[id, { ...address, declaration, weight: 3, drainingSince: null, addedAt: '2026-11-24T08:00:00.000Z' }]]),
      businessNeed: null,
      createdAt: '2026-11-24T08:00:00.000Z',
      declaration,
      defaultRoute: true,
      defaultRouteReason: 'requested',
      drainTimeoutMs: 500,
      healthCheckIntervalMs: 10_000,
      listen: '[::]:9443',
      minTlsVersion: 'TLSv1.3',
      owner: 'ada',
      rejectEch: true,
      revision: 2,
      serverNames: ['x.example'],
      sslMode: 'passthrough',
    })
    expect(state.pools.get('first')?.revision).toBe(1)
  })

  test('of a name that exists changes nothing but the revision', () => {
    const state = given(created('app', { owner: 'ada' }), created('app', { owner: 'eve' }))
    expect(state.revision).toBe(2)
    expect(state.pools.get('app')).toMatchObject({ owner: 'ada', revision: 1 })
  })
})

describe('pool.changed', () => {
  test('changes what `set` names and nothing else', () => {
    const before = given(created('app', { server_names: ['x.example'] })).pools.get('app')!
    const set = {
      algorithm: 'random', allow_plaintext: true, business_need: 'cards', declaration, default_route: true, drain_timeout: 0, health_check_interval: 500,
      listen: '[::]:1', min_tls_version: 'TLSv1', owner: 'eve', reject_ech: true, server_names: ['y.example'],
    }
    const fields = {
      algorithm: { algorithm: 'random' }, allow_plaintext: { allowPlaintext: true }, business_need: { businessNeed: 'cards' }, declaration: { declaration },
      default_route: { defaultRoute: true, defaultRouteReason: 'requested' }, drain_timeout: { drainTimeoutMs: 0 },
      health_check_interval: { healthCheckIntervalMs: 500 }, listen: { listen: '[::]:1' },
      min_tls_version: { minTlsVersion: 'TLSv1' }, owner: { owner: 'eve' }, reject_ech: { rejectEch: true },
      server_names: { serverNames: ['y.example'] },
    }
    for (const [field, value] of Object.entries(set)) {
      const after = given(created('app', { server_names: ['x.example'] }), changed('app', { [field]: value })).pools.get('app')
      expect(after, field).toEqual({ ...before, revision: 2, ...fields[field as keyof typeof fields] })
    }
  })

  test('sets to null what may be null', () => {
    const state = given(
      created('app', { listen: '[::]:1', owner: 'ada', business_need: 'cards', declaration, drain_timeout: 0 }),
      changed('app', { listen: null, min_tls_version: null, owner: null, business_need: null, declaration: null, drain_timeout: null }),
    )
    expect(state.pools.get('app')).toMatchObject({
      listen: null, minTlsVersion: null, owner: null, businessNeed: null, declaration: null, drainTimeoutMs: null,
    })
  })

  test('of a pool that is not there changes nothing but the revision', () => {
    expect(given(changed('app', { owner: 'eve' }))).toMatchObject({ revision: 1, pools: new Map() })
  })
})

describe('pool.removed', () => {
  test('takes the pool, its names and its default route away', () => {
    const state = given(created('app', { server_names: ['x.example', '*.x.example', '**.x.example'], default_route: true }), removed('app'))
    expect(state).toMatchObject({
      revision: 2, pools: new Map(), exactNames: new Map(), wildcardNames: new Map(), anyDepthNames: new Map(), defaultRoute: null,
    })
  })
})

describe('backends', () => {
  test('added: in the pool at once, not draining, and the pool is touched', () => {
    const pool = given(created('app'), added('app', { weight: 7 })).pools.get('app')!
    expect(pool.revision).toBe(2)
    expect(pool.backends).toEqual(new Map([[id, { ...address, weight: 7, declaration: null, drainingSince: null, addedAt: '2026-11-24T08:00:01.000Z' }]]))
  })

  test('added twice: the first stays', () => {
    expect(given(created('app'), added('app', { weight: 7 }), added('app', { weight: 9 })).pools.get('app')?.backends.get(id)?.weight).toBe(7)
  })

  test('changed, drained, resumed, removed', () => {
    const start = [created('app'), added('app')]
    const backendAfter = (...more: Given[]) => given(...start, ...more).pools.get('app')!.backends.get(id)
    expect(backendAfter([BackendChanged, { ...of('app'), set: { weight: 9 } }])).toMatchObject({ weight: 9, drainingSince: null })
    expect(backendAfter([BackendDrained, leaving('app')])).toMatchObject({ weight: 1, drainingSince: expect.any(String) })
    const reweighted = [BackendChanged, { ...of('app'), set: { declaration, weight: 9 } }] as const
    expect(backendAfter([BackendDrained, leaving('app')], reweighted)).toMatchObject({ declaration, weight: 9, drainingSince: expect.any(String) })
    expect(backendAfter([BackendDrained, leaving('app')], [BackendResumed, of('app')])).toMatchObject({ drainingSince: null })
    expect(backendAfter([BackendRemoved, leaving('app')])).toBeUndefined()
    expect(backendAfter([BackendRemoved, leaving('app')], added('app', { weight: 5 }))).toMatchObject({ weight: 5, drainingSince: null })
  })

  test('draining twice, as when the second one forces: since the first', () => {
    const first = '2026-11-24T09:00:00.000Z'
    const drained = (time: string, force: boolean): Given => [BackendDrained, { ...leaving('app'), force }, { time }]
    const state = given(created('app'), added('app'), drained(first, false), drained('2026-11-24T10:00:00.000Z', true))
    expect(state.pools.get('app')).toMatchObject({ revision: 4 })
    expect(state.pools.get('app')?.backends.get(id)?.drainingSince).toBe(first)
  })

  test('only in their own pool', () => {
    const state = given(created('a'), created('b'), added('a'), added('b'), [BackendDrained, leaving('b')])
    expect(state.pools.get('a')).toMatchObject({ revision: 3 })
    expect(state.pools.get('a')?.backends.get(id)?.drainingSince).toBeNull()
    expect(state.pools.get('b')?.backends.get(id)?.drainingSince).not.toBeNull()
  })

  test('of a pool or a backend that is not there: nothing appears', () => {
    for (const definition of [BackendChanged, BackendDrained, BackendResumed, BackendRemoved]) {
      const data = definition === BackendChanged ? { ...of('app'), set: { weight: 2 } } : definition === BackendResumed ? of('app') : leaving('app')
      expect(given([definition, data]).pools.size, definition.type).toBe(0)
      expect(given(created('app'), [definition, data]).pools.get('app')?.backends.size, definition.type).toBe(0)
    }
    expect(given(added('app')).pools.size).toBe(0)
  })
})

describe('names and the default route', () => {
  test('exact names and both kinds of wildcards are told apart', () => {
    const state = given(created('app', { server_names: ['x.example', '*.x.example', '**.x.example', 'y.example'] }))
    expect(state.exactNames).toEqual(new Map([['x.example', 'app'], ['y.example', 'app']]))
    expect(state.wildcardNames).toEqual(new Map([['x.example', 'app']]))
    expect(state.anyDepthNames).toEqual(new Map([['x.example', 'app']]))
  })

  test('who claimed a name first keeps it, and the next one gets it when it is free', () => {
    const both = [created('one', { server_names: ['x.example'], default_route: true }), created('two', { server_names: ['x.example'], default_route: true })]
    expect(given(...both)).toMatchObject({ exactNames: new Map([['x.example', 'one']]), defaultRoute: 'one' })
    expect(given(...both, removed('one'))).toMatchObject({ exactNames: new Map([['x.example', 'two']]), defaultRoute: 'two' })
    expect(given(...both, changed('one', { server_names: [], default_route: false }))).toMatchObject({
      exactNames: new Map([['x.example', 'two']]), defaultRoute: 'two',
    })
  })

  test('follow from the pools alone, after any history', () => {
    fc.assert(
      fc.property(movesOf('control'), (moves) => {
        const state = fold(routing, recordsOf('control', moves).map(recorded))
        const exact = new Map<string, string>()
        const wildcard = new Map<string, string>()
        const anyDepth = new Map<string, string>()
        const tables: Readonly<Record<string, Map<string, string>>> = { '': exact, '*.': wildcard, '**.': anyDepth }
        for (const pool of [...state.pools.values()].toReversed()) {
          for (const pattern of pool.serverNames) {
            const [, stars, name] = /^(\*{0,2}\.?)(.*)$/.exec(pattern)!
            tables[stars!]!.set(name!, pool.name)
          }
        }
        expect(state).toMatchObject({ exactNames: exact, wildcardNames: wildcard, anyDepthNames: anyDepth })
        expect(state.defaultRoute).toBe([...state.pools.values()].find((pool) => pool.defaultRoute)?.name ?? null)
        for (const [name, pool] of state.pools) {
          expect(pool.name).toBe(name)
          expect(pool.revision).toBeLessThanOrEqual(state.revision)
          for (const [backendId, backend] of pool.backends) expect(backend.id).toBe(backendId)
        }
        for (const [listener, { revision }] of state.listeners) {
          expect(revision).toBeLessThanOrEqual(state.revision)
          expect(hasListener(state, listener)).toBe(true)
        }
      }),
      { numRuns: 200 },
    )
  })
})

test('why a pool is the default route is known from its creation, or from having been given it later', () => {
  const automatic = created('app', { default_route: true, default_route_reason: 'automatic' })
  const reason = (...more: Given[]) => given(automatic, ...more).pools.get('app')?.defaultRouteReason
  const set = (value: boolean): Given => changed('app', { default_route: value })
  expect([reason(), reason(changed('app', { owner: 'eve' })), reason(set(true)), reason(set(false)), reason(set(false), set(true))]).toEqual([
    'automatic', 'automatic', 'automatic', null, 'requested',
  ])
})

test('config.applied: by file, what was last applied from it', () => {
  const [example] = ConfigApplied.examples
  const of = (file: string, digest: string): Given => [ConfigApplied, { ...example, digest: digest.repeat(64), file }]
  const { declarations, revision } = given(of('/a', '1'), of('/b', '2'), of('/a', '3'))
  const appliedAt = '2026-11-24T08:00:00.000Z'
  expect(revision).toBe(3)
  expect(declarations).toEqual(new Map([
    ['/a', { appliedAt, digest: '3'.repeat(64), revision: 3, settings: example.settings }],
    ['/b', { appliedAt, digest: '2'.repeat(64), revision: 2, settings: example.settings }],
  ]))
})

describe('void changes', () => {
  const base = new RecordChain('control')
  const first = base.make(...created('app', { owner: 'ada' }) as [EventDefinition, object])
  const { revision, basis } = base

  test.each([
    ['the revision of another change', { revision, basis }],
    ['a revision too far ahead', { revision: revision + 2, basis }],
    ['the right revision on another basis', { revision: revision + 1, basis: zeroHash }],
    ['both wrong', { revision: 1, basis: zeroHash }],
  ])('%s: no effect but being counted', (_what, place) => {
    const late = base.make(PoolChanged, { ...PoolChanged.examples[0], name: 'app', set: { owner: 'eve' } }, place)
    const before = fold(routing, [recorded(first)])
    expect(fold(routing, [recorded(late)], before)).toEqual({ ...before, voided: 1 })
  })

  test('of two that build on the same change the first is effective, whoever wrote it', () => {
    const [one, other] = [new RecordChain('control', { node: 'one' }), new RecordChain('control', { node: 'other' })]
    const a = one.make(...created('a') as [EventDefinition, object])
    const b = other.make(...created('b') as [EventDefinition, object])
    expect([...fold(routing, [a, b].map(recorded)).pools.keys()]).toEqual(['a'])
    expect([...fold(routing, [b, a].map(recorded)).pools.keys()]).toEqual(['b'])
    expect(fold(routing, [a, b].map(recorded))).toMatchObject({ revision: 1, basis: a.leafHash, voided: 1 })
  })

  test('after any history, revision and void add up, and the basis is the last effective record', () => {
    fc.assert(
      fc.property(movesOf('control'), (moves) => {
        const records = recordsOf('control', moves)
        const state = fold(routing, records.map(recorded))
        const effective = records.filter((_, index) => moves[index]!.late === 0)
        expect(state.revision).toBe(effective.length)
        expect(state.voided).toBe(records.length - effective.length)
        expect(state.basis).toBe(effective.at(-1)?.leafHash ?? zeroHash)
        // Without the void ones everything is the same but their count.
        expect(fold(routing, effective.map(recorded))).toEqual({ ...state, voided: 0 })
      }),
      { numRuns: 200 },
    )
  })
})
