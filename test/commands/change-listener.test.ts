import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { listenerCases, type ListenerCase } from '../../events/values.ts'
import { answerIn, hasListener } from '../../projections/listeners.ts'
import { decideChangeListener, type ListenerChanges } from '../../src/commands/change-listener.ts'
import { decideChangePool, decideRemovePool } from '../../src/commands/change-pool.ts'
import { decideCreatePool } from '../../src/commands/create-pool.ts'
import { noChange } from '../../src/commands/decision.ts'
import { anyCommand } from './any-command.ts'
import { given, rules, stamp } from './decide.ts'
import { declaredIn, fileA, fileB, named, recordWith, refusal } from './wishes.ts'

const shared = (set: ListenerChanges) => ({ listener: 'shared', set })
const own = (set: ListenerChanges) => ({ listener: 'pools/app', set })

/** Pool `app` with an own address, and pool `legacy`, which takes clients that speak no TLS. */
function givenPools() {
  return given()
    .and(decideCreatePool, named('app', { listen: 9443 }))
    .and(decideCreatePool, named('legacy', { allowPlaintext: true, businessNeed: 'card readers of 2009' }))
}

describe('changing a listener', () => {
  test('records who, when and what, with the id of the command and in the order of the record', () => {
    const set: ListenerChanges = { unknown_sni: 'refuse', no_sni: { pool: 'legacy' }, declaration: declaredIn(fileA, 'no_sni') }
    const decision = givenPools().when(decideChangeListener, { ...shared(set), ...stamp, ifMatch: 0, file: fileA })
    expect(decision).toEqual({
      record: {
        id: stamp.recordId,
        time: stamp.time,
        type: 'dev.waybill.listener.changed.v1',
        subject: 'listeners/shared',
        partitionkey: 'control',
        data: {
          actor: { authn: 'none', id: 'loopback', type: 'local' },
          change: { approved_by: null, reason: null, requested_by: null, ticket: null },
          idempotency: null,
          listener: 'shared',
          origin: { ip: '127.0.0.1', port: 50_112, via: 'api' },
          set: { declaration: { fields: ['no_sni'], file: fileA }, no_sni: { pool: 'legacy' }, unknown_sni: 'refuse' },
        },
      },
    })
  })

  test('every case takes effect in the fold, null gives it back, and what is not said stays', () => {
    const legacy = { pool: 'legacy' }
    const all = Object.fromEntries(listenerCases.map((what) => [what, legacy])) as Record<ListenerCase, typeof legacy>
    const before = givenPools().and(decideChangeListener, shared(all))
    for (const what of listenerCases) expect(answerIn(before.state, null, what)).toEqual({ pool: 'legacy', because: 'set' })
    const after = before.and(decideChangeListener, shared({ malformed: null, timeout: 'refuse' }))
    expect(after.state.listeners.get('shared')).toMatchObject({ revision: 4, answers: { no_sni: legacy, timeout: 'refuse' } })
    expect(after.state.listeners.get('shared')!.answers).not.toHaveProperty('malformed')
    // Each listener has its own.
    expect(after.state.listeners.size).toBe(1)
  })

  test('what is so already is no change, null for what is not set included', () => {
    const before = givenPools().and(decideChangeListener, shared({ no_sni: { pool: 'legacy' }, sslv2: 'refuse' }))
    for (const set of [{}, { malformed: null }, { no_sni: { pool: 'legacy' }, sslv2: 'refuse', declaration: null }] as const) {
      expect(before.when(decideChangeListener, shared(set))).toEqual({ unchanged: true })
    }
    expect(givenPools().when(decideChangeListener, shared({ no_sni: null }))).toEqual({ unchanged: true })
    expect(before.when(decideChangeListener, shared({ no_sni: { pool: 'app' }, sslv2: 'refuse' }))).toEqual(
      recordWith({ set: { no_sni: { pool: 'app' } } }),
    )
    // To refuse because nothing is set, and because that is set, are two things: a default route would change the first.
    expect(givenPools().when(decideChangeListener, shared({ no_sni: 'refuse' }))).toHaveProperty('record')
  })

  test('of a listener that is not there', () => {
    for (const listener of ['pools/legacy', 'pools/nobody']) {
      const decision = givenPools().when(decideChangeListener, { listener, set: { no_sni: 'refuse' } })
      expect(decision).toEqual(refusal('listener_unknown'))
      expect(decision).toMatchObject({ refusal: { extra: { listener } } })
    }
    expect(givenPools().when(decideChangeListener, own({ no_sni: 'refuse' }))).toHaveProperty('record')
  })

  test('that changed since it was read', () => {
    expect(givenPools().when(decideChangeListener, { ...shared({ no_sni: 'refuse' }), ifMatch: 2 })).toEqual(refusal('revision_mismatch'))
    const before = givenPools().and(decideChangeListener, { ...shared({ no_sni: 'refuse' }), ifMatch: 0 })
    const decision = before.when(decideChangeListener, { ...shared({}), ifMatch: 0 })
    expect(decision).toEqual(refusal('revision_mismatch'))
    expect(decision).toMatchObject({ refusal: { extra: { revision: 3 }, sentence: expect.stringContaining('Listener "shared"') } })
    expect(before.when(decideChangeListener, { ...shared({ no_sni: null }), ifMatch: 3 })).toHaveProperty('record')
    // A change of one listener, or of the pools, is none of another.
    expect(before.when(decideChangeListener, { ...own({ no_sni: 'refuse' }), ifMatch: 0 })).toHaveProperty('record')
  })

  test('the size of a record is a limit here too', () => {
    const reason = '\u0001'.repeat(20_000)
    expect(givenPools().when(decideChangeListener, { ...shared({ no_sni: 'refuse' }), change: { ...noChange, reason } })).toEqual(
      refusal('command_too_large'),
    )
  })
})

