import { describe, expect, test } from 'vitest'
import {
  alpn,
  extension,
  type HelloParts,
  helloMessage,
  nameEntry,
  records,
  serverName,
  supportedVersions,
  uint16,
  uint16s,
  vector16,
  vector8,
} from '../../support/tls-hellos.ts'
import { helloOf, judge } from '../../support/tls-hellos-judge.ts'

const hello = (parts: HelloParts) => helloOf(judge(records(helloMessage(parts))))
const empty = Buffer.alloc(0)

/** A length field that says something else than the bytes after it. */
const claiming = (length: number, body: Uint8Array = empty) => Buffer.concat([uint16(length), body])

/** Each list holds one byte less than the entry in it claims. */
const nameOfTwo = extension(0, vector16(Buffer.from([0, 0, 2, 97])))
const protocolOfThree = extension(16, vector16(Buffer.from([3, 104, 50])))

describe('malformed, each for its own reason', () => {
  const table: readonly (readonly [name: string, parts: HelloParts, detail: RegExp])[] = [
    ['session id of 33 bytes', { sessionId: Buffer.alloc(33) }, /^session id of 33 bytes$/],
    ['cipher suites of odd length', { cipherSuites: vector16(Buffer.alloc(3)) }, /^cipher suites of 3 bytes/],
    ['cipher suites past the end', { cipherSuites: claiming(0xfffe) }, /^the cipher suites are longer/],
    ['nothing after the cipher suites', { compression: empty, extensions: null }, /before the compression methods/],
    ['compression methods past the end', { compression: Buffer.from([2, 0]), extensions: null }, /^the compression methods/],
    ['one byte after compression', { extensions: null, tail: Buffer.from([0]) }, /inside the length of the extensions/],
    ['extensions shorter than the rest', { tail: Buffer.from([0]) }, /^extensions of \d+ bytes in \d+ bytes$/],
    ['extensions longer than the rest', { extensions: null, tail: claiming(5, Buffer.alloc(4)) }, /^extensions of 5 bytes in 4/],
    ['half an extension header', { extensions: [Buffer.from([0, 23, 0])] }, /header of an extension/],
    ['extension past the end', { extensions: [Buffer.from([0, 23, 0, 1])] }, /^extension 0x0017 is longer/],
    ['extension twice', { extensions: [extension(0x17), extension(0x18), extension(0x17)] }, /^extension 0x0017 .* twice$/],
    ['GREASE extension twice', { extensions: [extension(0x1a1a), extension(0x1a1a)] }, /^extension 0x1a1a .* twice$/],
    ['server_name without a body', { extensions: [extension(0)] }, /^the server_name list/],
    ['server_name with an empty list', { extensions: [extension(0, claiming(0))] }, /^the server_name list/],
    ['server_name list too short', { extensions: [extension(0, claiming(5, nameEntry('abc')))] }, /^the server_name list/],
    ['server_name list too long', { extensions: [extension(0, claiming(7, nameEntry('abc')))] }, /^the server_name list/],
    ['half a name header', { extensions: [extension(0, vector16(Buffer.from([0, 0])))] }, /header of a name$/],
    ['name longer than its list', { extensions: [nameOfTwo] }, /^a server name is longer/],
    ['name into the next extension', { extensions: [nameOfTwo, extension(23, Buffer.alloc(9))] }, /^a server name is longer/],
    ['empty name', { extensions: [serverName('')] }, /^empty server name$/],
    ['empty name of another type', { extensions: [extension(0, vector16(nameEntry('', 7), nameEntry('a')))] }, /^empty server/],
    ['two host names', { extensions: [extension(0, vector16(nameEntry('a'), nameEntry('b')))] }, /^two host names$/],
    ['two names of type 7', { extensions: [extension(0, vector16(nameEntry('a', 7), nameEntry('b', 7)))] }, /of type 7$/],
    ['bytes after the name', { extensions: [extension(0, vector16(nameEntry('a'), Buffer.from([0])))] }, /header of a name$/],
    ['ALPN without a list', { extensions: [extension(16)] }, /^the ALPN list/],
    ['ALPN with an empty list', { extensions: [alpn()] }, /^the ALPN list/],
    ['empty ALPN protocol', { extensions: [alpn('h2', '')] }, /^empty ALPN protocol$/],
    ['ALPN protocol past its list', { extensions: [protocolOfThree] }, /^an ALPN protocol/],
    ['ALPN into the next extension', { extensions: [protocolOfThree, extension(23, Buffer.alloc(9))] }, /^an ALPN protocol/],
    ['no supported version', { extensions: [supportedVersions()] }, /0x002b does not fill/],
    ['half a supported version', { extensions: [extension(43, vector8(Buffer.alloc(3)))] }, /0x002b has an odd length/],
    ['versions not filling it', { extensions: [extension(43, Buffer.from([2, 3, 4, 0]))] }, /0x002b does not fill/],
    ['no group', { extensions: [extension(10, vector16())] }, /0x000a does not fill/],
    ['half a group', { extensions: [extension(10, vector16(Buffer.alloc(3)))] }, /0x000a has an odd length/],
    ['no signature algorithm', { extensions: [extension(13, vector16())] }, /0x000d does not fill/],
    ['algorithms past the end', { extensions: [extension(13, claiming(4, Buffer.alloc(2)))] }, /0x000d does not fill/],
  ]

  test.each(table)('%s', (_name, parts, detail) => {
    const verdict = judge(records(helloMessage(parts)))
    expect(verdict).toEqual({ kind: 'malformed', detail: expect.stringMatching(detail) as string })
  })

  test('a message that ends anywhere before its extensions', () => {
    const whole = helloMessage({ extensions: null })
    for (let length = 4; length < whole.length; length++) {
      const short = Buffer.from(whole.subarray(0, length))
      short.writeUInt16BE(length - 4, 2)
      expect([length, judge(records(short)).kind]).toEqual([length, 'malformed'])
    }
  })
})

