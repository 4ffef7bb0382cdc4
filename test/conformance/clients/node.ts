/** Node's own node:tls, of the Node that runs the capture. */
import { once } from 'node:events'
import tls from 'node:tls'
import { catchNodeHello } from '../../support/tls-hellos-real.ts'
import type { Expected } from '../../support/tls-hellos-vectors.ts'
import { type Client, type Hello, name, preSharedKey, tls12, tls12And13, tls13 } from './client.ts'
import { startSessionServer } from './server.ts'

const plain: Expected = { sni: name, alpn: [], tls_versions: tls12And13 }

export const node: Client = {
  name: 'node',
  version: `Node.js ${process.version}, OpenSSL ${process.versions.openssl}`,
  async hellos(scratch) {
    using server = await startSessionServer(scratch, '-www')
    const session = await sessionOf(server.port)
    return [
      hello('as it comes', { servername: name }, plain),
      hello(
        'TLS 1.2 at most',
        { servername: name, maxVersion: 'TLSv1.2' },
        { ...plain, tls_versions: tls12, supported_versions: null },
      ),
      hello(
        'TLS 1.3 only',
        { servername: name, minVersion: 'TLSv1.3' },
        { ...plain, tls_versions: tls13, supported_versions: ['0304'] },
      ),
      hello('ALPN', { servername: name, ALPNProtocols: ['h2', 'http/1.1'] }, { ...plain, alpn: ['h2', 'http/1.1'] }),
      hello('no name', {}, { ...plain, sni: null }),
      hello(
        'groups',
        { servername: name, ecdhCurve: 'X25519:P-256:X25519MLKEM768' },
        { ...plain, supported_groups: ['001d', '0017', '11ec'] },
      ),
      {
        ...hello('PSK of TLS 1.3', { servername: name, session }, { ...plain, extensions_among: [preSharedKey] }),
        options: 'tls.connect({"servername":"api.vector.example","session":...})',
      },
    ]
  },
}

function hello(title: string, options: tls.ConnectionOptions, expected: Expected): Hello {
  return { name: title, options: `tls.connect(${JSON.stringify(options)})`, expected, caught: () => catchNodeHello(options) }
}

/** The event comes with the ticket, after the handshake. */
async function sessionOf(port: number): Promise<Buffer> {
  const socket = tls.connect({ host: '127.0.0.1', port, servername: name, rejectUnauthorized: false })
  const [session] = (await once(socket, 'session')) as [Buffer]
  socket.destroy()
  return session
}
