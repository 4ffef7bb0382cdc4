import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ConnectionClosedData } from '../../events/connection.ts'
import { certificate } from '../support/certificates.ts'
import { closedPort } from '../support/peers.ts'
import { startRig, type Rig } from '../support/rig.ts'
import { opensslVersion } from '../support/tls-hellos-real.ts'

/**
 * What is on record of a handshake is what `openssl s_client` says of it, which holds the keys: version, cipher suite,
 * group of the key exchange, resumption, HelloRetryRequest and alerts.
 */

/** What s_client printed, in IANA's names. */
interface Said {
  readonly version: string
  readonly cipher: string
  readonly group: string | null
  readonly resumed: boolean
}

/** As s_client calls groups, to IANA's names. */
const groups: Readonly<Record<string, string>> = {
  'X25519, 253 bits': 'x25519',
  'X448, 448 bits': 'x448',
  'ECDH, prime256v1, 256 bits': 'secp256r1',
  'ECDH, secp384r1, 384 bits': 'secp384r1',
  'ECDH, secp521r1, 521 bits': 'secp521r1',
  'ECDH, brainpoolP256r1, 256 bits': 'brainpoolP256r1',
  'DH, 2048 bits': 'dh_2048',
}

const folder = mkdtempSync(join(tmpdir(), 'waybill-facts-'))
const standardNames = new Map<string, string>()

beforeAll(() => {
  const { cert, key } = certificate('app.example.test')
  writeFileSync(join(folder, 'cert.pem'), cert)
  writeFileSync(join(folder, 'key.pem'), key)
  execFileSync('openssl', [
    'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', join(folder, 'rsa-key.pem'), '-out', join(folder, 'rsa-cert.pem'),
    '-subj', '/CN=app.example.test',
  ], { stdio: 'ignore' })
  const { stdout } = spawnSync('openssl', ['ciphers', '-stdname', 'ALL:COMPLEMENTOFALL:@SECLEVEL=0'], { encoding: 'utf8' })
  // Those of TLS 1.3 have one name, whether or not they are on by default.
  for (const name of ['TLS_AES_128_CCM_SHA256', 'TLS_AES_128_CCM_8_SHA256']) standardNames.set(name, name)
  for (const [, standard, own] of stdout.matchAll(/^(\S+) +- +(\S+)/gm)) standardNames.set(own!, standard!)
})
afterAll(() => rmSync(folder, { recursive: true }))

interface Stand extends AsyncDisposable {
  readonly rig: Rig
  /** Runs s_client through the proxy and resolves with what it said and what was then put on record. */
  client(...options: string[]): Promise<{ readonly said: Said; readonly output: string; readonly closed: ConnectionClosedData }>
}

