import { describe, expect, test } from 'vitest'
import { ConnectionProgress, ConnectionRefused } from '../../events/connection.ts'
import { ListenerBound, ListenerChanged, ListenerClosed, ListenerFailed } from '../../events/listener.ts'
import { PoolChanged, PoolRemoved } from '../../events/pool.ts'
import type { TrailSubject } from '../../projections/trail-subject.ts'
import type { Overrides } from '../support/records.ts'
import { attempt, closed, connectionId, created, opened, told, trail, turned, type Given } from '../support/trails.ts'

const app: TrailSubject = { kind: 'pool', name: 'app' }

describe('a pool', () => {
  test('the listeners that send clients to it, from the change that says so to the one that ends it', () => {
    const to = (pool: string) => ({ pool })
    const document = trail(
      app,
      created('app'),
      created('other'),
      turned({ no_sni: to('app'), timeout: to('app') }),
      turned({ malformed: to('other') }),
      turned({ no_sni: to('other') }),
      turned({ no_sni: null, malformed: null }),
      turned({ timeout: 'refuse' }),
      turned({ timeout: null }),
      turned({ sslv2: to('app') }),
      turned({ sslv2: null }),
    )
    expect(told(document).slice(1)).toEqual([
      ['listener.changed', 'changed: no_sni {"pool":"app"}, timeout {"pool":"app"}'],
      ['listener.changed', 'changed: no_sni {"pool":"other"}'],
      ['listener.changed', 'changed: timeout "refuse"'],
      ['listener.changed', 'changed: sslv2 {"pool":"app"}'],
      ['listener.changed', 'changed: sslv2 null'],
    ])
  })

  test('a change that lost its race sends nobody here and ends nothing, and is told as void', () => {
    const lost: Overrides = { revision: 1, basis: `${'x'.repeat(43)}=` }
    const document = trail(
      app,
      created('app'),
      [ListenerChanged, { listener: 'shared', set: { no_sni: { pool: 'app' } } }, lost],
      turned({ no_sni: 'refuse' }),
      turned({ sslv2: { pool: 'app' } }),
      [ListenerChanged, { listener: 'shared', set: { sslv2: null } }, lost],
      turned({ sslv2: null }),
    )
    expect(document.entries.slice(1).map(({ effect, outcome }) => [effect, outcome])).toEqual([
      ['void', 'changed: no_sni {"pool":"app"}'],
      ['effective', 'changed: sslv2 {"pool":"app"}'],
      ['void', 'changed: sslv2 null'],
      ['effective', 'changed: sslv2 null'],
    ])
  })

  test('what takes the place of it as the default route, and gives that back', () => {
    const changes = [turned({ unknown_sni: 'refuse' }), turned({ unknown_sni: null }), turned({ timeout: 'refuse' })]
    const kinds = (fields: object) => told(trail(app, created('app', [], fields), ...changes)).map(([, outcome]) => outcome).slice(1)
    expect(kinds({ default_route: true })).toEqual(['changed: unknown_sni "refuse"', 'changed: unknown_sni null'])
    expect(kinds({ default_route: false })).toEqual([])
  })

  test("another pool's own listener that sends clients here goes with that pool, and with its address", () => {
    const here = turned({ timeout: { pool: 'app' } }, 'pools/other')
    const other = created('other', [], { listen: '[::]:9443' })
    const last = (...history: Given[]) => trail(app, created('app'), other, here, ...history).entries.slice(2).map(({ subject }) => subject)
    expect(last([PoolChanged, { name: 'other', set: { owner: 'eve' } }])).toEqual([])
    expect(last([PoolChanged, { name: 'other', set: { listen: null } }], [PoolRemoved, { name: 'other' }])).toEqual(['pools/other'])
    expect(last([PoolRemoved, { name: 'other' }], other, turned({ timeout: 'refuse' }, 'pools/other'))).toEqual(['pools/other'])
  })

  test('its own listener, whatever it does', () => {
    const own = created('app', [], { listen: '[::]:9443' })
    expect(told(trail(app, own, turned({ sslv2: 'refuse' }, 'pools/app'), turned({ sslv2: 'refuse' }, 'pools/other')))).toHaveLength(2)
  })
})

