/** Go's crypto/tls, through hello.go. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { catchCommandHello, versionOf } from '../../support/tls-hellos-real.ts'
import type { Expected } from '../../support/tls-hellos-vectors.ts'
import { type Client, type Hello, name, preSharedKey, tls12, tls12And13, tls13 } from './client.ts'
import { startSessionServer } from './server.ts'

const named = `-name ${name}`
const plain: Expected = { sni: name, alpn: [], tls_versions: tls12And13 }

export const go: Client = {
  name: 'go',
  version: versionOf('go', ['version']),
  async hellos(scratch) {
    const binary = join(scratch, 'hello')
    execFileSync('go', ['build', '-o', binary, join(import.meta.dirname, 'hello.go')], { stdio: 'inherit' })
    const hello = (title: string, options: string, expected: Expected): Hello => ({
      name: title,
      options: `crypto/tls, hello.go ${options}`,
      expected,
      caught: () => greeted(binary, options.split(' ')),
    })
    return [
      hello('as it comes', named, plain),
      hello('TLS 1.2 at most', `${named} -max 771`, { ...plain, tls_versions: tls12 }),
      hello('TLS 1.3 only', `${named} -min 772`, { ...plain, tls_versions: tls13 }),
      hello('TLS 1.0 to 1.3', `${named} -min 769`, { ...plain, tls_versions: ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] }),
      hello('ALPN', `${named} -alpn h2,http/1.1`, { ...plain, alpn: ['h2', 'http/1.1'] }),
      hello('X25519 and P-256', `${named} -classical`, { ...plain, supported_groups: ['001d', '0017'] }),
      hello('an address for a name', '-name 192.0.2.7', { ...plain, sni: null }),
      {
        name: 'PSK of TLS 1.3',
        options: `crypto/tls, hello.go ${named} -visit`,
        expected: { ...plain, extensions_among: [preSharedKey] },
        async caught() {
          using server = await startSessionServer(scratch, '-www')
          return await greeted(binary, [...named.split(' '), '-visit', `127.0.0.1:${server.port}`])
        },
      },
    ]
  },
}

function greeted(binary: string, options: readonly string[]): Promise<Buffer[]> {
  return catchCommandHello(binary, port => ['-address', `127.0.0.1:${port}`, ...options])
}
