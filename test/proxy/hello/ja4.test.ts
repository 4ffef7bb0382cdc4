import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { ja4 } from '../../../src/proxy/hello/ja4.ts'
import {
  alpn,
  extension,
  type HelloParts,
  helloMessage,
  nameEntry,
  records,
  serverName,
  supportedVersions,
  uint16s,
  vector16,
} from '../../support/tls-hellos.ts'
import { helloOf, judge } from '../../support/tls-hellos-judge.ts'

const nothing = '000000000000'
const of = (parts: HelloParts) => ja4(helloOf(judge(records(helloMessage(parts)))))
const partsOf = (parts: HelloParts) => of(parts).split('_') as [string, string, string]
const suites = (...values: number[]) => vector16(uint16s(...values))
const algorithms = (...values: number[]) => extension(13, vector16(uint16s(...values)))
const hashed = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 12)

/** The hello that the description of JA4 takes as its example. */
const example: HelloParts = {
  cipherSuites: suites(
    0x1a1a,
    0x1301,
    0x1302,
    0x1303,
    0xc02b,
    0xc02f,
    0xc02c,
    0xc030,
    0xcca9,
    0xcca8,
    0xc013,
    0xc014,
    0x9c,
    0x9d,
    0x2f,
    0x35,
  ),
  extensions: [
    extension(0x2a2a),
    extension(0x1b),
    serverName('a.example'),
    extension(0x33),
    alpn('h2', 'http/1.1'),
    extension(0x4469),
    extension(0x17),
    extension(0x2d),
    algorithms(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601),
    extension(0x05),
    extension(0x23),
    extension(0x12),
    supportedVersions(0x8a8a, 0x0304, 0x0303),
    extension(0xff01),
    extension(0x0b),
    extension(0x0a, vector16(uint16s(0x0a0a, 0x001d))),
    extension(0x15),
    extension(0xfafa, Buffer.from([0])),
  ],
}

test('the example of the description', () => {
  expect(of(example)).toBe('t13d1516h2_8daaf6152771_e5627efa2ab1')
})

describe('the first part', () => {
  test.each([
    [0x0304, undefined, 't13'],
    [0x0303, undefined, 't12'],
    [0x0302, undefined, 't11'],
    [0x0301, undefined, 't10'],
    [0x0300, undefined, 'ts3'],
    [0x0002, undefined, 'ts2'],
    [0x0305, undefined, 't00'],
    [0x0303, [0x0303, 0x0304], 't13'],
    [0x0303, [0x0303], 't12'],
    [0x0303, [0x0301, 0x0302], 't11'],
    [0x0303, [0x3a3a, 0x0304, 0xfafa], 't13'],
    // A draft is higher than any version; what it says is not known.
    [0x0303, [0x7f1c, 0x0304, 0x0303], 't00'],
    [0x0303, [0x0304, 0x7e02], 't00'],
    [0x0303, [0x1a1a], 't00'],
  ])('legacy version %i with versions %j: %s', (legacyVersion, versions, expected) => {
    const extensions = versions === undefined ? [] : [supportedVersions(...versions)]
    expect(of({ legacyVersion, extensions }).slice(0, 3)).toBe(expected)
  })

  test('a name, an address for a name, an unknown kind of name, and none', () => {
    const destination = (...extensions: Uint8Array[]) => of({ extensions }).charAt(3)
    expect(destination(serverName('a.example'))).toBe('d')
    expect(destination(serverName('192.0.2.7'))).toBe('d')
    expect(destination(extension(0, vector16(nameEntry('other', 7))))).toBe('d')
    expect(destination()).toBe('i')
  })

  test('counts leave GREASE out, have two digits, and end at 99', () => {
    const counts = (ciphers: number, types: number) => {
      const cipherSuites = suites(0x0a0a, ...Array.from({ length: ciphers }, (_, index) => index), 0xfafa)
      const extensions = [extension(0x5a5a), ...Array.from({ length: types }, (_, index) => extension(1_000 + index))]
      return of({ cipherSuites, extensions }).slice(4, 8)
    }
    expect(counts(0, 0)).toBe('0000')
    expect(counts(9, 10)).toBe('0910')
    expect(counts(99, 99)).toBe('9999')
    expect(counts(100, 2_000)).toBe('9999')
  })

  test('signalling and private suites count, and so does the same suite twice', () => {
    expect(of({ cipherSuites: suites(0x00ff, 0x5600, 0xfefe, 0xfefe) }).slice(4, 6)).toBe('04')
  })

  test.each([
    ['h2', 'h2'],
    ['http/1.1', 'h1'],
    ['x', 'xx'],
    ['Zz9', 'Z9'],
    ['\xab', 'ab'],
    ['\xab\xcd', 'ad'],
    ['0\xab', '3b'],
    ['01\xab\xcd', '3d'],
    ['0\xab\xcd1', '01'],
    ['-h2', '22'],
    ['h2_', '6f'],
    ['@[`{/:', '4a'],
    // A GREASE value is taken as it comes: FoxIO's own programs do, and so a hello has one JA4 everywhere.
    ['\x0a\x0a', '0a'],
    ['\x00\x00', '00'],
  ])('ALPN %j: %s', (protocol, expected) => {
    expect(of({ extensions: [alpn(protocol, 'h2')] }).slice(8, 10)).toBe(expected)
  })

  test('no ALPN: 00', () => {
    expect(of({ extensions: [] })).toMatch(/^t12i020000_/)
  })
})