async function stand(...serverOptions: string[]): Promise<Stand> {
  const port = await closedPort()
  const server = spawn('openssl', [
    's_server', '-accept', `127.0.0.1:${port}`, '-cert', join(folder, 'cert.pem'), '-key', join(folder, 'key.pem'), '-dcert',
    join(folder, 'rsa-cert.pem'), '-dkey', join(folder, 'rsa-key.pem'), '-quiet', '-rev', ...serverOptions,
  ], { stdio: ['pipe', 'pipe', 'pipe'] })
  const rig = await startRig()
  await rig.addPool({ backends: [{ port }] })
  let told = 0
  await untilListening(port)
  return {
    rig,
    async client(...options) {
      const client = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${rig.port}`, '-servername', 'app.example.test', ...options])
      let output = ''
      client.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString()
        // s_server -rev sends every line back reversed: the handshake is over, and tickets have come.
        if (output.includes('gnip')) client.stdin.end()
      })
      client.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
      client.stdin.on('error', () => {})
      client.stdin.write('ping\n')
      await once(client, 'close')
      told += 1
      const closings = await closingsOf(rig, told)
      return { said: saidBy(output), output, closed: closings[told - 1]! }
    },
    async [Symbol.asyncDispose]() {
      server.kill()
      await once(server, 'close')
      await rig[Symbol.asyncDispose]()
    },
  }
}

/** s_server takes one client after the other, so a connection made to see whether it is there would be one too many. */
async function untilListening(port: number): Promise<void> {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0')
  for (;;) {
    const { stdout } = spawnSync('cat', ['/proc/net/tcp'], { encoding: 'utf8' })
    if (new RegExp(`^ *\\d+: 0100007F:${wanted} \\S+ 0A `, 'm').test(stdout)) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

async function closingsOf(rig: Rig, count: number): Promise<ConnectionClosedData[]> {
  for (;;) {
    const found = (await rig.records('connections')).flatMap((event) => (event.type === 'dev.waybill.connection.closed.v1' ? [event.data] : []))
    if (found.length >= count) return found
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

function saidBy(output: string): Said {
  const [, state, version, cipher] = /^(New|Reused), (\S+), Cipher is (\S+)/m.exec(output) ?? []
  const protocol = /^ {4}Protocol {2}: (\S+)/m.exec(output)?.[1] ?? version
  const key = /^(?:Server|Peer) Temp Key: (.*)$/m.exec(output)?.[1]
  return {
    version: protocol ?? 'none',
    cipher: standardNames.get(cipher ?? '') ?? `unknown: ${cipher}`,
    group: key === undefined ? null : (groups[key] ?? key),
    resumed: state === 'Reused',
  }
}

describe.skipIf(opensslVersion === null)('what openssl s_client says (skipped where the openssl command is not OpenSSL)', () => {
  test.each([
    ['TLS 1.3', ['-tls1_3', '-ciphersuites', 'TLS_AES_128_GCM_SHA256', '-groups', 'X25519'], []],
    ['TLS 1.3', ['-tls1_3', '-ciphersuites', 'TLS_AES_256_GCM_SHA384', '-groups', 'P-256'], []],
    ['TLS 1.3', ['-tls1_3', '-ciphersuites', 'TLS_CHACHA20_POLY1305_SHA256', '-groups', 'P-384'], []],
    ['TLS 1.3', ['-tls1_3', '-ciphersuites', 'TLS_AES_128_CCM_SHA256', '-groups', 'X448'], ['-ciphersuites', 'TLS_AES_128_CCM_SHA256']],
    ['TLS 1.2', ['-tls1_2', '-cipher', 'ECDHE-ECDSA-AES128-GCM-SHA256', '-groups', 'X25519:P-256'], []],
    ['TLS 1.2', ['-tls1_2', '-cipher', 'ECDHE-RSA-AES256-GCM-SHA384', '-groups', 'P-521'], []],
    ['TLS 1.2', ['-tls1_2', '-cipher', 'ECDHE-RSA-CHACHA20-POLY1305', '-groups', 'brainpoolP256r1'], ['-groups', 'brainpoolP256r1']],
    ['TLS 1.2', ['-tls1_2', '-cipher', 'DHE-RSA-AES128-GCM-SHA256'], ['-cipher', 'DHE-RSA-AES128-GCM-SHA256']],
    ['TLS 1.2 without forward secrecy', ['-tls1_2', '-cipher', 'AES128-GCM-SHA256'], []],
    ['TLS 1.1', ['-tls1_1', '-cipher', 'DEFAULT:@SECLEVEL=0'], ['-cipher', 'DEFAULT:@SECLEVEL=0']],
    ['TLS 1.0', ['-tls1', '-cipher', 'DEFAULT:@SECLEVEL=0'], ['-cipher', 'DEFAULT:@SECLEVEL=0']],
  ])('%s with %j', async (_, clientOptions, serverOptions) => {
    await using through = await stand(...serverOptions)
    const { said, closed } = await through.client(...clientOptions)
    expect(said.cipher).toMatch(/^TLS_/)
    const { cipher, group, handshake, hello_retry_request, resumed, version } = closed.tls!
    expect({ cipher, group, resumed, version }).toEqual(said)
    expect({ handshake, hello_retry_request }).toEqual({ handshake: 'inferred_complete', hello_retry_request: false })
  })

  test('HelloRetryRequest', async () => {
    await using through = await stand('-groups', 'P-384')
    const { said, closed } = await through.client('-tls1_3', '-groups', 'X25519:P-384')
    expect(said).toMatchObject({ version: 'TLSv1.3', group: 'secp384r1' })
    expect(closed.tls).toEqual({
      alerts: [], cipher: said.cipher, group: 'secp384r1', handshake: 'inferred_complete', hello_retry_request: true, resumed: false, version: 'TLSv1.3',
    })
  })

  test.each([
    ['TLS 1.3', ['-tls1_3'], []],
    ['TLS 1.2 by ticket', ['-tls1_2'], []],
    ['TLS 1.2 by session id', ['-tls1_2', '-no_ticket'], ['-no_ticket']],
  ])('resumption in %s', async (_, clientOptions, serverOptions) => {
    await using through = await stand(...serverOptions)
    const session = join(folder, 'session.pem')
    const first = await through.client(...clientOptions, '-sess_out', session)
    const second = await through.client(...clientOptions, '-sess_in', session)
    expect([first.said.resumed, first.closed.tls!.resumed]).toEqual([false, false])
    expect([second.said.resumed, second.closed.tls!.resumed]).toEqual([true, true])
    expect(second.closed.tls).toMatchObject({ cipher: second.said.cipher, version: second.said.version, handshake: 'inferred_complete' })
  })

  test('a client that does not trust the backend says so in the clear in TLS 1.2', async () => {
    await using through = await stand()
    const { output, closed } = await through.client('-tls1_2', '-verify_return_error', '-no-CAfile', '-no-CApath', '-no-CAstore')
    expect(output).toMatch(/verify error/)
    expect(closed.tls).toMatchObject({ alerts: [{ by: 'client', code: 48, name: 'unknown_ca' }], handshake: 'server_hello', version: 'TLSv1.2' })
  })

  test('no suite in common: the backend\'s alert', async () => {
    await using through = await stand('-cipher', 'ECDHE-RSA-AES256-GCM-SHA384', '-tls1_2')
    const { closed } = await through.client('-tls1_2', '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256')
    expect(closed.tls).toMatchObject({ alerts: [{ by: 'backend', code: 40, name: 'handshake_failure' }], cipher: null, handshake: 'none' })
  })
})
