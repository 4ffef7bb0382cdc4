import { expect, test } from 'vitest'
import { BackendAdded, BackendRemoved } from '../../events/backend.ts'
import { PoolCreated, PoolRemoved } from '../../events/pool.ts'
import { apply } from '../../projections/projection.ts'
import { routing, type Routing } from '../../projections/routing.ts'
import { Backends } from '../../src/proxy/backends.ts'
import { recorded, RecordChain } from '../support/records.ts'

/** Which backends a client may go to, by the configuration that it was routed by and by what has become of that since. */

const [createdExample] = PoolCreated.examples
const [addedExample] = BackendAdded.examples
const [removedExample] = BackendRemoved.examples
const [poolRemovedExample] = PoolRemoved.examples

const backend = { declaration: null, host: '10.0.0.1', id: '10.0.0.1:443', port: 443, weight: 1 }
const ids = (backends: Backends, state: Routing): string[] => {
  const pool = state.pools.get('app')
  return pool === undefined ? [] : backends.candidates(pool, new Set()).map(({ state: { id } }) => id)
}

/** Every configuration that the changes make, each a second after the one before. */
function configurations(...changes: readonly (readonly [definition: Parameters<RecordChain['make']>[0], data: object])[]): Routing[] {
  const chain = new RecordChain('control')
  let state = routing.initial()
  return changes.map(([definition, data], index) => {
    const time = `2026-11-24T08:00:0${index}.000Z`
    state = apply(routing, state, recorded(chain.make(definition, data, { time })))
    return state
  })
}

test('a backend of a pool that came back under the same name is another one', () => {
  const create = [PoolCreated, { ...createdExample, name: 'app', backends: [backend] }] as const
  const all = configurations(create, [PoolRemoved, { ...poolRemovedExample, name: 'app' }], create)
  const backends = new Backends()
  const [first, , last] = all
  backends.update(first!)
  expect(ids(backends, first!)).toEqual([backend.id])
  for (const state of all) backends.update(state)
  expect(ids(backends, first!)).toEqual([])
  expect(ids(backends, last!)).toEqual([backend.id])
})

test('so is a backend that was removed and added again', () => {
  const of = { pool: 'app', id: backend.id }
  const all = configurations(
    [PoolCreated, { ...createdExample, name: 'app', backends: [backend] }],
    [BackendRemoved, { ...removedExample, ...of }],
    [BackendAdded, { ...addedExample, ...backend, pool: 'app' }],
  )
  const backends = new Backends()
  for (const state of all) backends.update(state)
  expect(ids(backends, all[0]!)).toEqual([])
  expect(ids(backends, all[2]!)).toEqual([backend.id])
})