describe('let through', () => {
  test('no extensions, an empty block of them, and a session id of 32 bytes', () => {
    expect(hello({ extensions: null })).toMatchObject({ serverName: null, extensions: [], supportedVersions: null })
    expect(hello({ extensions: [] })).toMatchObject({ serverName: null, extensions: [] })
    expect(hello({ sessionId: Buffer.alloc(32) }).matchName).toBe('api.vector.example')
  })

  test('empty lists of cipher suites and compression methods, as Go and nginx do', () => {
    expect(hello({ cipherSuites: vector16() })).toMatchObject({ matchName: 'api.vector.example', cipherSuites: [] })
    expect(hello({ compression: vector8() }).matchName).toBe('api.vector.example')
  })

  test('unknown name types beside the host name, and alone', () => {
    const both = extension(0, vector16(nameEntry('other', 7), nameEntry('a.example'), nameEntry('last', 9)))
    expect(hello({ extensions: [both] })).toMatchObject({ matchName: 'a.example', serverNameBytes: 9 })
    expect(hello({ extensions: [extension(0, vector16(nameEntry('other', 7)))] }).serverNameKind).toBe('none')
  })

  test('GREASE everywhere', () => {
    const grease = hello({
      cipherSuites: vector16(uint16s(0x0a0a, 0x1301)),
      extensions: [
        extension(0x3a3a),
        serverName('a.example'),
        alpn('\x5a\x5a', 'h2'),
        supportedVersions(0x7a7a, 0x0304, 0x0303),
        extension(10, vector16(uint16s(0xcaca, 0x11ec, 0x001d))),
        extension(13, vector16(uint16s(0xfafa, 0x0403))),
        extension(0xeaea, Buffer.from([0])),
      ],
    })
    expect(grease).toMatchObject({
      matchName: 'a.example',
      cipherSuites: [0x0a0a, 0x1301],
      extensions: [0x3a3a, 0, 16, 43, 10, 13, 0xeaea],
      supportedVersions: [0x7a7a, 0x0304, 0x0303],
      tlsVersions: ['TLSv1.3', 'TLSv1.2'],
      supportedGroups: [0xcaca, 0x11ec, 0x001d],
      signatureAlgorithms: [0xfafa, 0x0403],
      alpn: ['ZZ', 'h2'],
    })
  })

  test('bodies of extensions that only the backend reads', () => {
    expect(hello({ extensions: [serverName('a.example'), extension(51, Buffer.from([9])), extension(0xfe0d)] })).toMatchObject({
      matchName: 'a.example',
      echOffered: true,
    })
  })
})

describe('values', () => {
  test('ALPN is shown escaped and its first value kept raw', () => {
    expect(hello({ extensions: [alpn('\xba\xad', 'a b', 'back\\slash', 'H2')] })).toMatchObject({
      alpn: ['\\xba\\xad', 'a\\x20b', 'back\\x5cslash', 'H2'],
      alpnFirstRaw: '\xba\xad',
    })
  })

  test('versions without the extension follow the legacy field, never above 1.2', () => {
    const offered = (legacyVersion: number) => hello({ legacyVersion }).tlsVersions
    expect(offered(0x0300)).toEqual(['SSLv3'])
    expect(offered(0x0301)).toEqual(['TLSv1'])
    expect(offered(0x0302)).toEqual(['TLSv1.1'])
    expect(offered(0x0303)).toEqual(['TLSv1.2'])
    expect(offered(0x0304)).toEqual(['TLSv1.2'])
    expect(offered(0x0002)).toEqual(['0x0002'])
  })

  test('only 0x?a?a with equal halves is GREASE; drafts keep their number', () => {
    const versions = supportedVersions(0x0a0a, 0xfafa, 0x7f1c, 0x0a1a, 0x0304)
    expect(hello({ extensions: [versions] }).tlsVersions).toEqual(['0x7f1c', '0x0a1a', 'TLSv1.3'])
  })
})
