import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ServerNamePattern } from '../../events/values.ts'
import type { Pool } from '../../projections/routing.ts'
import { decideCreatePool } from '../../src/commands/create-pool.ts'
import { canonicalServerName } from '../../src/commands/host-name.ts'
import { canonicalListen, warningsOf } from '../../src/commands/pool-rules.ts'
import { given } from './decide.ts'
import { named, pool, refusal } from './wishes.ts'

describe('server names', () => {
  test('are stored lower case, as A-labels, each once', () => {
    const serverNames = ['App.Example.COM', 'app.example.com', '*.Bücher.example']
    expect(given().when(decideCreatePool, pool('a', { serverNames }))).toMatchObject({
      record: { data: { server_names: ['app.example.com', '*.xn--bcher-kva.example'], default_route: false } },
    })
  })

  test.each([
    'a b.example', '*', '*.', 'a.*.example', '*.*.example', '**.example', 'a*.example', '10.0.0.1', '::1', '[::1]',
    'a.example.', '-a.example', 'a..b', 'a.example:443', '1.2', '\u00ad',
  ])('"%s" is refused, with its place in the list', (name) => {
    expect(given().when(decideCreatePool, pool('a', { serverNames: ['fine.example', name] }))).toEqual(
      refusal('server_name_invalid', 'server_names.1'),
    )
  })

  test('a name that another pool claims is refused, and the pool is named', () => {
    const before = given().and(decideCreatePool, pool('a', { serverNames: ['x.example', '*.y.example'] }))
    for (const name of ['X.example', '*.y.EXAMPLE']) {
      const decision = before.when(decideCreatePool, pool('b', { serverNames: [name] }))
      expect(decision).toEqual(refusal('server_name_taken', 'server_names'))
      expect(decision).toMatchObject({ refusal: { extra: { pool: 'a' }, sentence: expect.stringContaining('"a"') } })
    }
  })

  test('an exact name, its wildcard and a name under the wildcard are different claims', () => {
    const before = given().and(decideCreatePool, pool('a', { serverNames: ['*.example.com'] }))
    expect(before.when(decideCreatePool, pool('b', { serverNames: ['example.com', 'a.example.com'] }))).toHaveProperty('record')
  })

  test('are canonical once made so, and then fit the record', () => {
    const name = fc.oneof(fc.domain(), fc.domain().map((domain) => `*.${domain}`), fc.string({ unit: 'grapheme', maxLength: 20 }))
    fc.assert(
      fc.property(name, (text) => {
        const once = canonicalServerName(text)
        if ('problem' in once) return
        expect(canonicalServerName(once.value)).toEqual(once)
        expect(ServerNamePattern.safeParse(once.value).success).toBe(true)
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('listen', () => {
  test.each([
    [9443, '[::]:9443'],
    ['[0:0::0]:9443', '[::]:9443'],
    ['127.0.0.1:9443', '127.0.0.1:9443'],
    [null, null],
  ])('%s is stored as %s', (listen, stored) => {
    expect(canonicalListen(listen)).toEqual({ value: stored })
  })

  test.each([0, 65_536, 1.5, '9443', '127.0.0.1:0', 'example.com:9443', '[fe80::1%lo]:9443', ''])('%s is refused', (listen) => {
    expect(given().when(decideCreatePool, pool('a', { listen }))).toEqual(refusal('listen_invalid', 'listen'))
  })

  test.each([8443, '127.0.0.1:8443', 4000, '127.0.0.1:4000', 9464, '127.0.0.1:9464', 9443, '0.0.0.0:9443', '127.0.0.1:9443'])(
    '%s is taken by the shared listener, the API, the ops listener or pool a',
    (listen) => {
      const before = given().and(decideCreatePool, pool('a', { listen: 9443 }))
      expect(before.when(decideCreatePool, pool('b', { listen }))).toEqual(refusal('listen_taken', 'listen'))
    },
  )

  test('the same port on another address is free', () => {
    const before = given().and(decideCreatePool, pool('a', { listen: '127.0.0.1:9443' }))
    expect(before.when(decideCreatePool, pool('b', { listen: '127.0.0.2:9443' }))).toHaveProperty('record')
    expect(before.when(decideCreatePool, pool('b', { listen: '127.0.0.2:4000' }))).toHaveProperty('record')
  })
})

test('a pool that nothing leads to has a warning', () => {
  const { pools } = given().and(decideCreatePool, pool('a')).and(decideCreatePool, pool('b')).and(decideCreatePool, named('c')).state
  const warnings = (name: string) => warningsOf(pools.get(name) as Pool)
  expect([warnings('a'), warnings('c')]).toEqual([[], []])
  expect(warnings('b')).toEqual([expect.stringContaining('No route leads to pool "b"')])
})