describe('the pool that an answer names', () => {
  test('has to exist', () => {
    const decision = givenPools().when(decideChangeListener, shared({ no_sni: 'refuse', sslv2: { pool: 'nobody' } }))
    expect(decision).toEqual(refusal('listener_pool_unknown', 'sslv2.pool'))
    expect(decision).toMatchObject({ refusal: { extra: { pool: 'nobody' } } })
  })

  test('has to allow plaintext for clients that speak no TLS, and for these only', () => {
    const decision = givenPools().when(decideChangeListener, shared({ not_tls: { pool: 'app' } }))
    expect(decision).toEqual(refusal('plaintext_not_allowed', 'not_tls.pool'))
    expect(decision).toMatchObject({ refusal: { extra: { pool: 'app' }, sentence: expect.stringContaining('"app"') } })
    expect(givenPools().when(decideChangeListener, shared({ not_tls: { pool: 'legacy' } }))).toHaveProperty('record')
    for (const what of listenerCases.filter((each) => each !== 'not_tls')) {
      expect(givenPools().when(decideChangeListener, shared({ [what]: { pool: 'app' } }))).toHaveProperty('record')
    }
  })

  test('keeps allow_plaintext while it is named for that', () => {
    const off = { name: 'legacy', set: { allowPlaintext: false } }
    for (const listener of ['shared', 'pools/app']) {
      const before = givenPools().and(decideChangeListener, { listener, set: { not_tls: { pool: 'legacy' } } })
      const decision = before.when(decideChangePool, off)
      expect(decision).toEqual(refusal('pool_named_by_listener', 'allow_plaintext'))
      expect(decision).toMatchObject({ refusal: { extra: { listener, case: 'not_tls' } } })
      const freed = before.and(decideChangeListener, { listener, set: { not_tls: null } })
      expect(freed.when(decideChangePool, off)).toHaveProperty('record')
    }
    const otherwise = givenPools().and(decideChangeListener, shared({ sslv2: { pool: 'legacy' } }))
    expect(otherwise.when(decideChangePool, off)).toHaveProperty('record')
  })

  test('is free of its own listener once that is given up', () => {
    const before = givenPools()
      .and(decideChangePool, { name: 'app', set: { allowPlaintext: true, businessNeed: 'old devices' } })
      .and(decideChangeListener, own({ not_tls: { pool: 'app' } }))
    expect(before.when(decideChangePool, { name: 'app', set: { allowPlaintext: false } })).toEqual(
      refusal('pool_named_by_listener', 'allow_plaintext'),
    )
    const after = before.and(decideChangePool, { name: 'app', set: { allowPlaintext: false, listen: null } })
    expect(after.state.listeners).toEqual(new Map())
  })

  test('stays while a listener that is not its own names it', () => {
    const remove = { name: 'legacy', force: true }
    for (const listener of ['shared', 'pools/app']) {
      const before = givenPools().and(decideChangeListener, { listener, set: { timeout: { pool: 'legacy' } } })
      const decision = before.when(decideRemovePool, remove)
      expect(decision).toEqual(refusal('pool_named_by_listener'))
      expect(decision).toMatchObject({ refusal: { extra: { listener, case: 'timeout', pool: 'legacy' } } })
      expect(before.and(decideChangeListener, { listener, set: { timeout: 'refuse' } }).when(decideRemovePool, remove)).toHaveProperty('record')
    }
  })

  test('may go with its own listener, and with that its policy', () => {
    const after = givenPools()
      .and(decideChangeListener, own({ no_sni: 'refuse', sslv2: { pool: 'app' } }))
      .and(decideRemovePool, { name: 'app', force: false })
      .and(decideCreatePool, named('app', { listen: 9443 }))
    expect(after.state.listeners).toEqual(new Map())
    expect(answerIn(after.state, 'app', 'no_sni')).toEqual({ pool: 'app', because: 'listener' })
  })
})

