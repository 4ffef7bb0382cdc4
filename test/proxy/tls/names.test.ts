import { constants } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { cipherForbidden } from '../../../src/proxy/tls/cipher-policy.ts'
import { cipherSuites } from '../../../src/proxy/tls/cipher-suites.ts'
import { alertName, cipherSuiteName, groupName } from '../../../src/proxy/tls/names.ts'
import { opensslCiphers } from '../../support/tls-conversations.ts'
import { opensslVersion } from '../../support/tls-hellos-real.ts'

const everyCode = Array.from({ length: 0x10000 }, (_, code) => code)

describe('names', () => {
  test('of any number fit into a record', () => {
    const names = [
      ...everyCode.map(cipherSuiteName),
      ...everyCode.map(code => groupName({ kind: 'named', code })),
      ...everyCode.slice(0, 256).map(alertName),
      groupName({ kind: 'dh', bits: 8 * 0xffff }),
    ]
    for (const name of names) if (!/^[A-Za-z0-9_]{1,64}$/.test(name)) expect.unreachable(name)
  })

  test.each([
    [cipherSuiteName(0x0000), 'TLS_NULL_WITH_NULL_NULL'],
    [cipherSuiteName(0x1301), 'TLS_AES_128_GCM_SHA256'],
    [cipherSuiteName(0xc0b3), 'TLS_ECCPWD_WITH_AES_256_CCM_SHA384'],
    [cipherSuiteName(0xcca8), 'TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256'],
    [cipherSuiteName(0xd005), 'TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256'],
    [cipherSuiteName(0xd004), '0xd004'],
    [cipherSuiteName(0x0a0a), '0x0a0a'],
    [groupName({ kind: 'named', code: 23 }), 'secp256r1'],
    [groupName({ kind: 'named', code: 29 }), 'x25519'],
    [groupName({ kind: 'named', code: 33 }), 'brainpoolP512r1tls13'],
    [groupName({ kind: 'named', code: 41 }), 'curveSM2'],
    [groupName({ kind: 'named', code: 260 }), 'ffdhe8192'],
    [groupName({ kind: 'named', code: 0x11ec }), 'X25519MLKEM768'],
    [groupName({ kind: 'named', code: 0x6399 }), 'X25519Kyber768Draft00'],
    [groupName({ kind: 'named', code: 0x2a2a }), '0x2a2a'],
    [groupName({ kind: 'dh', bits: 2048 }), 'dh_2048'],
    [alertName(21), 'decryption_failed'],
    [alertName(48), 'unknown_ca'],
    [alertName(70), 'protocol_version'],
    [alertName(112), 'unrecognized_name'],
    [alertName(116), 'certificate_required'],
    [alertName(121), 'ech_required'],
    [alertName(200), '0xc8'],
  ])('%s', (name, expected) => {
    expect(name).toBe(expected)
  })

  test('no cipher suite is there twice, and the table is whole', () => {
    expect(new Set(cipherSuites.values()).size).toBe(cipherSuites.size)
    expect(cipherSuites.size).toBe(368)
  })

  // LibreSSL lists suites in other words.
  test.skipIf(opensslVersion === null)('of cipher suites, as openssl has them', () => {
    expect(opensslCiphers().length).toBeGreaterThan(100)
    for (const { code, standard } of opensslCiphers()) expect([code, cipherSuiteName(code)]).toEqual([code, standard])
  })
})

describe('forbidden suites', () => {
  test('no encryption, nobody named, keys for export', () => {
    const forbidden = everyCode.filter(cipherForbidden)
    const ranges = [
      [0x00, 0x03], [0x06], [0x08], [0x0b], [0x0e], [0x11], [0x14], [0x17, 0x1c], [0x26, 0x2e], [0x34], [0x3a, 0x3b], [0x46], [0x60, 0x65], [0x6c, 0x6d],
      [0x82, 0x83], [0x89], [0x9b], [0xa6, 0xa7], [0xb0, 0xb1], [0xb4, 0xb5], [0xb8, 0xb9], [0xbf], [0xc5], [0xc001], [0xc006], [0xc00b], [0xc010],
      [0xc015, 0xc019], [0xc039, 0xc03b], [0xc046, 0xc047], [0xc05a, 0xc05b], [0xc084, 0xc085], [0xc0b4, 0xc0b5], [0xff87],
    ]
    expect(forbidden).toEqual(ranges.flatMap(([first = 0, last = first]) => everyCode.slice(first, last + 1)))
  })

  // LibreSSL lists suites in other words.
  test.skipIf(opensslVersion === null)('all that openssl files under them', () => {
    const weak = opensslCiphers().filter(({ name }) => /NULL|^ADH|^AECDH|EXP/.test(name))
    expect(weak.length).toBeGreaterThan(20)
    for (const { code, name } of opensslCiphers()) expect([name, cipherForbidden(code)]).toEqual([name, weak.some(suite => suite.name === name)])
  })

  test('what Node offers by default is allowed', () => {
    const offered = constants.defaultCoreCipherList.split(':').filter(name => name.startsWith('TLS_'))
    expect(offered.length).toBeGreaterThan(2)
    for (const [code, name] of cipherSuites) if (offered.includes(name)) expect([name, cipherForbidden(code)]).toEqual([name, false])
  })
})
