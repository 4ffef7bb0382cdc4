import { describe, expect, test } from 'vitest'
import {
  decideAddBackend, decideChangeBackend, decideDrainBackend, decideRemoveBackend, decideResumeBackend,
} from '../../src/commands/backend.ts'
import { decideChangePool, decideRemovePool, type PoolChanges } from '../../src/commands/change-pool.ts'
import { decideCreatePool } from '../../src/commands/create-pool.ts'
import type { Decision } from '../../src/commands/decision.ts'
import { given } from './decide.ts'
import { appBackend, backend, declaredIn, fileA, fileB, givenApp, inline, named, refusal } from './wishes.ts'

/** DESIGN.md 4: what a declaration file declares, only that file changes; drain and resume always work. */

const byApi = null
const changeBy = (file: string | null, set: PoolChanges) => ({ name: 'app', set, file })
const weighBy = (file: string | null, weight: number) => ({ ...appBackend, set: { weight }, file })

/** Pool `app`, made by file A, which declares its owner, its names and the list of backends, of which it made `a:443`. */
function declared() {
  const declaration = declaredIn(fileA, 'backends', 'owner', 'server_names')
  const backends = [inline('a', { declaration: declaredIn(fileA, 'weight') })]
  return given().and(decideCreatePool, { ...named('app', { backends, declaration, owner: 'ada' }), file: fileA })
}

function refused(decision: Decision, field?: string): void {
  expect(decision).toEqual(refusal('managed_by_file', field))
  expect(decision).toMatchObject({ refusal: { sentence: expect.stringContaining(fileA), extra: { file: fileA } } })
}

describe('a field that a file declares', () => {
  test.each([byApi, fileB])('is not changed by %s', (file) => {
    refused(declared().when(decideChangePool, changeBy(file, { owner: 'eve' })), 'owner')
    refused(declared().when(decideChangePool, changeBy(file, { algorithm: 'random', serverNames: [] })), 'server_names')
    refused(declared().when(decideChangeBackend, weighBy(file, 9)), 'weight')
    refused(declared().when(decideAddBackend, { ...backend('app', 'b'), file }), 'backends')
  })

  test('may be asked to be what it is', () => {
    expect(declared().when(decideChangePool, changeBy(byApi, { owner: 'ada' }))).toEqual({ unchanged: true })
    expect(declared().when(decideChangeBackend, weighBy(byApi, 1))).toEqual({ unchanged: true })
  })

  test('is changed by its file', () => {
    expect(declared().when(decideChangePool, changeBy(fileA, { owner: 'eve' }))).toHaveProperty('record')
    expect(declared().when(decideChangeBackend, weighBy(fileA, 9))).toHaveProperty('record')
    expect(declared().when(decideAddBackend, { ...backend('app', 'b'), file: fileA })).toHaveProperty('record')
  })

  test('is refused as a whole change: what else was asked for is not done either', () => {
    expect(declared().when(decideChangePool, changeBy(byApi, { algorithm: 'random', owner: 'eve' }))).not.toHaveProperty('record')
  })
})

describe('a field that the file leaves open', () => {
  test('is free to everybody', () => {
    expect(declared().when(decideChangePool, changeBy(byApi, { algorithm: 'random', drainTimeoutMs: 5 }))).toHaveProperty('record')
    const open = given().and(decideCreatePool, { ...named('app', { declaration: declaredIn(fileA, 'owner'), backends: [inline('a')] }), file: fileA })
    expect(open.when(decideAddBackend, backend('app', 'b'))).toHaveProperty('record')
    expect(open.when(decideChangeBackend, weighBy(byApi, 9))).toHaveProperty('record')
  })
})

describe('the object as a whole', () => {
  test.each([byApi, fileB])('is not removed by %s', (file) => {
    for (const force of [true, false]) {
      refused(declared().when(decideRemovePool, { name: 'app', force, file }))
      refused(declared().when(decideRemoveBackend, { ...appBackend, force, file }))
    }
  })

  test('is removed by its file', () => {
    expect(declared().when(decideRemovePool, { name: 'app', force: false, file: fileA })).toHaveProperty('record')
    expect(declared().when(decideRemoveBackend, { ...appBackend, force: false, file: fileA })).toHaveProperty('record')
  })

  test('is not taken over by another file, nor freed by anybody else', () => {
    for (const declaration of [declaredIn(fileB, 'owner'), null]) {
      refused(declared().when(decideChangePool, changeBy(fileB, { declaration })))
      refused(declared().when(decideChangePool, changeBy(byApi, { declaration })))
      refused(declared().when(decideChangeBackend, { ...appBackend, set: { declaration }, file: fileB }))
    }
  })

  test('may be freed by its file, and is anybody\'s then', () => {
    const freed = declared().and(decideChangePool, changeBy(fileA, { declaration: null }))
    expect(freed.when(decideChangePool, changeBy(byApi, { owner: 'eve' }))).toHaveProperty('record')
    expect(freed.when(decideRemovePool, { name: 'app', force: false })).toHaveProperty('record')
    // Its backends are objects of their own.
    refused(freed.when(decideRemoveBackend, { ...appBackend, force: false }))
  })
})

test('draining and resuming always work', () => {
  const draining = declared().and(decideDrainBackend, { ...appBackend, force: false })
  expect(draining.state.pools.get('app')?.backends.get('a:443')?.drainingSince).not.toBeNull()
  expect(draining.when(decideDrainBackend, { ...appBackend, force: true, file: fileB })).toHaveProperty('record')
  expect(draining.when(decideResumeBackend, appBackend)).toHaveProperty('record')
})

describe('what was made through the API', () => {
  test('is taken over by a file on record, with what it changes', () => {
    const taken = givenApp()
      .and(decideChangePool, changeBy(fileA, { declaration: declaredIn(fileA, 'owner'), owner: 'ada' }))
      .and(decideChangeBackend, { ...appBackend, set: { declaration: declaredIn(fileA, 'weight') }, file: fileA })
    expect(taken.state.pools.get('app')).toMatchObject({ declaration: declaredIn(fileA, 'owner'), owner: 'ada', revision: 4 })
    refused(taken.when(decideChangePool, changeBy(byApi, { owner: 'eve' })), 'owner')
    refused(taken.when(decideChangeBackend, weighBy(byApi, 9)), 'weight')
  })

  test('in a pool of a file stays the API\'s to change and remove', () => {
    const mixed = givenApp().and(decideChangePool, changeBy(fileA, { declaration: declaredIn(fileA, 'backends') }))
    expect(mixed.when(decideChangeBackend, weighBy(byApi, 9))).toHaveProperty('record')
    expect(mixed.when(decideRemoveBackend, { ...appBackend, force: false })).toHaveProperty('record')
    refused(mixed.when(decideAddBackend, backend('app', 'b')), 'backends')
  })
})