describe('a pool with allow_plaintext', () => {
  const missing = (field: string) => refusal('business_need_missing', field)

  test('needs a business need from the beginning', () => {
    expect(given().when(decideCreatePool, named('a', { allowPlaintext: true }))).toEqual(missing('allow_plaintext'))
    expect(given().when(decideCreatePool, named('a', { allowPlaintext: true, businessNeed: 'x' }))).toHaveProperty('record')
  })

  test('needs it when it is changed to be one', () => {
    const set = { allowPlaintext: true }
    expect(givenPools().when(decideChangePool, { name: 'app', set })).toEqual(missing('allow_plaintext'))
    expect(givenPools().when(decideChangePool, { name: 'app', set: { ...set, businessNeed: 'x' } })).toHaveProperty('record')
  })

  test('keeps it as long as it is one', () => {
    const change = (set: object) => givenPools().when(decideChangePool, { name: 'legacy', set })
    expect(change({ businessNeed: null })).toEqual(missing('business_need'))
    expect(change({ businessNeed: null, owner: 'eve' })).toEqual(missing('business_need'))
    expect(change({ businessNeed: null, allowPlaintext: false })).toHaveProperty('record')
    expect(change({ businessNeed: 'another' })).toHaveProperty('record')
    expect(change({ owner: 'eve' })).toHaveProperty('record')
  })
})

describe('a listener that a file declares', () => {
  const declared = () =>
    givenPools().and(decideChangeListener, {
      ...shared({ declaration: declaredIn(fileA, 'no_sni', 'timeout'), no_sni: { pool: 'legacy' } }), file: fileA,
    })

  test.each([null, fileB])('keeps its declared cases from %s, and leaves the others open', (file) => {
    for (const set of [{ no_sni: null }, { sslv2: 'refuse', timeout: 'refuse' }, { declaration: null }] as const) {
      const decision = declared().when(decideChangeListener, { ...shared(set), file })
      expect(decision).toEqual(refusal('managed_by_file', 'no_sni' in set ? 'no_sni' : 'timeout' in set ? 'timeout' : undefined))
      expect(decision).toMatchObject({ refusal: { extra: { file: fileA } } })
    }
    expect(declared().when(decideChangeListener, { ...shared({ sslv2: 'refuse' }), file })).toHaveProperty('record')
    expect(declared().when(decideChangeListener, { ...shared({ no_sni: { pool: 'legacy' } }), file })).toEqual({ unchanged: true })
  })

  test('is changed and freed by its file', () => {
    expect(declared().when(decideChangeListener, { ...shared({ no_sni: 'refuse' }), file: fileA })).toHaveProperty('record')
    const freed = declared().and(decideChangeListener, { ...shared({ declaration: null }), file: fileA })
    expect(freed.when(decideChangeListener, shared({ no_sni: null }))).toHaveProperty('record')
  })
})

test('whatever is decided, no listener sends anybody where they may not go', () => {
  fc.assert(
    fc.property(fc.array(anyCommand, { maxLength: 40, size: 'max' }), (commands) => {
      let before = given()
      for (const { command, decide } of commands) {
        const decision = before.when(decide, command, rules)
        if (!('record' in decision)) continue
        before = before.and(decide, command)
        const { listeners, pools } = before.state
        for (const { allowPlaintext, businessNeed } of pools.values()) expect(!allowPlaintext || businessNeed !== null).toBe(true)
        for (const [listener, { answers }] of listeners) {
          expect(hasListener(before.state, listener)).toBe(true)
          for (const [what, answer] of Object.entries(answers)) {
            const pool = answer === 'refuse' ? null : pools.get(answer.pool)
            expect(pool).not.toBeUndefined()
            if (what === 'not_tls' && pool !== null) expect(pool!.allowPlaintext).toBe(true)
          }
        }
      }
    }),
    { numRuns: 500 },
  )
})
