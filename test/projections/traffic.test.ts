import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ConnectionClosed, ConnectionOpened, ConnectionProgress, ConnectionRefused } from '../../events/connection.ts'
import type { EventDefinition } from '../../events/define.ts'
import { openConnections } from '../../projections/open-connections.ts'
import { fold } from '../../projections/projection.ts'
import { traffic } from '../../projections/traffic.ts'
import { movesOf, recordsOf } from '../support/histories.ts'
import { exampleRun, RecordChain, recorded, type MadeRecord } from '../support/records.ts'

function history(...facts: (readonly [EventDefinition, object])[]): MadeRecord[] {
  const chain = new RecordChain('connections')
  return facts.map(([definition, data]) => chain.make(definition, data))
}

const [openedExample] = ConnectionOpened.examples
const [closedExample] = ConnectionClosed.examples
const [refusedExample] = ConnectionRefused.examples
const id = '0198c0de-0000-7000-8000-000000000001'
const failed = { backend: 'b:1', code: 'ECONNREFUSED', ip: null, ms: 1 }
const opened = (fields: object = {}) => [ConnectionOpened, { ...openedExample, attempts: [], backend: 'a:1', connection_id: id, pool: 'app', ...fields }] as const
const progress = (fields: object) => [ConnectionProgress, { ...ConnectionProgress.examples[0], connection_id: id, ...fields }] as const
const closed = (fields: object = {}) =>
  [ConnectionClosed, { ...closedExample, backend: 'a:1', bytes_to_backend: 10, bytes_to_client: 200, connection_id: id, pool: 'app', ...fields }] as const
const refused = (fields: object = {}) => [ConnectionRefused, { ...refusedExample, ...fields }] as const

describe('traffic', () => {
  const of = (...facts: Parameters<typeof history>) => fold(traffic, history(...facts).map(recorded))
  const none = { opened: 0, closed: 0, bytesToBackend: 0, bytesToClient: 0, dialFailures: 0 }

  test('counts an opened connection at its pool and its backend, and failed dials at the backends that failed', () => {
    const state = of(opened({ attempts: [failed, failed] }))
    expect(state.pools.get('app')).toEqual({
      opened: 1, closed: 0, bytesToBackend: 0, bytesToClient: 0,
      backends: new Map([['a:1', { ...none, opened: 1 }], ['b:1', { ...none, dialFailures: 2 }]]),
    })
  })

  test('counts bytes when a connection closes, also of one whose opening is not there any more', () => {
    expect(of(opened(), closed()).pools.get('app')).toMatchObject({ opened: 1, closed: 1, bytesToBackend: 10, bytesToClient: 200 })
    expect(of(closed()).pools.get('app')).toMatchObject({ opened: 0, closed: 1, bytesToClient: 200 })
  })

  test('counts refusals by reason, all that a record stands for, and failed dials only where there is a pool', () => {
    const state = of(
      refused({ because: 'no_sni' }), refused({ because: 'no_sni', count: 7 }), refused({ because: 'other', count: 2 }),
      refused({ because: 'dial_failed', pool: 'app', attempts: [failed] }), refused({ because: 'no_backend', pool: 'other' }),
    )
    expect(state.refused).toEqual(new Map([['no_sni', 8], ['other', 2], ['dial_failed', 1], ['no_backend', 1]]))
    expect(state.pools).toEqual(
      new Map([['app', { opened: 0, closed: 0, bytesToBackend: 0, bytesToClient: 0, backends: new Map([['b:1', { ...none, dialFailures: 1 }]]) }]]),
    )
  })

  test('after any history, a pool has what its backends have, and the log what the pools have', () => {
    fc.assert(
      fc.property(movesOf('connections'), (moves) => {
        const records = recordsOf('connections', moves)
        const state = fold(traffic, records.map(recorded))
        for (const pool of state.pools.values()) {
          for (const total of ['opened', 'closed', 'bytesToBackend', 'bytesToClient'] as const) {
            expect([...pool.backends.values()].reduce((sum, backend) => sum + backend[total], 0)).toBe(pool[total])
          }
        }
        const pools = [...state.pools.values()]
        const events = records.map(({ event }) => event)
        const sum = (numbers: readonly number[]): number => numbers.reduce((one, other) => one + other, 0)
        expect(sum(pools.map((pool) => pool.opened))).toBe(events.filter(({ type }) => type === ConnectionOpened.type).length)
        expect(sum(pools.map((pool) => pool.bytesToClient))).toBe(
          sum(events.flatMap((event) => (event.type === ConnectionClosed.type ? [event.data.bytes_to_client] : []))),
        )
        expect(sum([...state.refused.values()])).toBe(
          sum(events.flatMap((event) => (event.type === ConnectionRefused.type ? [event.data.count] : []))),
        )
      }),
    )
  })
})

describe('open connections', () => {
  const of = (...facts: Parameters<typeof history>) => fold(openConnections, history(...facts).map(recorded))

  test('from the opened to the closing record, with what was opened and by whom', () => {
    const open = of(opened())
    expect(open.get(id)).toEqual({
      node: 'node-1', run: exampleRun, openedAt: '2026-11-24T08:00:00.000Z', opened: opened()[1], bytesToBackend: 0, bytesToClient: 0,
      encrypted: true, tls: null,
    })
    expect(of(opened(), closed())).toEqual(new Map())
  })

  test('with the bytes and TLS facts of the last progress record', () => {
    const first = progress({ bytes_to_backend: 1, bytes_to_client: 2 })
    const state = of(opened(), first, progress({ bytes_to_backend: 3, bytes_to_client: 4, encrypted: null }))
    expect(state.get(id)).toMatchObject({ bytesToBackend: 3, bytesToClient: 4, encrypted: null, tls: ConnectionProgress.examples[0].tls })
  })

  test('progress and closing of what is not open do nothing', () => {
    expect(of(progress({ bytes_to_backend: 1 }), closed(), refused())).toEqual(new Map())
    expect(of(opened(), closed(), progress({ bytes_to_backend: 1 }))).toEqual(new Map())
  })
})
