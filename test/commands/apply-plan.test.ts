import { describe, expect, test } from 'vitest'
import { configurationOf, differencesBetween } from '../../projections/configuration.ts'
import type { Routing } from '../../projections/routing.ts'
import { claimedNames } from '../../projections/server-names.ts'
import { decideAddBackend, decideChangeBackend, decideDrainBackend } from '../../src/commands/backend.ts'
import { decideApplyFile } from '../../src/commands/apply-file.ts'
import { planOf } from '../../src/commands/apply-plan.ts'
import type { DeclaredPool } from '../../src/commands/apply-targets.ts'
import { decideChangePool, decideRemovePool } from '../../src/commands/change-pool.ts'
import { decideCreatePool } from '../../src/commands/create-pool.ts'
import { rehearse, type Rehearsal } from '../../src/commands/rehearsal.ts'
import { given, recorded, request, rules, stamp } from './decide.ts'
import { declares, file, nodeRequest, played } from './play.ts'
import { pool } from './wishes.ts'

/** The commands that a declaration file leads to, played through the exact bytes of their records. */

function rehearsed(state: Routing, ...pools: DeclaredPool[]): Rehearsal {
  return rehearse(state, declares(pools), { ...nodeRequest, ...stamp }, rules)
}

/** What is refused, as `path: code`. */
function misfits(state: Routing, ...pools: DeclaredPool[]): string[] {
  const rehearsal = rehearsed(state, ...pools)
  if (rehearsal.kind !== 'refused') throw new Error('it is possible')
  return rehearsal.misfits.map(({ path, refusal }) => `${path.join('.')}: ${refusal.code}`)
}

const after = (state: Routing, ...pools: DeclaredPool[]): Routing => played(state, declares(pools)).state
const effects = (state: Routing, ...pools: DeclaredPool[]): string[] => played(state, declares(pools)).records
const empty = given().state
const a = { name: 'a', server_names: ['a.example'] }
const b = { name: 'b', server_names: ['b.example'] }
const byApi = (name: string, more: object = {}) =>
  given().and(decideCreatePool, {
    ...pool(name), algorithm: 'random', defaultRoute: false, healthCheckIntervalMs: 500, owner: 'ops', ...more,
  })

describe('creating', () => {
  test('a pool with its backends is one record, and the file comes last', () => {
    const pool = { ...a, backends: [{ url: 'https://X.example' }, { url: 'https://y.example:1', weight: 5 }] }
    expect(effects(empty, pool)).toEqual(['pool.created pools/a', 'config.applied'])
    const created = after(empty, pool).pools.get('a')!
    expect(created).toMatchObject({
      algorithm: 'least_connections', declaration: { fields: ['backends', 'server_names'], file }, healthCheckIntervalMs: 10_000,
    })
    expect([...created.backends.values()]).toEqual([
      expect.objectContaining({ declaration: { fields: [], file }, id: 'x.example:443', weight: 1 }),
      expect.objectContaining({ declaration: { fields: ['weight'], file }, id: 'y.example:1', weight: 5 }),
    ])
  })

  test('more backends than a record holds are added after it', () => {
    const backends = Array.from({ length: 256 }, (_, index) => ({ url: `https://${'x'.repeat(60)}.${'y'.repeat(50)}-${index}.example` }))
    const records = effects(empty, { ...a, backends })
    expect(records.length).toBeGreaterThan(2)
    expect(after(empty, { ...a, backends }).pools.get('a')!.backends.size).toBe(256)
  })

  test('the declared default route is made first, so that no other pool becomes it by itself', () => {
    expect(effects(empty, { name: 'x' }, { name: 'y', default_route: true })).toEqual(['pool.created pools/y', 'pool.created pools/x', 'config.applied'])
    expect(after(empty, { name: 'x' }, { name: 'y', default_route: true }).defaultRoute).toBe('y')
  })

  test('the file that declares nothing is on record once', () => {
    expect(effects(empty)).toEqual(['config.applied'])
    expect(effects(after(empty))).toEqual([])
  })
})

