import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AccessGranted } from '../../events/access.ts'
import { BackendAdded, BackendDrained, BackendRemoved } from '../../events/backend.ts'
import { definitions } from '../../events/catalog.ts'
import { closingActor, ConnectionOpened, ConnectionProgress, ConnectionRefused } from '../../events/connection.ts'
import { streams, type Stream } from '../../events/define.ts'
import { HealthAddressesChanged, HealthChanged, HealthDrainCompleted } from '../../events/health.ts'
import { ListenerFailed } from '../../events/listener.ts'
import { PoolChanged, PoolCreated, PoolRemoved } from '../../events/pool.ts'
import { namedBy } from '../../projections/listeners.ts'
import { apply, fold, type Recorded } from '../../projections/projection.ts'
import { routing, type Routing } from '../../projections/routing.ts'
import { trailDocument } from '../../projections/trail-document.ts'
import { needlesOf, type TrailSubject } from '../../projections/trail-subject.ts'
import { entriesFirstMax, entriesLastMax, trailOf } from '../../projections/trail.ts'
import { deepFreeze } from '../support/freeze.ts'
import { movesOf, recordsOf } from '../support/histories.ts'
import { recorded, type MadeRecord, type Overrides } from '../support/records.ts'
import { attempt, backendId, closed, connectionId, created, opened, told, trail, type Given } from '../support/trails.ts'

const app: TrailSubject = { kind: 'pool', name: 'app' }
const backend: TrailSubject = { kind: 'backend', pool: 'app', id: backendId }
const connection: TrailSubject = { kind: 'connection', id: connectionId }
const ada: TrailSubject = { kind: 'actor', id: 'ada' }
const actor = { authn: 'none', id: 'ada', type: 'local' }

const inline = { declaration: null, host: '10.0.0.1', id: backendId, port: 8443, weight: 1 }
const added: Given = [BackendAdded, { id: backendId, host: '10.0.0.1', pool: 'app', port: 8443 }]
const drained = (pool: string): Given => [BackendDrained, { id: backendId, pool }]

