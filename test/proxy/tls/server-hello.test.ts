import { describe, expect, test } from 'vitest'
import { groupOfKeyExchange, keyExchangeHeadBytes } from '../../../src/proxy/tls/key-exchange.ts'
import { parseServerHello } from '../../../src/proxy/tls/server-hello.ts'
import { acceptedPsk, chosenVersion, keyShare, retryRequestRandom, serverHelloBody } from '../../support/tls-conversations-made.ts'
import { extension, uint16, vector16 } from '../../support/tls-hellos.ts'

describe('ServerHello', () => {
  const sessionId = Buffer.from('0102030405', 'hex')

  test('of TLS 1.2, with and without extensions', () => {
    const parts = { legacyVersion: 0x0302, sessionId, cipher: 0xc013 }
    const said = { version: 0x0302, modern: false, retryRequest: false, cipher: 0xc013, namedGroup: null, preSharedKey: false, sessionId }
    expect(parseServerHello(serverHelloBody(parts))).toEqual(said)
    expect(parseServerHello(serverHelloBody({ ...parts, extensions: [] }))).toEqual(said)
    expect(parseServerHello(serverHelloBody({ ...parts, extensions: [extension(0xff01, Buffer.from([0])), extension(23)] }))).toEqual(said)
  })

  test('of TLS 1.3', () => {
    const extensions = [acceptedPsk, keyShare(0x11ec), chosenVersion(0x0304)]
    expect(parseServerHello(serverHelloBody({ cipher: 0x1302, extensions }))).toMatchObject({
      version: 0x0304, modern: true, retryRequest: false, cipher: 0x1302, namedGroup: 0x11ec, preSharedKey: true,
    })
    const retry = { cipher: 0x1301, random: retryRequestRandom, extensions: [chosenVersion(0x0304), extension(0x33, uint16(24)), extension(0x2c, vector16(Buffer.alloc(8)))] }
    expect(parseServerHello(serverHelloBody(retry))).toMatchObject({ retryRequest: true, namedGroup: 24 })
  })

  test.each([
    ['a byte too many', serverHelloBody({ tail: Buffer.from([0]) })],
    ['a byte behind the extensions', serverHelloBody({ extensions: [], tail: Buffer.from([0]) })],
    ['a session id too long', serverHelloBody({ sessionId: Buffer.alloc(33) })],
    ['half an extension', serverHelloBody({ extensions: [Buffer.from([0, 23, 0])] })],
    ['an extension longer than the block', serverHelloBody({ extensions: [Buffer.from([0, 23, 0, 1])] })],
    ['two of a kind', serverHelloBody({ extensions: [extension(23), extension(23)] })],
    ['TLS 1.2 chosen in the extension of TLS 1.3', serverHelloBody({ cipher: 0x1301, extensions: [chosenVersion(0x0303)] })],
    ['TLS 1.3 under another legacy version', serverHelloBody({ cipher: 0x1301, legacyVersion: 0x0301, extensions: [chosenVersion(0x0304)] })],
    ['TLS 1.3 with a suite of before', serverHelloBody({ cipher: 0x0005, extensions: [chosenVersion(0x0304)] })],
    ['no version', serverHelloBody({ extensions: [extension(0x2b)] })],
    ['a list of versions', serverHelloBody({ extensions: [extension(0x2b, Buffer.from([2, 3, 4]))] })],
    ['a key share without a key', serverHelloBody({ extensions: [extension(0x33, uint16(29))] })],
    ['a key share too long for its key', serverHelloBody({ extensions: [extension(0x33, Buffer.from([0, 29, 0, 1, 7, 7]))] })],
    ['a key in a HelloRetryRequest', serverHelloBody({ random: retryRequestRandom, extensions: [keyShare(29)] })],
    ['a pre-shared key without a number', serverHelloBody({ extensions: [extension(0x29)] })],
  ])('%s: malformed', (_what, body) => {
    expect(parseServerHello(body)).toBe(null)
  })

  test('cut short anywhere: malformed, but for where the extensions would begin', () => {
    const body = serverHelloBody({ cipher: 0x1301, sessionId, extensions: [chosenVersion(0x0304), keyShare(29)] })
    const withoutExtensions = 2 + 32 + 1 + sessionId.length + 3
    for (let end = 0; end < body.length; end++) {
      if (end === withoutExtensions) expect(parseServerHello(body.subarray(0, end))).toMatchObject({ version: 0x0303, modern: false })
      else expect(parseServerHello(body.subarray(0, end))).toBe(null)
    }
  })
})

describe('the group of a ServerKeyExchange', () => {
  const curve = Buffer.from([3, 0, 24, 65, 4])
  const prime = vector16(Buffer.from([0, 0x1f, ...Buffer.alloc(126, 0xff)]))
  const hint = vector16(Buffer.from('who are you?'))
  const named = { kind: 'named', code: 24 }
  const dh = { kind: 'dh', bits: 126 * 8 + 5 }

  test.each([
    ['ECDHE', 0xc02f, curve, named],
    ['anonymous ECDH', 0xc018, curve, named],
    ['ECDHE with a pre-shared key', 0xd001, Buffer.concat([hint, curve]), named],
    ['DHE, the prime behind a zero', 0x009e, prime, dh],
    ['anonymous DH', 0x006c, prime, dh],
    ['DHE with a pre-shared key', 0x00aa, Buffer.concat([hint, prime]), dh],
    ['DHE with a pre-shared key, oddly named', 0xc0aa, Buffer.concat([hint, prime]), dh],
    ['a pre-shared key alone', 0x008c, hint, null],
    ['RSA', 0x002f, curve, null],
    ['ECDH with a key in the certificate', 0xc004, curve, null],
    ['an unknown suite', 0xfafa, curve, null],
    ['a curve spelt out', 0xc02f, Buffer.from([1, 0, 24]), null],
    ['a prime of nothing', 0x009e, vector16(Buffer.alloc(9)), null],
    ['an empty prime', 0x009e, vector16(), null],
    ['a hint that fills all', 0xd001, vector16(Buffer.alloc(500)).subarray(0, keyExchangeHeadBytes), null],
  ])('%s', (_what, cipher, body, group) => {
    expect(groupOfKeyExchange(cipher, body)).toEqual(group)
  })

  test('a prime of which only the head is there', () => {
    const body = vector16(Buffer.alloc(256, 0x80))
    expect(groupOfKeyExchange(0x009e, body.subarray(0, keyExchangeHeadBytes))).toEqual({ kind: 'dh', bits: 2048 })
  })

  test('cut short anywhere: never a wrong group', () => {
    for (const [cipher, body, group] of [[0xd001, Buffer.concat([hint, curve]), named], [0x00aa, Buffer.concat([hint, prime]), dh]] as const) {
      for (let end = 0; end < body.length; end++) expect([group, null]).toContainEqual(groupOfKeyExchange(cipher, body.subarray(0, end)))
    }
  })
})
