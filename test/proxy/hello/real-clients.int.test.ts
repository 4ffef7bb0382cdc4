import { describe, expect, test } from 'vitest'
import { cut } from '../../support/tls-hellos.ts'
import { helloOf, judge, judgeByteByByte, judgeChunks } from '../../support/tls-hellos-judge.ts'
import { curlArguments } from '../../conformance/clients/curl.ts'
import { pythonScript, pythonVersion } from '../../conformance/clients/python.ts'
import { catchCommandHello, catchNodeHello, catchOpensslHello, opensslVersion, versionOf } from '../../support/tls-hellos-real.ts'

/** The hello of a capture, the same however it was cut; and every strict prefix says nothing. */
function readEveryWay(chunks: Buffer[]) {
  const wire = Buffer.concat(chunks)
  const verdict = judge(wire)
  expect(judgeChunks(chunks)).toEqual(verdict)
  expect(judgeByteByByte(wire)).toEqual(verdict)
  expect(judgeChunks(cut(wire, [Math.ceil(wire.length / 2)]))).toEqual(verdict)
  for (let length = 0; length < helloOf(verdict).wireBytes; length++) {
    expect(judge(wire.subarray(0, length)).kind).toBe('incomplete')
  }
  expect(helloOf(verdict).wireBytes).toBe(wire.length)
  return helloOf(verdict)
}

describe('node:tls', () => {
  test('TLS 1.3 with ALPN and a name in capitals', async () => {
    const hello = readEveryWay(
      await catchNodeHello({ servername: 'Api.Vector.EXAMPLE', minVersion: 'TLSv1.3', ALPNProtocols: ['h2', 'http/1.1'] }),
    )
    expect(hello).toMatchObject({
      serverName: 'api.vector.example',
      matchName: 'api.vector.example',
      serverNameKind: 'name',
      serverNameBytes: 18,
      trailingDot: false,
      alpn: ['h2', 'http/1.1'],
      alpnFirstRaw: 'h2',
      legacyVersion: 0x0303,
      supportedVersions: [0x0304],
      tlsVersions: ['TLSv1.3'],
      recordCount: 1,
      echOffered: false,
    })
    expect(hello.cipherSuites).toEqual(expect.arrayContaining([0x1301, 0x1302]))
    expect(hello.extensions).toEqual(expect.arrayContaining([0x0000, 0x0010, 0x002b, 0x0033]))
    expect(hello.signatureAlgorithms).toContain(0x0804)
    expect(hello.supportedGroups).toContain(0x001d)
  })

  test('TLS 1.2 and 1.3', async () => {
    const hello = readEveryWay(await catchNodeHello({ servername: 'api.vector.example' }))
    expect(hello.supportedVersions).toEqual([0x0304, 0x0303])
    expect(hello.tlsVersions).toEqual(['TLSv1.3', 'TLSv1.2'])
    expect(hello.alpn).toEqual([])
    expect(hello.alpnFirstRaw).toBeNull()
  })

  test('TLS 1.2 at most: no supported_versions', async () => {
    const hello = readEveryWay(await catchNodeHello({ servername: 'old.vector.example', maxVersion: 'TLSv1.2' }))
    expect(hello.supportedVersions).toBeNull()
    expect(hello.tlsVersions).toEqual(['TLSv1.2'])
    expect(hello.matchName).toBe('old.vector.example')
  })

  test('no server name', async () => {
    const hello = readEveryWay(await catchNodeHello({}))
    expect(hello).toMatchObject({ serverName: null, serverNameKind: 'none', matchName: null, serverNameBytes: 0 })
    expect(hello.extensions).not.toContain(0x0000)
  })
})

describe.skipIf(opensslVersion === null)('openssl s_client (skipped where the openssl command is not OpenSSL)', () => {
  test('name and ALPN', async () => {
    const hello = readEveryWay(await catchOpensslHello(['-servername', 'api.vector.example', '-alpn', 'h2,acme-tls/1']))
    expect(hello.matchName).toBe('api.vector.example')
    expect(hello.alpn).toEqual(['h2', 'acme-tls/1'])
    expect(hello.tlsVersions.slice(0, 2)).toEqual(['TLSv1.3', 'TLSv1.2'])
  })

  test('TLS 1.2 without a name', async () => {
    const hello = readEveryWay(await catchOpensslHello(['-tls1_2', '-noservername']))
    expect(hello.serverNameKind).toBe('none')
    expect(hello.tlsVersions).toEqual(['TLSv1.2'])
  })

  test('a hello that the client itself spreads over several records', async () => {
    const name = `${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.vector.example`
    const protocols = Array.from({ length: 30 }, (_, index) => `protocol-${index}`).join()
    const hello = readEveryWay(
      await catchOpensslHello(['-servername', name, '-alpn', protocols, '-max_send_frag', '512', '-split_send_frag', '512']),
    )
    expect(hello.matchName).toBe(name)
    expect(hello.alpn).toHaveLength(30)
    expect(hello.recordCount).toBeGreaterThan(1)
  })
})

const host = 'api.vector.example'

describe.skipIf(versionOf('curl') === null)('curl (skipped where there is no curl command)', () => {
  const caught = (options: string, to = host) => catchCommandHello('curl', port => curlArguments(options, to, port))

  test('name, ALPN and versions', async () => {
    const hello = readEveryWay(await caught('--tlsv1.2 --http1.1'))
    expect(hello).toMatchObject({ matchName: host, alpn: ['http/1.1'] })
    expect(hello.tlsVersions).toContain('TLSv1.2')
  })

  test('an address has no name', async () => {
    expect(readEveryWay(await caught('--tls-max 1.2', '127.0.0.1'))).toMatchObject({ serverNameKind: 'none', tlsVersions: ['TLSv1.2'] })
  })
})

describe.skipIf(pythonVersion === null)('Python (skipped where there is no python3 with the ssl module)', () => {
  const caught = (settings: string, to = `'${host}'`) => catchCommandHello('python3', port => ['-c', pythonScript(port, settings, to)])

  test('name, ALPN and versions', async () => {
    const hello = readEveryWay(await caught(`context.set_alpn_protocols(['postgresql', 'x'])`))
    expect(hello).toMatchObject({ matchName: host, alpn: ['postgresql', 'x'], tlsVersions: ['TLSv1.3', 'TLSv1.2'] })
  })

  test('TLS 1.2 without a name', async () => {
    const hello = readEveryWay(await caught('context.maximum_version = ssl.TLSVersion.TLSv1_2', 'None'))
    expect(hello).toMatchObject({ serverNameKind: 'none', tlsVersions: ['TLSv1.2'] })
  })
})