describe('a pool', () => {
  test('its changes, those of its backends, its listener and their health, in words', () => {
    const document = trail(
      app,
      created('app', [inline]),
      created('other'),
      [PoolChanged, { name: 'app', set: { drain_timeout: null, owner: 'eve' } }],
      drained('app'),
      drained('other'),
      [HealthChanged, { backend: backendId, pool: 'app' }],
      [HealthDrainCompleted, { backend: backendId, pool: 'app' }],
      [ListenerFailed, { listener: 'pools/app', pool: 'app' }],
      [PoolRemoved, { name: 'app', force: true }],
    )
    expect(told(document)).toEqual([
      ['pool.created', 'created with 1 backend'],
      ['pool.changed', 'changed: drain_timeout null, owner "eve"'],
      ['backend.drained', 'drained; open connections go on'],
      ['pool.removed', 'removed; open connections are ended'],
      ['health.changed', 'down: check_failed 3 times (ECONNREFUSED)'],
      ['health.drain_completed', 'drain completed: finished, 12 connections at its start, 0 ended by it'],
      ['listener.failed', '[::]:443 could not be bound: EACCES'],
    ])
  })

  test('who changed it, with which revision, on which node and record', () => {
    const [entry] = trail(app, created('app')).entries
    expect(entry).toEqual({
      time: '2026-11-24T08:00:00.000Z', type: PoolCreated.type, subject: 'pools/app', actor: 'loopback', node: 'node-1',
      outcome: 'created with 0 backends', revision: 1, effect: 'effective', record_id: expect.any(String),
    })
  })

  test('a change that lost its race is told as void, and the next one is judged by what took effect', () => {
    const late: Given = [PoolChanged, { name: 'app', set: { owner: 'late' } }, { revision: 1, basis: `${'x'.repeat(43)}=` }]
    const document = trail(app, created('other'), created('app'), late, drained('other'), drained('app'))
    expect(document.entries.map(({ effect, revision }) => [effect, revision])).toEqual([
      ['effective', 2], ['void', 1], ['effective', 4],
    ])
  })

  test('its connections, each from its beginning to its end, and counted', () => {
    const document = trail(
      app,
      opened({}),
      [ConnectionProgress, { connection_id: connectionId, pool: 'app' }],
      closed({ bytes_to_backend: 10, bytes_to_client: 20 }),
      opened({ attempts: [attempt('10.0.0.2:1')] }),
      closed({ bytes_to_backend: 1, bytes_to_client: 2, bytes_quality: 'at_least', close: { actor: null, because: 'reset', by: 'backend', code: 'ECONNRESET', phase: 'relay' } }),
      [ConnectionRefused, { because: 'no_healthy_backend', attempts: [attempt(backendId, 'timeout')], client: null, count: 7, detail: null, pool: 'app' }],
      [ConnectionRefused, { because: 'unknown_sni', pool: null, server_name: 'app' }],
      opened({ pool: 'other' }),
    )
    expect(told(document).map(([, outcome]) => outcome)).toEqual([
      'opened from 203.0.113.7:51812 to 10.0.4.11:8443, routed by revision 17',
      'closed by client: finished, 10 bytes to backend, 20 to client',
      'opened from 203.0.113.7:51812 to 10.0.4.11:8443 after 1 failed dial, routed by revision 17',
      'closed by backend: reset (ECONNRESET), at least 1 bytes to backend, 2 to client',
      'refused 7 clients: no_healthy_backend',
    ])
    expect(document.connections).toEqual({
      opened: 2, closed: 2, closed_because: { finished: 1, reset: 1 }, refused: { no_healthy_backend: 7 },
      dial_failures: { ECONNREFUSED: 1, timeout: 1 }, bytes_to_backend: 11, bytes_to_client: 22,
    })
  })

  test('of a flood the first and the last are listed, the others counted; a flood elsewhere pushes nothing out', () => {
    const flood = Array.from({ length: entriesFirstMax + entriesLastMax + 7 }, (_, index): Given => [
      ConnectionOpened, { pool: 'app', revision: index },
    ])
    const document = trail(app, created('app'), ...flood, [HealthChanged, { pool: 'app' }])
    expect(document.left_out).toEqual({ connections: 7, control: 0, operations: 0 })
    expect(document.connections.opened).toBe(flood.length)
    const revisions = document.entries.filter(({ type }) => type === ConnectionOpened.type).map(({ outcome }) => Number(outcome.split(' ').at(-1)))
    expect([revisions[entriesFirstMax - 1], revisions[entriesFirstMax], revisions.at(-1)]).toEqual([
      entriesFirstMax - 1, entriesFirstMax + 7, flood.length - 1,
    ])
    expect(document.entries.at(0)).toMatchObject({ type: PoolCreated.type })
    expect(document.entries.at(-1)).toMatchObject({ type: HealthChanged.type })
  })
})

describe('a backend', () => {
  test('is told from the pool that it is in, and from its namesake in another', () => {
    const document = trail(backend, created('app', [inline]), created('other', [inline]), drained('other'), drained('app'))
    expect(told(document)).toEqual([['pool.created', 'created with 1 backend'], ['backend.drained', 'drained; open connections go on']])
  })

  test('goes with its pool, but only while it is there', () => {
    const removedPool: Given = [PoolRemoved, { name: 'app' }]
    const removed: Given = [BackendRemoved, { id: backendId, pool: 'app' }]
    const lastOf = (...history: Given[]) => told(trail(backend, ...history)).at(-1)?.[0]
    expect(lastOf(created('app'), added, removedPool)).toBe('pool.removed')
    expect(lastOf(created('app', [inline]), removedPool)).toBe('pool.removed')
    expect(lastOf(created('app'), added, removed, removedPool)).toBe('backend.removed')
    expect(lastOf(created('app'), removedPool)).toBeUndefined()
  })

  test('dials that failed are counted, also where the client then went elsewhere', () => {
    const elsewhere = { attempts: [attempt(backendId)], backend: '10.0.0.2:1' }
    const document = trail(backend, opened(elsewhere), opened({}), [ConnectionRefused, { attempts: [attempt(backendId, 'timeout')], pool: 'app' }])
    expect(document.connections).toMatchObject({ opened: 1, dial_failures: { ECONNREFUSED: 1, timeout: 1 } })
    expect(told(document).map(([type]) => type)).toEqual(['connection.opened', 'connection.refused'])
  })

  test('what its host name resolves to', () => {
    const named: TrailSubject = { kind: 'backend', pool: 'app', id: 'db.internal:8443' }
    const [of, other] = ['db.internal', 'db2.internal'].map((host): Given => [HealthAddressesChanged, { host, after: ['10.0.0.7'] }])
    expect(told(trail(named, of!, other!))).toEqual([['health.addresses_changed', 'db.internal resolves to 10.0.0.7']])
  })
})

