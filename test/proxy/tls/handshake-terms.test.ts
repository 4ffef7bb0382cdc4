import { describe, expect, test } from 'vitest'
import { examinedBytesMax } from '../../../src/proxy/tls/record-walk.ts'
import {
  alert, changeCipherSpec, clientHello, encrypted, flight12, keyShare, message, retryRequest, serverHello, serverHello13,
} from '../../support/tls-conversations-made.ts'
import { backend, client, outcome } from '../../support/tls-conversations-play.ts'
import { extension, handshake, record } from '../../support/tls-hellos.ts'

/** What ends a connection: of a backend everything until its ServerHello is judged, of a client at most its first record. */

describe('the first bytes of a backend', () => {
  test.each([
    ['HTTP', Buffer.from('HTTP/1.1 400'), 1],
    ['SSH', Buffer.from('SSH-2.0'), 1],
    ['an SSLv2 hello', Buffer.from([0x80, 0x20, 4, 0]), 1],
    ['encrypted data', encrypted(50), 1],
    ['ChangeCipherSpec', changeCipherSpec, 1],
    ['a record of version 2', Buffer.from([0x16, 2, 0]), 2],
    ['an empty record', record(Buffer.alloc(0)), 5],
    ['a record too long', Buffer.from([0x16, 3, 3, 0x40, 0x01]), 5],
    ['an alert of one byte', record(Buffer.from([2]), 21), 5],
    ['a Certificate', message(11), 6],
    ['a HelloRequest with a body', message(0), 9],
    ['a ServerHello too long', Buffer.from([0x16, 3, 3, 0x40, 0, 2, 0, 0x40, 0x01]), 9],
    ['a ServerHello too short', Buffer.from([0x16, 3, 3, 0, 50, 2, 0, 0, 37]), 9],
  ])('%s: not TLS, as soon as it shows', (_what, bytes, shows) => {
    expect(outcome([client(clientHello), backend(bytes)])).toMatchObject({ verdict: 'backend_not_tls', facts: { handshake: 'none', version: null } })
    expect(outcome([backend(bytes.subarray(0, shows - 1))])).toMatchObject({ verdict: null, done: false })
    expect(outcome([backend(bytes.subarray(0, shows))]).verdict).toBe('backend_not_tls')
  })

  test.each(['HTTP/1.1 400', '\x17\x03\x03'])('no TLS where that is allowed: nothing to watch (%j)', text => {
    const allowed = outcome([client(clientHello), backend(Buffer.from(text, 'latin1')), client(alert(0))], { plaintextAllowed: true })
    expect(allowed).toMatchObject({ verdict: null, done: true, facts: { handshake: 'none', version: null, alerts: [] } })
  })

  test('TLS where none is needed is watched all the same', () => {
    expect(outcome([backend(serverHello({ cipher: 2 }))], { plaintextAllowed: true }).verdict).toBe('cipher_forbidden')
  })

  test.each([
    ['ChangeCipherSpec', changeCipherSpec],
    ['encrypted data', encrypted(50)],
    ['a heartbeat', record(Buffer.alloc(30), 24)],
    ['bytes that are no record', Buffer.from('HTTP/1.1')],
  ])('%s between an alert or half a ServerHello and the rest: not TLS', (_what, bytes) => {
    expect(outcome([backend(alert(112, 1), bytes)]).verdict).toBe('backend_not_tls')
    const half = handshake(2, Buffer.alloc(60)).subarray(0, 30)
    expect(outcome([backend(record(half), bytes)]).verdict).toBe('backend_not_tls')
  })

  test('a ServerHello that is malformed: not TLS', () => {
    const malformed = serverHello({ extensions: [extension(23), extension(23)] })
    expect(outcome([backend(malformed)])).toMatchObject({ verdict: 'backend_not_tls', facts: { handshake: 'none', version: null } })
  })

  test('nothing is learnt from what stands behind, in the same record', () => {
    for (const bodyBytes of [0, 9]) {
      const both = record(Buffer.concat([handshake(11, Buffer.alloc(bodyBytes)), serverHello().subarray(5)]))
      expect(outcome([backend(both)])).toMatchObject({ verdict: 'backend_not_tls', facts: { handshake: 'none', version: null } })
    }
  })

  test('any number of HelloRequests up to the bound, and then it is ended', () => {
    const request = message(0, Buffer.alloc(0))
    expect(outcome([backend(request, request, serverHello())])).toMatchObject({ verdict: null, facts: { handshake: 'server_hello' } })
    const many = Buffer.alloc(examinedBytesMax, request)
    expect(outcome([backend(many.subarray(0, -1))]).verdict).toBe(null)
    expect(outcome([backend(many)]).verdict).toBe('backend_not_tls')
  })
})