describe('applying again', () => {
  const state = after(empty, { ...a, backends: [{ url: 'https://x', weight: 2 }] }, { name: 'rest', default_route: true })

  test('the same writes nothing', () => {
    expect(effects(state, { ...a, backends: [{ url: 'https://x', weight: 2 }] }, { name: 'rest', default_route: true })).toEqual([])
  })

  test('what is no longer declared is removed, and only that', () => {
    const mixed = given(state).and(decideAddBackend, { pool: 'rest', url: 'https://of-the-api', weight: 1, declaration: null }).state
    expect(effects(mixed, { name: 'rest', default_route: true })).toEqual(['pool.removed pools/a', 'config.applied'])
    expect(after(mixed, { name: 'rest', default_route: true }).pools.get('rest')!.backends.size).toBe(1)
  })

  test('a field that is no longer declared goes back to what it would be without the file', () => {
    const changed = after(state, { name: 'a' }, { name: 'rest' })
    expect(changed.pools.get('a')).toMatchObject({ serverNames: [], backends: new Map(), declaration: { fields: [], file } })
    expect(changed.defaultRoute).toBeNull()
    const light = after(state, { ...a, backends: [{ url: 'https://x' }] })
    expect(light.pools.get('a')!.backends.get('x:443')).toMatchObject({ weight: 1, declaration: { fields: [], file } })
  })

  test('backends come before backends go, unless the pool is full', () => {
    const list = (from: number, count: number) => Array.from({ length: count }, (_, index) => ({ url: `https://b${from + index}` }))
    const two = after(empty, { name: 'a', backends: list(0, 2) })
    expect(effects(two, { name: 'a', backends: list(1, 2) })).toEqual(['backend.added backends/a/b2:443', 'backend.removed backends/a/b0:443', 'config.applied'])
    const full = after(empty, { name: 'a', backends: list(0, 256) })
    expect(effects(full, { name: 'a', backends: list(1, 256) })).toEqual(['backend.removed backends/a/b0:443', 'backend.added backends/a/b256:443', 'config.applied'])
  })

  test('a half applied file is finished, whatever was applied before', () => {
    const plan = planOf(state, declares([b, { name: 'c' }]))
    if (!('steps' in plan)) throw new Error('refused')
    const decision = plan.steps.find(({ subject }) => subject === 'pools/b')!.decide(state, { ...nodeRequest, ...stamp }, rules)
    if (!('record' in decision)) throw new Error('not decided')
    const half = recorded(state, decision.record)
    expect(effects(half, b, { name: 'c' })).toEqual(['pool.removed pools/rest', 'pool.removed pools/a', 'pool.created pools/c', 'config.applied'])
    // Back to what was applied last: the bytes are the same, the objects are not.
    expect(effects(half, { ...a, backends: [{ url: 'https://x', weight: 2 }] }, { name: 'rest', default_route: true })).toEqual(['pool.removed pools/b', 'config.applied'])
  })
})

describe('what moves between pools', () => {
  const ab = after(empty, a, b)

  test('a name: who gives it up goes first', () => {
    const moved = [{ name: 'a', server_names: ['b.example'] }, { name: 'b', server_names: ['c.example'] }]
    expect(effects(ab, ...moved)).toEqual(['pool.changed pools/b', 'pool.changed pools/a', 'config.applied'])
  })

  test('two names that are swapped: one pool gives up in a step of its own', () => {
    const swapped = [{ name: 'a', server_names: ['b.example'] }, { name: 'b', server_names: ['a.example'] }]
    expect(effects(ab, ...swapped)).toEqual(['pool.changed pools/a', 'pool.changed pools/b', 'pool.changed pools/a', 'config.applied'])
    const { exactNames } = after(ab, ...swapped)
    expect([exactNames.get('a.example'), exactNames.get('b.example')]).toEqual(['b', 'a'])
  })

  test('round through three pools, addresses and the default route as well', () => {
    const before = after(empty, { ...a, listen: 9_001, default_route: true }, { ...b, listen: '127.0.0.1:9002' }, { name: 'c', server_names: ['*.c.example', '**.c.example'] })
    const turned = [
      { name: 'a', server_names: ['*.c.example', '**.c.example'], listen: '[::]:9002', default_route: false },
      { name: 'b', server_names: ['a.example'], listen: '127.0.0.1:9001', default_route: true },
      { name: 'c', server_names: ['b.example'] },
    ]
    const state = after(before, ...turned)
    expect(state).toMatchObject({ defaultRoute: 'b' })
    expect([...claimedNames(state)]).toEqual([['a.example', 'b'], ['b.example', 'c'], ['*.c.example', 'a'], ['**.c.example', 'a']])
    expect(effects(state, ...turned)).toEqual([])
  })

  test('from a pool that goes to a new one', () => {
    expect(effects(ab, { name: 'new', server_names: ['a.example', 'b.example'] })).toEqual([
      'pool.removed pools/a', 'pool.removed pools/b', 'pool.created pools/new', 'config.applied',
    ])
  })

  test('the default route that a pool has only because there was none yields to a declared one', () => {
    const state = after(empty, { name: 'first' })
    expect(state.defaultRoute).toBe('first')
    expect(after(state, { name: 'first' }, { name: 'second', default_route: true }).defaultRoute).toBe('second')
  })
})

