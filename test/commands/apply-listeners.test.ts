import { describe, expect, test } from 'vitest'
import { routing, type Routing } from '../../projections/routing.ts'
import type { DeclaredListeners } from '../../src/commands/apply-listeners.ts'
import type { DeclaredPool } from '../../src/commands/apply-targets.ts'
import { decideChangeListener } from '../../src/commands/change-listener.ts'
import { rehearse } from '../../src/commands/rehearsal.ts'
import { given, rules, stamp } from './decide.ts'
import { declares, file, nodeRequest, played } from './play.ts'

/** What a declaration file says of listeners: in which order it comes about, and whose it is then. */

const empty = routing.initial()
const after = (state: Routing, pools: readonly DeclaredPool[] | null, listeners: DeclaredListeners | null): Routing =>
  played(state, declares(pools, [], listeners)).state
const effects = (state: Routing, pools: readonly DeclaredPool[] | null, listeners: DeclaredListeners | null): string[] =>
  played(state, declares(pools, [], listeners)).records
const answers = (state: Routing, listener = 'shared') => state.listeners.get(listener)?.answers ?? {}

/** What is refused, as `path: code`. */
function misfits(state: Routing, pools: readonly DeclaredPool[] | null, listeners: DeclaredListeners | null): string[] {
  const rehearsal = rehearse(state, declares(pools, [], listeners), { ...nodeRequest, ...stamp }, rules)
  if (rehearsal.kind !== 'refused') throw new Error('it is possible')
  return rehearsal.misfits.map(({ path, refusal }) => `${path.join('.')}: ${refusal.code}`)
}

const a = { name: 'a', server_names: ['a.example'] }
const b = { name: 'b', server_names: ['b.example'] }
const plain = { allow_plaintext: true, business_need: 'legacy terminals' }

describe('applying', () => {
  test('pools are made, then named: each listener is one record', () => {
    const listeners = { shared: { no_sni: { pool: 'b' }, not_tls: { pool: 'a' }, unknown_sni: null }, 'pools/b': { timeout: 'refuse' } } as const
    const pools = [{ ...a, ...plain }, { ...b, listen: 9_001 }]
    expect(effects(empty, pools, listeners)).toEqual([
      'pool.created pools/a', 'pool.created pools/b', 'listener.changed listeners/shared', 'listener.changed listeners/pools/b', 'config.applied',
    ])
    const state = after(empty, pools, listeners)
    expect(state.listeners.get('shared')).toMatchObject({
      answers: { no_sni: { pool: 'b' }, not_tls: { pool: 'a' } }, declaration: { fields: ['no_sni', 'not_tls', 'unknown_sni'], file },
    })
    expect(answers(state, 'pools/b')).toEqual({ timeout: 'refuse' })
    expect(effects(state, pools, listeners)).toEqual([])
  })

  test('the three fields of pools, and what is left out goes back to its default', () => {
    const state = after(empty, [{ ...a, ...plain, min_tls_version: 'TLSv1.2', reject_ech: true }], null)
    expect(state.pools.get('a')).toMatchObject({ allowPlaintext: true, minTlsVersion: 'TLSv1.2', rejectEch: true })
    expect(after(state, [a], null).pools.get('a')).toMatchObject({ allowPlaintext: false, minTlsVersion: null, rejectEch: false })
  })

  test('names are kept as clients send them, and a file that spells them otherwise says nothing new', () => {
    const state = after(empty, [{ name: 'a', server_names: ['**.Bücher.example', '2001:DB8::1'] }], null)
    expect(state.pools.get('a')!.serverNames).toEqual(['**.xn--bcher-kva.example', '2001:db8::1'])
    expect(effects(state, [{ name: 'a', server_names: ['**.xn--bcher-kva.example', '2001:db8::1'] }], null)).toEqual(['config.applied'])
  })

  test('a case that is no longer declared goes back to its default; so does a listener, and {} means all of them', () => {
    const state = after(empty, [a], { shared: { no_sni: { pool: 'a' }, timeout: 'refuse' } })
    expect(answers(after(state, [a], { shared: { timeout: 'refuse' } }))).toEqual({ timeout: 'refuse' })
    const none = after(state, [a], {})
    expect(none.listeners.get('shared')).toMatchObject({ answers: {}, declaration: null })
    expect(effects(none, [a], {})).toEqual([])
  })

  test('a file that says nothing of listeners leaves them alone', () => {
    const state = after(empty, [a], { shared: { no_sni: { pool: 'a' } } })
    expect(effects(state, [a, b], null)).toEqual(['pool.created pools/b', 'config.applied'])
    expect(misfits(state, [b], null)).toEqual([': pool_named_by_listener'])
    expect(effects(state, null, { shared: { no_sni: 'refuse' } })).toEqual(['listener.changed listeners/shared', 'config.applied'])
  })
})

