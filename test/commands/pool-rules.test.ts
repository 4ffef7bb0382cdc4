import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ServerNamePattern } from '../../events/values.ts'
import { decideCreatePool } from '../../src/commands/create-pool.ts'
import { canonicalServerName, unicodeServerName } from '../../src/commands/host-name.ts'
import { canonicalListen } from '../../src/commands/pool-rules.ts'
import { given } from './decide.ts'
import { inline, pool, refusal } from './wishes.ts'

describe('server names', () => {
  test('are stored lower case, as A-labels, each once', () => {
    const serverNames = ['App.Example.COM', 'app.example.com', '*.Bücher.example', '**.BÜCHER.example', '2001:DB8:0::1', '10.0.0.1']
    const stored = ['app.example.com', '*.xn--bcher-kva.example', '**.xn--bcher-kva.example', '2001:db8::1', '10.0.0.1']
    expect(given().when(decideCreatePool, pool('a', { serverNames }))).toMatchObject({
      record: { data: { server_names: stored, default_route: false } },
    })
  })

  test.each([
    'a b.example', '*', '*.', '**', '**.', 'a.*.example', '*.*.example', '***.example', '**.*.example', '*.**.example', 'a**.example', 'a*.example',
    '*.10.0.0.1', '**.::1', '[::1]', 'fe80::1%lo', '::ffff:10.0.0.1', '10.0.0.1:443', '010.0.0.1', '10.0.0.256',
    'a.example..', '**.example..', '.', '*..', '::1.', 'xn--a.example', '*.xn--.example', 'a.xn--zzzzzzzzzzz', 'XN--99999', 'xn--b\u00fccher', '-a.example', 'a..b', 'a.example:443', '1.2', '\u00ad',
  ])('"%s" is refused, with its place in the list', (name) => {
    expect(given().when(decideCreatePool, pool('a', { serverNames: ['fine.example', name] }))).toEqual(
      refusal('server_name_invalid', 'server_names.1'),
    )
  })

  test('one final dot is left out, however it is written', () => {
    const serverNames = ['a.example.', '*.B\u00fccher.example.', '**.c.example\u3002', 'd.example\uff0e', '10.0.0.1.']
    const stored = ['a.example', '*.xn--bcher-kva.example', '**.c.example', 'd.example', '10.0.0.1']
    expect(given().when(decideCreatePool, pool('a', { serverNames }))).toMatchObject({ record: { data: { server_names: stored } } })
    // Of a backend it is not: what to dial is taken as written.
    expect(given().when(decideCreatePool, pool('a', { backends: [inline('b.example.')] }))).toEqual(refusal('backend_url_invalid'))
  })

  test('A-labels of every script are names', () => {
    const serverNames = ['xn--bcher-kva.example', 'XN--FA-HIA.de', 'xn--wgv71a119e.jp', '*.xn--ls8h.la', 'xn--b1abfaaepdrnnbgefbadotcwatmq2g4l', 'ab--cd.example']
    expect(given().when(decideCreatePool, pool('a', { serverNames }))).toHaveProperty('record')
  })

  test.each([
    ['example.123', 'ends in a number'],
    ['example.0x1F', 'ends in a number'],
    ['example.\uff11\uff12', 'ends in a number'],
    ['10.0.0.256', 'ends in a number'],
    ['*.', 'has no name behind the "*."'],
    ['**.', 'has no name behind the "**."'],
    ['', 'it is empty'],
    ['xn--a.example', '"xn--a" starts like an A-label and is none'],
    ['xn--b\u00fccher.example', '"xn--b\u00fccher" starts like an A-label and is none'],
    ['\u200d.example', 'IDNA does not allow'],
  ])('of "%s" the sentence says that it %s', (name, words) => {
    const decision = given().when(decideCreatePool, pool('a', { serverNames: [name] }))
    expect(decision).toMatchObject({ refusal: { code: 'server_name_invalid', sentence: expect.stringContaining(words) } })
  })

  test('a name that another pool claims is refused, and the pool is named', () => {
    const before = given().and(decideCreatePool, pool('a', { serverNames: ['x.example', '*.y.example', '**.z.example', '10.0.0.1', '::1'] }))
    for (const name of ['X.example', '*.y.EXAMPLE', '**.Z.example', '10.0.0.1', '0:0::1']) {
      const decision = before.when(decideCreatePool, pool('b', { serverNames: [name] }))
      expect(decision).toEqual(refusal('server_name_taken', 'server_names'))
      expect(decision).toMatchObject({ refusal: { extra: { pool: 'a' }, sentence: expect.stringContaining('"a"') } })
    }
  })

  test('an exact name, both its wildcards and a name under them are different claims', () => {
    const before = given().and(decideCreatePool, pool('a', { serverNames: ['*.example.com'] }))
    const serverNames = ['example.com', 'a.example.com', '**.example.com']
    expect(before.when(decideCreatePool, pool('b', { serverNames }))).toHaveProperty('record')
  })

  test('are canonical once made so, and then fit the record', () => {
    const name = fc.oneof(fc.domain(), fc.domain().map((domain) => `*.${domain}`), fc.domain().map((domain) => `**.${domain}`), fc.ipV4(), fc.ipV6(), fc.string({ unit: 'grapheme', maxLength: 20 }))
    fc.assert(
      fc.property(name, (text) => {
        const once = canonicalServerName(text)
        if ('problem' in once) return
        expect(canonicalServerName(once.value)).toEqual(once)
        expect(canonicalServerName(unicodeServerName(once.value))).toEqual(once)
        expect(ServerNamePattern.safeParse(once.value).success).toBe(true)
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('server names in Unicode', () => {
  test.each([
    ['xn--bcher-kva.example', 'bücher.example'],
    ['*.xn--bcher-kva.example', '*.bücher.example'],
    ['**.xn--bcher-kva.example', '**.bücher.example'],
    ['app.example', 'app.example'],
    ['xn--a.example', 'xn--a.example'],
    ['a_b.example', 'a_b.example'],
    ['2001:db8::1', '2001:db8::1'],
  ])('%s is shown as %s', (pattern, shown) => {
    expect(unicodeServerName(pattern)).toBe(shown)
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