test('a connection: all that was recorded of it, progress too', () => {
  const document = trail(
    connection, opened({}), opened({ connection_id: connectionId.replace('c1', 'c2') }), [ConnectionProgress, { connection_id: connectionId }], closed({}),
  )
  expect(told(document).map(([type]) => type)).toEqual(['connection.opened', 'connection.progress', 'connection.closed'])
})

describe('an actor', () => {
  test('what it changed, asked for and ended', () => {
    const ended = { close: { actor, because: 'operator_ended', by: 'operator', code: null, phase: 'relay' } }
    const document = trail(
      ada,
      created('theirs'),
      [PoolCreated, { actor, name: 'app', backends: [] }],
      [AccessGranted, { actor }],
      [AccessGranted, {}],
      closed(ended),
      closed({}),
    )
    expect(told(document)).toEqual([
      ['pool.created', 'created with 0 backends, as the default route'],
      ['connection.closed', 'closed by operator: operator_ended, 1204 bytes to backend, 88112 to client'],
      ['access.granted', 'POST /api/pools answered 201'],
    ])
    expect(document.entries.map((entry) => entry.actor)).toEqual(['ada', 'ada', 'ada'])
  })

  test('whose name does not print is found in closing records all the same', () => {
    const about: TrailSubject = { kind: 'actor', id: 'J"örg' }
    const close = { actor: closingActor({ authn: 'none', id: about.id, type: 'local' }), because: 'operator_ended', by: 'operator', code: null, phase: 'relay' }
    expect(close.actor.id).toBe('J%22%C3%B6rg')
    expect(trail(about, closed({ close })).entries).toHaveLength(1)
  })
})

test('entries are in the order of their times, whatever the stream; of one time the change comes first', () => {
  const at = (second: number): Overrides => ({ time: `2026-11-24T08:00:0${second}.000Z` })
  const document = trail(
    app, [PoolCreated, { name: 'app' }, at(1)], [PoolChanged, { name: 'app' }, at(3)], [ConnectionOpened, { pool: 'app' }, at(2)],
    [HealthChanged, { pool: 'app' }, at(3)],
  )
  expect(told(document).map(([type]) => type)).toEqual(['pool.created', 'connection.opened', 'pool.changed', 'health.changed'])
})

/** Something of each kind that the histories are about. */
const subjects = fc.constantFrom<TrailSubject>(
  { kind: 'pool', name: 'a' },
  { kind: 'backend', pool: 'a', id: '10.0.0.1:1' },
  { kind: 'connection', id: '0198c0de-0000-7000-8000-000000000001' },
  { kind: 'actor', id: 'loopback' },
  { kind: 'listener', name: 'shared' },
  { kind: 'listener', name: 'pools/a' },
)
const logs: fc.Arbitrary<(readonly [Stream, MadeRecord])[]> = fc
  .tuple(...streams.map((stream) => movesOf(stream).map((moves) => recordsOf(stream, moves).map((record) => [stream, record] as const))))
  .map((parts) => parts.flat())

