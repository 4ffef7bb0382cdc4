import { describe, expect, test } from 'vitest'
import {
  decideAddBackend, decideChangeBackend, decideDrainBackend, decideRemoveBackend, decideResumeBackend,
} from '../../src/commands/backend.ts'
import { backendsPerPoolMax } from '../../src/commands/bounds.ts'
import { decideCreatePool } from '../../src/commands/create-pool.ts'
import { given, stamp, type Given } from './decide.ts'
import { appBackend, backend, givenApp, pool, recordWith, refusal } from './wishes.ts'

const wish = pool('secure-app')
const added = backend('secure-app', 'Backend1.internal:8443', { weight: 3 })

describe('adding a backend', () => {
  test('records the address in its canonical form', () => {
    expect(given().and(decideCreatePool, wish).when(decideAddBackend, added)).toEqual({
      record: {
        id: stamp.recordId,
        time: stamp.time,
        type: 'dev.waybill.backend.added.v1',
        subject: 'backends/secure-app/backend1.internal:8443',
        partitionkey: 'control',
        data: {
          actor: { authn: 'none', id: 'loopback', type: 'local' },
          change: { approved_by: null, reason: null, requested_by: null, ticket: null },
          declaration: null,
          host: 'backend1.internal',
          id: 'backend1.internal:8443',
          idempotency: null,
          origin: { ip: '127.0.0.1', port: 50_112, via: 'api' },
          pool: 'secure-app',
          port: 8443,
          weight: 3,
        },
      },
    })
  })

  test('takes effect in the fold, under the pool', () => {
    const { state } = given().and(decideCreatePool, wish).and(decideAddBackend, { ...added, url: 'https://[::0:1]' })
    expect(state.revision).toBe(2)
    expect(state.pools.get('secure-app')).toMatchObject({ revision: 2 })
    expect([...state.pools.get('secure-app')!.backends.keys()]).toEqual(['[::1]:443'])
  })

  test('a URL that is none is refused before the pool is looked for', () => {
    expect(given().when(decideAddBackend, { ...added, url: 'http://a' })).toEqual(refusal('backend_url_invalid', 'url'))
  })
  test('a pool that is not there', () => {
    expect(given().when(decideAddBackend, added)).toEqual(refusal('pool_unknown'))
  })
  test('the same backend twice, however it is written', () => {
    const before = given().and(decideCreatePool, wish).and(decideAddBackend, added)
    const again = { ...added, url: 'https://BACKEND1.internal:08443' }
    expect(before.when(decideAddBackend, again)).toEqual(refusal('backend_exists', 'url'))
  })
  test('as many backends as a pool may have', () => {
    let before = given().and(decideCreatePool, wish)
    for (let port = 1; port <= backendsPerPoolMax; port += 1) {
      before = before.and(decideAddBackend, { ...added, url: `https://a:${port}` })
    }
    expect(before.when(decideAddBackend, added)).toEqual(refusal('too_many_backends'))
  })
  test('only on the revision that the caller has seen', () => {
    const before = given().and(decideCreatePool, wish).and(decideAddBackend, added)
    const other = { ...added, url: 'https://other' }
    expect(before.when(decideAddBackend, { ...other, ifMatch: 1 })).toEqual(refusal('revision_mismatch'))
    expect(before.when(decideAddBackend, { ...other, ifMatch: 2 })).toHaveProperty('record')
  })
})

/** Every command on a backend that exists, in a form that would be recorded. */
const onOne = {
  change: (given: Given, more: object = {}) => given.when(decideChangeBackend, { ...appBackend, set: { weight: 9 }, ...more }),
  drain: (given: Given, more: object = {}) => given.when(decideDrainBackend, { ...appBackend, force: false, ...more }),
  resume: (given: Given, more: object = {}) => given.when(decideResumeBackend, { ...appBackend, ...more }),
  remove: (given: Given, more: object = {}) => given.when(decideRemoveBackend, { ...appBackend, force: false, ...more }),
}
const draining = () => givenApp().and(decideDrainBackend, { ...appBackend, force: false })
const backendOf = ({ state }: Given) => state.pools.get('app')?.backends.get('a:443')

describe.each(Object.entries(onOne))('to %s a backend', (name, run) => {
  const before = name === 'resume' ? draining() : givenApp()
  const { revision } = before.state

  test('names the backend as the subject and says who did it', () => {
    expect(run(before)).toMatchObject({
      record: { subject: 'backends/app/a:443', data: { actor: { id: 'loopback' }, id: 'a:443', pool: 'app', idempotency: null } },
    })
  })

  test('that is not there, or in a pool that is not there', () => {
    expect(run(before, { pool: 'nowhere' })).toEqual(refusal('pool_unknown'))
    expect(run(before, { id: 'b:443' })).toEqual(refusal('backend_unknown'))
  })

  test('only on the revision that the caller has seen', () => {
    expect(run(before, { ifMatch: revision - 1 })).toEqual(refusal('revision_mismatch'))
    expect(run(before, { ifMatch: revision })).toHaveProperty('record')
  })
})

describe('changing a backend', () => {
  test('records the new weight and nothing else', () => {
    const command = { ...appBackend, set: { weight: 9 } }
    expect(givenApp().when(decideChangeBackend, command)).toEqual(recordWith({ set: { weight: 9 } }))
    expect(backendOf(givenApp().and(decideChangeBackend, command))).toMatchObject({ weight: 9, drainingSince: null })
    expect(backendOf(draining().and(decideChangeBackend, command))).toMatchObject({ weight: 9, drainingSince: stamp.time })
  })

  test('to what it is already is no change', () => {
    for (const set of [{}, { weight: 3 }, { declaration: null, weight: 3 }]) {
      expect(givenApp().when(decideChangeBackend, { ...appBackend, set }), JSON.stringify(set)).toEqual({ unchanged: true })
    }
  })
})

describe('draining and resuming', () => {
  test('a backend drains since the record and until the next one', () => {
    expect(backendOf(draining())?.drainingSince).toBe(stamp.time)
    expect(backendOf(draining().and(decideResumeBackend, appBackend))?.drainingSince).toBeNull()
  })

  test('twice is no change', () => {
    expect(onOne.drain(draining())).toEqual({ unchanged: true })
    expect(onOne.resume(givenApp())).toEqual({ unchanged: true })
  })

  test('by force it is on record, also when it drains already: what is still open is ended', () => {
    expect(onOne.drain(givenApp(), { force: true })).toEqual(recordWith({ force: true }))
    expect(onOne.drain(draining(), { force: true })).toEqual(recordWith({ force: true }))
    expect(onOne.drain(givenApp())).toEqual(recordWith({ force: false }))
  })
})

describe('removing a backend', () => {
  test.each([true, false])('says whether open connections are ended: %s', (force) => {
    expect(onOne.remove(givenApp(), { force })).toEqual(recordWith({ force }))
  })

  test('twice: the second one has nothing to remove', () => {
    const removed = givenApp().and(decideRemoveBackend, { ...appBackend, force: false })
    expect(onOne.remove(removed)).toEqual(refusal('backend_unknown'))
  })

  test('makes room for the same address, which starts anew', () => {
    const again = draining().and(decideRemoveBackend, { ...appBackend, force: false }).and(decideAddBackend, backend('app', 'a'))
    expect(backendOf(again)).toMatchObject({ weight: 1, drainingSince: null })
  })
})