describe('a listener', () => {
  const listen = '[::]:9443'
  const shared: TrailSubject = { kind: 'listener', name: 'shared' }
  const own: TrailSubject = { kind: 'listener', name: 'pools/app' }

  test('its changes, where it is bound, and what brings it about, moves and ends it', () => {
    const document = trail(
      own,
      created('app', [], { listen }),
      created('other', [], { listen: '[::]:9444' }),
      turned({ timeout: { pool: 'other' } }, 'pools/app'),
      turned({ timeout: { pool: 'other' } }),
      [PoolChanged, { name: 'app', set: { owner: 'eve' } }],
      [PoolChanged, { name: 'app', set: { listen: null } }],
      [PoolRemoved, { name: 'app' }],
      [ListenerBound, { address: listen, listener: 'pools/app', pool: 'app' }],
      [ListenerBound, {}],
      [ListenerFailed, { listener: 'pools/app', pool: 'app' }],
      [ListenerClosed, { address: listen, listener: 'pools/app', pool: 'app' }],
    )
    expect(told(document)).toEqual([
      ['pool.created', 'created with 0 backends, listening on [::]:9443'],
      ['listener.changed', 'changed: timeout {"pool":"other"}'],
      ['pool.changed', 'changed: listen null'],
      ['listener.bound', `clients are accepted on ${listen}`],
      ['listener.failed', '[::]:443 could not be bound: EACCES'],
      ['listener.closed', `no more clients are accepted on ${listen}`],
    ])
    const removed: Given = [PoolRemoved, { name: 'app' }]
    expect(told(trail(own, created('app', [], { listen }), removed)).at(-1)?.[0]).toBe('pool.removed')
    expect(told(trail(own, created('app', [], { listen: null }), removed))).toEqual([])
  })

  test('the shared one: also which pool was its default', () => {
    const document = trail(
      shared,
      created('app', [], { default_route: true, listen }),
      created('other', [], { default_route: false, listen: '[::]:9444' }),
      [PoolRemoved, { name: 'other' }],
      turned({ no_sni: 'refuse' }),
      turned({ no_sni: 'refuse' }, 'pools/app'),
      [PoolChanged, { name: 'app', set: { default_route: false } }],
      [PoolChanged, { name: 'app', set: { default_route: true } }],
      [PoolRemoved, { name: 'app' }],
      [ListenerBound, {}],
    )
    expect(document.entries.map(({ subject }) => subject)).toEqual(['pools/app', 'listeners/shared', 'pools/app', 'pools/app', 'pools/app', 'listeners/shared'])
  })

  test('its clients, told and counted as those of a pool are', () => {
    const document = trail(
      shared,
      opened({ attempts: [attempt('10.0.0.2:1')], listener: 'shared' }),
      [ConnectionProgress, { connection_id: connectionId, listener: 'shared' }],
      closed({ bytes_to_backend: 10, bytes_to_client: 20, listener: 'shared' }),
      opened({ attempts: [attempt('10.0.0.2:1')], listener: 'pools/app' }),
      [ConnectionRefused, { attempts: [], because: 'unknown_sni', count: 7, listener: 'shared', pool: null }],
    )
    expect(told(document).map(([type]) => type)).toEqual(['connection.opened', 'connection.closed', 'connection.refused'])
    expect(document.connections).toEqual({
      opened: 1, closed: 1, closed_because: { finished: 1 }, refused: { unknown_sni: 7 }, dial_failures: { ECONNREFUSED: 1 },
      bytes_to_backend: 10, bytes_to_client: 20,
    })
  })
})
