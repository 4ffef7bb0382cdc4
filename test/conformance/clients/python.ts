/** Python's ssl module and its http.client. */
import { catchCommandHello, versionOf } from '../../support/tls-hellos-real.ts'
import type { Expected } from '../../support/tls-hellos-vectors.ts'
import { type Client, type Hello, name, tls12, tls12And13, tls13 } from './client.ts'

const plain: Expected = { sni: name, alpn: [], tls_versions: tls12And13 }
const version12 = 'ssl.TLSVersion.TLSv1_2'
const version13 = 'ssl.TLSVersion.TLSv1_3'

export const pythonVersion = versionOf('python3', [
  '-c',
  'import platform, ssl; print("Python", platform.python_version() + ",", ssl.OPENSSL_VERSION)',
])

export const python: Client = {
  name: 'python',
  version: pythonVersion,
  hellos: () =>
    Promise.resolve([
      hello('as it comes', 'pass', plain),
      hello('TLS 1.2 at most', `context.maximum_version = ${version12}`, {
        ...plain,
        tls_versions: tls12,
        supported_versions: null,
      }),
      hello('TLS 1.3 only', `context.minimum_version = ${version13}`, { ...plain, tls_versions: tls13 }),
      hello('ALPN', `context.set_alpn_protocols(['h2', 'http/1.1'])`, { ...plain, alpn: ['h2', 'http/1.1'] }),
      hello('one curve', `context.set_ecdh_curve('prime256v1')`, { ...plain, supported_groups: ['0017'] }),
      hello('no name', 'pass', { ...plain, sni: null }, 'None'),
    ]),
}

function hello(title: string, settings: string, expected: Expected, host = `'${name}'`): Hello {
  return {
    name: title,
    options: `ssl.create_default_context(); ${settings}; wrap_socket(..., server_hostname=${host})`,
    expected,
    caught: () => catchCommandHello('python3', port => ['-c', pythonScript(port, settings, host)]),
  }
}

export function pythonScript(port: number, settings: string, host: string): string {
  return `
import socket, ssl
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
context.minimum_version = ${version12}
${settings}
with socket.create_connection(('127.0.0.1', ${port})) as raw:
    context.wrap_socket(raw, server_hostname=${host})
`
}