describe('of any history', () => {
  const folded = (about: TrailSubject, records: readonly Recorded[]) => fold(trailOf(about), records)

  test('folding on from a snapshot gives what folding everything gives, and no event is changed', () => {
    fc.assert(
      fc.property(subjects, logs, fc.nat(), (about, log, cut) => {
        const records = log.map(([, record]) => deepFreeze(recorded(record)))
        const at = cut % (records.length + 1)
        const snapshot = structuredClone(folded(about, records.slice(0, at)))
        expect(fold(trailOf(about), records.slice(at), snapshot)).toEqual(folded(about, records))
      }),
      { numRuns: 200 },
    )
  })

  test('what the needles pass over would have changed nothing', () => {
    const seen = { passedOver: 0, read: 0 }
    fc.assert(
      fc.property(subjects, logs, (about, log) => {
        const needles = needlesOf(about).map((needle) => Buffer.from(needle))
        const named = log.filter(([stream, { bytes }]) => stream === 'control' || needles.some((needle) => Buffer.from(bytes).includes(needle)))
        seen.read += named.length
        seen.passedOver += log.length - named.length
        expect(folded(about, named.map(([, record]) => recorded(record)))).toEqual(folded(about, log.map(([, record]) => recorded(record))))
      }),
      { numRuns: 200 },
    )
    expect(Math.min(seen.passedOver, seen.read)).toBeGreaterThan(100)
  })

  test('entries are about it: every one of a pool is of a record that names it, or that ends what led to it', () => {
    const long = fc.array(movesOf('control'), { minLength: 8, maxLength: 8 }).map((moves) => recordsOf('control', moves.flat()).map((record) => ['control', record] as const))
    const seen = { ending: 0 }
    fc.assert(
      fc.property(fc.oneof(logs, long), (log) => {
        const byId = new Map(log.map(([, { event, text }]) => [event.id, text]))
        const ending = endingsFor('a', log)
        const { entries } = trailDocument(folded({ kind: 'pool', name: 'a' }, log.map(([, record]) => recorded(record))))
        const ids = new Set(entries.map(({ record_id }) => record_id))
        for (const id of ending) expect(ids).toContain(id)
        for (const id of ids) if (!ending.has(id)) expect(byId.get(id)).toMatch(/"(?:pools\/)?a"|"listener":"shared".*"(?:no|unknown)_sni":/)
        seen.ending += ending.size
      }),
      { numRuns: 300 },
    )
    expect(seen.ending).toBeGreaterThan(10)
  })

  /** Ids of changes after which fewer listeners and cases name the pool, or would, had they taken effect. */
  function endingsFor(pool: string, log: readonly (readonly [Stream, MadeRecord])[]): ReadonlySet<string> {
    const namesIn = (state: Routing) => [...namedBy(state, pool)].map((each) => JSON.stringify(each))
    let state = routing.initial()
    const endings = new Set<string>()
    for (const { event, leafHash } of log.filter(([stream]) => stream === 'control').map(([, record]) => recorded(record))) {
      const wanted = apply(routing, state, { event: { ...event, basis: state.basis, revision: state.revision + 1 }, leafHash })
      const after = new Set(namesIn(wanted))
      if (namesIn(state).some((each) => !after.has(each))) endings.add(event.id)
      state = apply(routing, state, { event, leafHash })
    }
    return endings
  }
})

test('tells every type there is, but for those about the node and its log as such', () => {
  const untold = definitions.map(({ type }) => type).filter((type) => !(type in trailOf(app).on))
  expect(untold.map((type) => type.replace(/^dev\.waybill\.|\.v1$/g, '')).toSorted()).toEqual([
    'clock.observed', 'clock.stepped', 'log.contradicted', 'log.failed', 'log.initialized', 'log.pruned', 'log.recovered', 'log.restored', 'log.space_low',
    'log.taken_back', 'log.topic_lost', 'log.topic_observed', 'node.lost', 'node.reported', 'node.started', 'node.stopped',
  ])
})
