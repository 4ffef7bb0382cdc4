/** curl, whose hellos are those of the TLS library it was built with and of its own defaults. */
import { catchCommandHello, versionOf } from '../../support/tls-hellos-real.ts'
import type { Expected } from '../../support/tls-hellos-vectors.ts'
import { type Client, type Hello, name, tls12, tls12And13, tls13 } from './client.ts'

const http1 = ['http/1.1']
const plain: Expected = { sni: name, alpn: http1, tls_versions: tls12And13 }

export const curl: Client = {
  name: 'curl',
  version: versionOf('curl'),
  hellos: () =>
    Promise.resolve([
      hello('HTTP/1.1', '--tlsv1.2 --http1.1', plain),
      hello('HTTP/2', '--tlsv1.2 --http2', { ...plain, alpn: ['h2', 'http/1.1'] }),
      hello('no ALPN', '--tlsv1.2 --no-alpn', { ...plain, alpn: [] }),
      hello('TLS 1.2 at most', '--tlsv1.2 --tls-max 1.2 --http1.1', {
        ...plain,
        tls_versions: tls12,
        supported_versions: null,
      }),
      hello('TLS 1.3 only', '--tlsv1.3 --http1.1', { ...plain, tls_versions: tls13 }),
      hello('groups', '--tlsv1.2 --http1.1 --curves X25519:P-256', { ...plain, supported_groups: ['001d', '0017'] }),
      hello('to an address', '--tlsv1.2 --http1.1', { ...plain, sni: null }, '127.0.0.1'),
    ]),
}

function hello(title: string, options: string, expected: Expected, host: string = name): Hello {
  return {
    name: title,
    options: `curl ${options} https://${host}/`,
    expected,
    caught: () => catchCommandHello('curl', port => curlArguments(options, host, port)),
  }
}

export function curlArguments(options: string, host: string, port: number): string[] {
  return [
    '--disable',
    '--noproxy',
    '*',
    '--insecure',
    '--resolve',
    `${name}:${port}:127.0.0.1`,
    ...options.split(' '),
    `https://${host}:${port}/`,
  ]
}