describe('the hashes', () => {
  test('suites sorted, without GREASE; no suites, or GREASE only: zeroes', () => {
    const hash = (...values: number[]) => partsOf({ cipherSuites: suites(...values) })[1]
    expect(hash(0xc02f, 0x0a0a, 0x1301, 0x00ff)).toBe(hashed('00ff,1301,c02f'))
    expect(hash(0x1301, 0x00ff, 0xc02f)).toBe(hash(0xc02f, 0x1301, 0x00ff))
    expect(hash()).toBe(nothing)
    expect(hash(0x0a0a, 0xfafa)).toBe(nothing)
  })

  test('extensions sorted, without name, ALPN and GREASE; signature algorithms in their own order behind them', () => {
    const hash = (...extensions: Uint8Array[]) => partsOf({ extensions })[2]
    const list = [
      extension(0x2b, Buffer.from([2, 3, 4])),
      extension(0x9a9a),
      serverName('a.example'),
      alpn('h2'),
      extension(0x05),
    ]
    expect(hash(...list)).toBe(hashed('0005,002b'))
    expect(hash(...list.toReversed())).toBe(hashed('0005,002b'))
    expect(hash(...list, algorithms(0x0804, 0x0403))).toBe(hashed('0005,000d,002b_0804,0403'))
    expect(hash(...list, algorithms(0x0403, 0x0804))).toBe(hashed('0005,000d,002b_0403,0804'))
  })

  test('GREASE among the signature algorithms is left out, like everywhere; alone it is as if there were none', () => {
    const hash = (...values: number[]) => partsOf({ extensions: [algorithms(...values)] })[2]
    expect(hash(0x7a7a, 0x0804, 0xcaca, 0x0403)).toBe(hashed('000d_0804,0403'))
    expect(hash(0x7a7a)).toBe(hashed('000d'))
  })

  test('name and ALPN only, GREASE only, an empty block, no block: zeroes', () => {
    expect(partsOf({ extensions: [serverName('a.example'), alpn('h2')] })).toEqual([
      't12d0202h2',
      hashed('1301,c02f'),
      nothing,
    ])
    expect(partsOf({ extensions: [extension(0xdada)] })).toEqual(['t12i020000', hashed('1301,c02f'), nothing])
    expect(partsOf({ extensions: [] })[2]).toBe(nothing)
    expect(partsOf({ extensions: null })[2]).toBe(nothing)
  })
})

test('the longest lists there can be', () => {
  const values = Array.from({ length: 32_700 }, (_, index) => index)
  const named = values.filter(value => (value & 0x0f0f) !== 0x0a0a || value >> 8 !== (value & 0xff))
  const text = named.map(value => value.toString(16).padStart(4, '0')).join()
  expect(partsOf({ cipherSuites: suites(...values.toReversed()), extensions: null })).toEqual([
    't12i990000',
    hashed(text),
    nothing,
  ])
})

describe('what others said before', () => {
  const plain: HelloParts = { cipherSuites: suites(0x1301, 0x1302), extensions: [algorithms(0x0403, 0x0804), supportedVersions(0x0304, 0x0303), alpn('h2')] }
  const variants: readonly (readonly [what: string, parts: HelloParts])[] = [
    ['another suite', { ...plain, cipherSuites: suites(0x1301, 0x1303) }],
    ['one suite more', { ...plain, cipherSuites: suites(0x1301, 0x1302, 0x1303) }],
    ['suites in another order', { ...plain, cipherSuites: suites(0x1302, 0x1301) }],
    ['another extension', { ...plain, extensions: [...(plain.extensions ?? []), extension(0x17)] }],
    ['algorithms in another order', { ...plain, extensions: [algorithms(0x0804, 0x0403), supportedVersions(0x0304, 0x0303), alpn('h2')] }],
    ['another version', { ...plain, extensions: [algorithms(0x0403, 0x0804), supportedVersions(0x0303, 0x0302), alpn('h2')] }],
    ['no versions', { ...plain, extensions: [algorithms(0x0403, 0x0804), extension(0x17), alpn('h2')] }],
    ['another protocol', { ...plain, extensions: [algorithms(0x0403, 0x0804), supportedVersions(0x0304, 0x0303), alpn('h3')] }],
  ]
  /** More hellos than are remembered. */
  const forget = () => {
    for (let suite = 0; suite < 300; suite += 1) of({ cipherSuites: suites(0x2000 + suite) })
  }

  test.each(variants)('%s is not taken for it', (_what, parts) => {
    forget()
    const alone = of(parts)
    forget()
    of(plain)
    expect(of(parts)).toBe(alone)
    forget()
    expect(of(parts)).toBe(alone)
  })

  test('nor is it where two lists happen to have the same key', () => {
    const [one, other] = [{ cipherSuites: suites(6_049, 43_610, 44_116) }, { cipherSuites: suites(22_726, 63_624, 24_209) }]
    forget()
    const alone = of(other)
    forget()
    expect(of(one)).not.toBe(alone)
    expect(of(other)).toBe(alone)
  })

  test('is the same the second time', () => {
    expect(of(plain)).toBe(of(plain))
  })
})