describe('beside the API', () => {
  test('a pool of the API is taken over: its declared fields follow the file, the others stay as they are', () => {
    const { state } = byApi('a', { backends: [{ declaration: null, url: 'https://x', weight: 7 }, { declaration: null, url: 'https://y', weight: 7 }] })
    const pool = { ...a, backends: [{ url: 'https://x' }, { url: 'https://z' }] }
    expect(effects(state, pool)).toEqual(['pool.changed pools/a', 'backend.added backends/a/z:443', 'backend.changed backends/a/x:443', 'config.applied'])
    const taken = after(state, pool).pools.get('a')!
    expect(taken).toMatchObject({ algorithm: 'random', owner: 'ops', serverNames: ['a.example'], declaration: { file } })
    // y was there before the file: it is not the file's to remove.
    expect([...taken.backends.values()].map(({ declaration, id, weight }) => [id, declaration?.file ?? null, weight])).toEqual([
      ['x:443', file, 7], ['y:443', null, 7], ['z:443', file, 1],
    ])
  })

  test('what the file leaves out stays the API\'s, also when it is applied again', () => {
    const pool = { ...a, backends: [{ url: 'https://x' }] }
    const state = given(after(empty, pool))
      .and(decideChangePool, { name: 'a', set: { owner: 'ada', algorithm: 'random' } })
      .and(decideChangeBackend, { pool: 'a', id: 'x:443', set: { weight: 9 } })
      .and(decideDrainBackend, { pool: 'a', id: 'x:443', force: false }).state
    expect(effects(state, pool)).toEqual([])
    const other = after(state, { ...pool, drain_timeout: 5 }).pools.get('a')!
    expect(other).toMatchObject({ algorithm: 'random', drainTimeoutMs: 5, owner: 'ada' })
    expect(other.backends.get('x:443')).toMatchObject({ weight: 9, drainingSince: stamp.time })
  })

  test('the API may not touch what is declared, and is told which file it is', () => {
    const state = given(after(empty, { ...a, backends: [{ url: 'https://x', weight: 1 }] }))
    const refused = { refusal: expect.objectContaining({ code: 'managed_by_file', extra: { file }, sentence: expect.stringContaining(file) }) }
    expect(state.when(decideChangePool, { name: 'a', set: { serverNames: [] } })).toEqual(refused)
    expect(state.when(decideRemovePool, { name: 'a', force: false })).toEqual(refused)
    expect(state.when(decideAddBackend, { pool: 'a', url: 'https://y', weight: 1, declaration: null })).toEqual(refused)
    expect(state.when(decideChangeBackend, { pool: 'a', id: 'x:443', set: { weight: 2 } })).toEqual(refused)
  })
})

describe('a file that does not fit changes nothing, and every reason is said with its path', () => {
  test('what is wrong with it by itself', () => {
    const pool = { name: 'a', listen: '1.2.3.4', server_names: ['ok.example', '10.1'], backends: [{ url: 'http://x' }, { url: 'https://y' }, { url: 'https://Y:443' }] }
    expect(misfits(empty, pool, { name: 'b', listen: 8_443 })).toEqual([
      'pools.0.listen: listen_invalid', 'pools.0.server_names.1: server_name_invalid', 'pools.0.backends.0.url: backend_url_invalid',
      'pools.0.backends.2.url: backend_exists',
    ])
    expect(misfits(empty, { name: 'b', listen: 8_443 })).toEqual(['pools.0.listen: listen_taken'])
  })

  test('pools that claim the same', () => {
    const pools = [{ ...a, listen: 9_001, default_route: true }, { name: 'b', server_names: ['A.example'] }, { name: 'c', listen: '127.0.0.1:9001' }, { name: 'd', default_route: true }]
    expect(misfits(empty, ...pools)).toEqual(['pools.3.default_route: default_route_taken', 'pools.1.server_names: server_name_taken', 'pools.2.listen: listen_taken'])
  })

  test('what a pool of the API holds', () => {
    expect(misfits(byApi('of-the-api', { serverNames: ['a.example'] }).state, b, a)).toEqual(['pools.1.server_names: server_name_taken'])
  })

  test('what another file declares is named', () => {
    const { state } = played(empty, { ...declares([{ ...a, backends: [{ url: 'https://x' }] }]), file: '/etc/other.yaml' })
    const rehearsal = rehearsed(state, { name: 'a', owner: 'me' })
    expect(rehearsal).toMatchObject({ kind: 'refused', misfits: [{ path: ['pools', 0], refusal: { code: 'managed_by_file', extra: { file: '/etc/other.yaml' } } }] })
  })
})

test('a preview is what the records make of it, but for times and hashes', () => {
  const state = after(empty, a, b)
  const pools = [{ name: 'a', server_names: ['b.example'] }, { name: 'b', server_names: ['a.example'], backends: [{ url: 'https://x' }] }]
  const rehearsal = rehearsed(state, ...pools)
  if (rehearsal.kind !== 'possible') throw new Error('refused')
  expect(differencesBetween(configurationOf(rehearsal.after), configurationOf(after(state, ...pools)))).toEqual([])
  expect(rehearsal.after.revision).toBe(after(state, ...pools).revision)
})

test('the record of a file: digest, counts, settings by name', () => {
  const digest = 'a'.repeat(64)
  const command = { ...request, file, digest, objects: { created: 1, changed: 2, removed: 3 }, settings: [{ name: 'listen', value: '[::]:1' }] }
  const decision = decideApplyFile(empty, { ...command, ...stamp })
  expect(decision).toMatchObject({ record: { type: 'dev.waybill.config.applied.v1', subject: `files/${digest}` } })
  if (!('record' in decision)) return
  expect(recorded(empty, decision.record).declarations.get(file)).toEqual({
    appliedAt: stamp.time, digest, revision: 1, settings: [{ name: 'listen', value: '[::]:1' }],
  })
})