describe('the order', () => {
  const state = after(empty, [{ ...a, ...plain }, b], { shared: { no_sni: { pool: 'a' }, not_tls: { pool: 'a' } } })

  test('who named a pool that goes lets go first', () => {
    expect(effects(state, [b], { shared: { no_sni: { pool: 'b' } } })).toEqual(['listener.changed listeners/shared', 'pool.removed pools/a', 'config.applied'])
    expect(effects(state, [b], {})).toEqual(['listener.changed listeners/shared', 'pool.removed pools/a', 'config.applied'])
  })

  test('what has to wait for a new pool is refused until it is there', () => {
    const moved = { shared: { no_sni: { pool: 'c' } } }
    expect(effects(state, [b, { name: 'c' }], moved)).toEqual([
      'listener.changed listeners/shared', 'pool.removed pools/a', 'pool.created pools/c', 'listener.changed listeners/shared', 'config.applied',
    ])
    expect(answers(after(state, [b, { name: 'c' }], moved))).toEqual({ no_sni: { pool: 'c' } })
  })

  test('a pool that no longer takes plaintext is let go first, one that begins to is named last', () => {
    expect(effects(state, [a, { ...b, ...plain }], { shared: { no_sni: { pool: 'a' }, not_tls: { pool: 'b' } } })).toEqual([
      'listener.changed listeners/shared', 'pool.changed pools/a', 'pool.changed pools/b', 'listener.changed listeners/shared', 'config.applied',
    ])
  })

  test("a pool's own listener goes with its address, whatever it names", () => {
    const own = { 'pools/a': { no_sni: { pool: 'b' } }, 'pools/b': { no_sni: { pool: 'a' }, unknown_sni: { pool: 'b' } } } as const
    const both = after(empty, [{ ...a, listen: 9_001 }, { ...b, listen: 9_002 }], own)
    expect(after(both, [], {}).pools.size).toBe(0)
    const one = after(both, [a], {})
    expect([one.listeners.size, one.pools.get('a')!.listen]).toEqual([0, null])
    const itself = after(empty, [{ ...a, listen: 9_001 }], { 'pools/a': { timeout: { pool: 'a' } } })
    expect(effects(itself, [], {})).toEqual(['pool.removed pools/a', 'config.applied'])
  })

  test('that holds of what the API has set there as well', () => {
    const { state: both } = given(after(empty, [{ ...a, listen: 9_001 }, { ...b, listen: 9_002 }], null))
      .and(decideChangeListener, { listener: 'pools/a', set: { no_sni: { pool: 'b' } } })
      .and(decideChangeListener, { listener: 'pools/b', set: { no_sni: { pool: 'a' } } })
    expect(after(both, [], null).pools.size).toBe(0)
    expect(after(both, [a], null).listeners.size).toBe(0)
  })

  test('addresses are swapped, and what was set of the listeners stays: also what the API has set', () => {
    const pools = (one: number, other: number) => [{ ...a, listen: one }, { ...b, listen: other }]
    const listeners = { 'pools/a': { timeout: { pool: 'b' } } } as const
    const { state: before } = given(after(empty, pools(9_001, 9_002), listeners))
      .and(decideChangeListener, { listener: 'pools/a', set: { no_sni: 'refuse' } })
      .and(decideChangeListener, { listener: 'pools/b', set: { no_sni: 'refuse' } })
    const swapped = after(before, pools(9_002, 9_001), listeners)
    expect([swapped.pools.get('a')!.listen, swapped.pools.get('b')!.listen]).toEqual(['[::]:9002', '[::]:9001'])
    expect(answers(swapped, 'pools/a')).toEqual({ no_sni: 'refuse', timeout: { pool: 'b' } })
    expect(answers(swapped, 'pools/b')).toEqual({ no_sni: 'refuse' })
    expect(effects(swapped, pools(9_002, 9_001), listeners)).toEqual([])
  })
})

describe('beside the API', () => {
  const state = after(empty, [a], { shared: { no_sni: { pool: 'a' }, sslv2: null } })

  test('declared cases are the file\'s, the others are free', () => {
    const refused = { refusal: expect.objectContaining({ code: 'managed_by_file', extra: { file } }) }
    expect(given(state).when(decideChangeListener, { listener: 'shared', set: { no_sni: 'refuse' } })).toEqual(refused)
    expect(given(state).when(decideChangeListener, { listener: 'shared', set: { sslv2: 'refuse' } })).toEqual(refused)
    const free = given(state).and(decideChangeListener, { listener: 'shared', set: { timeout: { pool: 'a' } } }).state
    expect(effects(free, [a], { shared: { no_sni: { pool: 'a' }, sslv2: null } })).toEqual([])
    expect(answers(after(free, [a], { shared: {} }))).toEqual({ timeout: { pool: 'a' } })
  })

  test('a pool that the API has a listener name is not removed', () => {
    const named = given(after(empty, [a], null)).and(decideChangeListener, { listener: 'shared', set: { timeout: { pool: 'a' } } }).state
    expect(misfits(named, [], {})).toEqual([': pool_named_by_listener'])
    // Once the file declares the case, it is the file's to give up.
    expect(after(named, [], { shared: { timeout: 'refuse' } }).pools.size).toBe(0)
  })

  test('another file that declares the listener is named', () => {
    const rehearsal = rehearse(state, { ...declares([], [], { shared: { no_sni: 'refuse' } }), file: '/etc/other.yaml' }, { ...nodeRequest, file: '/etc/other.yaml', ...stamp }, rules)
    expect(rehearsal).toMatchObject({ kind: 'refused', misfits: [{ path: ['listeners', 'shared'], refusal: { code: 'managed_by_file', extra: { file } } }] })
  })
})

test('what does not fit is said with its path', () => {
  expect(misfits(empty, [a], { shared: { no_sni: { pool: 'nowhere' } } })).toEqual(['listeners.shared.no_sni.pool: listener_pool_unknown'])
  expect(misfits(empty, [a], { shared: { not_tls: { pool: 'a' } } })).toEqual(['listeners.shared.not_tls.pool: plaintext_not_allowed'])
  expect(misfits(empty, [a], { 'pools/a': { no_sni: 'refuse' } })).toEqual(['listeners.pools/a: listener_unknown'])
  expect(misfits(empty, [{ ...a, allow_plaintext: true }], null)).toEqual(['pools.0.allow_plaintext: business_need_missing'])
  const listening = after(empty, [{ ...a, listen: 9_001 }], { 'pools/a': { no_sni: 'refuse' } })
  expect(misfits(listening, [a], { 'pools/a': { no_sni: 'refuse' } })).toEqual(['listeners.pools/a: listener_unknown'])
})
