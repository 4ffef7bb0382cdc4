/** openssl s_client: the client with the most switches. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { catchOpensslHello, opensslVersion } from '../../support/tls-hellos-real.ts'
import type { Expected } from '../../support/tls-hellos-vectors.ts'
import {
  type Client,
  earlyData,
  type Hello,
  name,
  preSharedKey,
  sessionTicket,
  statusRequest,
  tls12,
  tls12And13,
  tls13,
} from './client.ts'
import { startSessionServer } from './server.ts'

const both = '-min_protocol TLSv1.2 -max_protocol TLSv1.3'
const named = `-servername ${name}`
const longName = `${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.vector.example`
const manyProtocols = Array.from({ length: 30 }, (_, index) => `protocol-${index}`)
const plain: Expected = { sni: name, alpn: [], tls_versions: tls12And13 }

export const openssl: Client = {
  name: 'openssl',
  version: opensslVersion,
  async hellos(scratch) {
    const [oldSession, session, early] = ['tls12.session', 'tls13.session', 'early-data'].map(file =>
      join(scratch, file),
    ) as [string, string, string]
    using server = await startSessionServer(scratch, '-early_data')
    await visit(server.port, `${named} -tls1_2`, oldSession)
    await visit(server.port, `${named} -tls1_3`, session)
    writeFileSync(early, 'GET / HTTP/1.0\r\n\r\n')
    return [
      ...plainHellos,
      hello('ticket of TLS 1.2', `${named} -tls1_2 -sess_in ${oldSession}`, {
        ...plain,
        tls_versions: tls12,
        supported_versions: null,
        extensions_among: [sessionTicket],
      }),
      hello('PSK of TLS 1.3', `${named} -tls1_3 -sess_in ${session}`, {
        ...plain,
        tls_versions: tls13,
        extensions_among: [preSharedKey],
      }),
      hello('early data', `${named} -tls1_3 -sess_in ${session} -early_data ${early}`, {
        ...plain,
        tls_versions: tls13,
        extensions_among: [earlyData, preSharedKey],
      }),
    ]
  },
}

const plainHellos: readonly Hello[] = [
  hello('TLS 1.2 and 1.3', `${both} ${named}`, plain),
  hello('TLS 1.2 only', `-tls1_2 ${named}`, { ...plain, tls_versions: tls12, supported_versions: null }),
  hello('TLS 1.3 only', `-tls1_3 ${named}`, { ...plain, tls_versions: tls13, supported_versions: ['0304'] }),
  hello('TLS 1.1 only', `-tls1_1 -cipher DEFAULT@SECLEVEL=0 ${named}`, {
    ...plain,
    tls_versions: ['TLSv1.1'],
    legacy_version: '0302',
    supported_versions: null,
  }),
  hello('TLS 1.0 only', `-tls1 -cipher DEFAULT@SECLEVEL=0 ${named}`, {
    ...plain,
    tls_versions: ['TLSv1'],
    legacy_version: '0301',
    supported_versions: null,
  }),
  hello('no name', `${both} -noservername`, { ...plain, sni: null }),
  hello('name in capitals', `${both} -servername ${name.toUpperCase()}`, plain),
  hello('ALPN', `${both} ${named} -alpn h2,http/1.1`, { ...plain, alpn: ['h2', 'http/1.1'] }),
  hello('groups', `${both} ${named} -groups X25519:P-256:X448:P-521:P-384`, {
    ...plain,
    supported_groups: ['001d', '0017', '001e', '0019', '0018'],
  }),
  hello('one group', `${both} ${named} -groups P-384`, { ...plain, supported_groups: ['0018'] }),
  hello('signature algorithms', `-tls1_2 ${named} -sigalgs ECDSA+SHA256:RSA+SHA256:ECDSA+SHA512`, {
    ...plain,
    tls_versions: tls12,
    signature_algorithms: ['0403', '0401', '0603'],
  }),
  hello('one cipher suite', `-tls1_3 ${named} -ciphersuites TLS_CHACHA20_POLY1305_SHA256`, { ...plain, tls_versions: tls13 }),
  hello('OCSP', `${both} ${named} -status`, { ...plain, extensions_among: [statusRequest] }),
  hello('pre-shared key', `-tls1_3 ${named} -psk 1a2b3c4d`, {
    ...plain,
    tls_versions: tls13,
    extensions_among: [preSharedKey],
  }),
  hello(
    'records of 512 bytes',
    `${both} -servername ${longName} -alpn ${manyProtocols.join()} -max_send_frag 512 -split_send_frag 512`,
    {
      ...plain,
      sni: longName,
      alpn: manyProtocols,
    },
  ),
]

function words(options: string): string[] {
  return options.split(' ')
}

function hello(name: string, options: string, expected: Expected): Hello {
  // Where the scratch folder was is nobody's business.
  const shown = options.replaceAll(/\/\S+\//g, '')
  return { name, options: `openssl s_client ${shown}`, expected, caught: () => catchOpensslHello(words(options)) }
}

/** Stays until the session is written: tickets of TLS 1.3 come after the handshake. */
async function visit(port: number, options: string, sessionFile: string): Promise<void> {
  const args = ['s_client', '-connect', `127.0.0.1:${port}`, ...words(options), '-sess_out', sessionFile]
  const child = spawn('openssl', args, { stdio: ['pipe', 'ignore', 'ignore'] })
  const ended = once(child, 'exit')
  while (child.exitCode === null && !existsSync(sessionFile)) await wait(20)
  child.kill()
  await ended
}