describe('a choice that must not be', () => {
  test('is judged with the last byte of the ServerHello, and in the chunk that holds more', () => {
    const hello = serverHello({ cipher: 0x0002, extensions: [] })
    expect(outcome([backend(hello.subarray(0, -1))])).toMatchObject({ verdict: null, facts: { handshake: 'none' } })
    const ended = { verdict: 'cipher_forbidden', facts: { cipher: 2, version: 0x0303, handshake: 'server_hello' } }
    expect(outcome([backend(hello)])).toMatchObject(ended)
    expect(outcome([backend(hello, ...flight12)])).toMatchObject(ended)
  })

  test.each([
    [0x0300, 0x0301, 'tls_version_too_low'],
    [0x0302, 0x0303, 'tls_version_too_low'],
    [0x0303, 0x0303, null],
    [0x0305, 0x0301, 'tls_version_too_low'],
    [0x0a0a, 0x0301, 'tls_version_too_low'],
    [0x0002, 0x0301, 'tls_version_too_low'],
    [0x0300, null, null],
    [0x0305, null, null],
  ])('legacy version %i with the minimum %s: %s', (legacyVersion, minTlsVersion, verdict) => {
    expect(outcome([backend(serverHello({ legacyVersion }))], { minTlsVersion })).toMatchObject({ verdict, facts: { version: legacyVersion } })
  })

  test.each([
    [0x0304, null],
    [0x7f1c, 'tls_version_too_low'],
    [0x7a7a, 'tls_version_too_low'],
  ])('%i in supported_versions with the minimum TLS 1.3: %s', (version, verdict) => {
    const facts = { version }
    expect(outcome([backend(serverHello13(0x1301, [keyShare(29)], version))], { minTlsVersion: 0x0304 })).toMatchObject({ verdict, facts })
  })

  test('the version comes before the cipher suite', () => {
    expect(outcome([backend(serverHello({ legacyVersion: 0x0301, cipher: 0 }))], { minTlsVersion: 0x0302 }).verdict).toBe('tls_version_too_low')
  })

  test('a HelloRetryRequest is judged like a ServerHello, and so is the ServerHello after it', () => {
    expect(outcome([backend(retryRequest(0xc0b4))])).toMatchObject({ verdict: 'cipher_forbidden', facts: { helloRetryRequest: true, handshake: 'none' } })
    expect(outcome([backend(retryRequest(), changeCipherSpec, serverHello13(0x1301, [keyShare(24)], 0x7f1c))])).toMatchObject({ verdict: 'backend_not_tls' })
  })

  test.each([
    ['a second one', [retryRequest()]],
    ['another suite than it asked for', [serverHello13(0x1302)]],
    ['another version', [serverHello()]],
  ])('after a HelloRetryRequest, %s is no answer', (_what, said) => {
    expect(outcome([backend(retryRequest(0x1301), ...said)]).verdict).toBe('backend_not_tls')
  })

  test('a ChangeCipherSpec after a HelloRetryRequest has one byte', () => {
    expect(outcome([backend(retryRequest(), record(Buffer.from([1, 1]), 20))]).verdict).toBe('backend_not_tls')
  })

  test('a client that floods before the answer does not end the watch', () => {
    const flood = Buffer.alloc(2 * examinedBytesMax, encrypted(16_000))
    const judged = outcome([client(clientHello, flood), backend(serverHello({ cipher: 0 }))])
    expect(judged).toMatchObject({ verdict: 'cipher_forbidden' })
  })
})

describe('a client of which nothing was read in time', () => {
  const terms = { clientUnread: true, sessionId: null }

  test.each([
    ['text', Buffer.from('GET / HTTP/1.1')],
    ['one byte of it', Buffer.from('G')],
    ['the format of SSLv2', Buffer.from('802e0103', 'hex')],
    ['application data', encrypted(40)],
    ['an alert', alert(0)],
    ['another major version', Buffer.from('1602', 'hex')],
    ['an empty record', Buffer.from('1603010000', 'hex')],
    ['a record too long', Buffer.from('160301ffff', 'hex')],
    ['another message', Buffer.from('160301000141', 'hex')],
  ])('%s: no TLS', (_what, said) => {
    expect(outcome([client(said)], terms)).toMatchObject({ verdict: 'client_not_tls', done: true })
  })

  test('a hello after all', () => {
    const said = [client(clientHello), backend(serverHello13(), encrypted(99)), client(encrypted(53))]
    expect(outcome(said, terms)).toMatchObject({ verdict: null, facts: { handshake: 'inferred_complete' } })
  })

  test('after its first byte it is not judged any more', () => {
    expect(outcome([client(clientHello, Buffer.from('GET'))], terms).verdict).toBe(null)
  })

  test('others are not judged', () => {
    expect(outcome([client(Buffer.from('GET / HTTP/1.1'))]).verdict).toBe(null)
  })
})
