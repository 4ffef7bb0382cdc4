/** Real TLS clients under a drawn configuration: the configuration says which hello each of them sends, and so what is true. */
import { catchCommandHello, catchNodeHello, catchOpensslHello, opensslVersion, versionOf } from '../support/tls-hellos-real.ts'

const versionNames = ['TLSv1.2', 'TLSv1.3'] as const
type VersionName = (typeof versionNames)[number]

/** What a client is told, and what its hello therefore asks for. */
export interface Asked {
  /** As typed, capitals included; null: the client is to send none. */
  readonly name: string | null
  readonly alpn: readonly string[]
  readonly minVersion: VersionName
  readonly maxVersion: VersionName
}

export interface RealClient {
  readonly label: string
  /** Null: not on this machine. */
  readonly version: string | null
  /** Null: it can be told to offer any. */
  readonly alpnSets: readonly (readonly string[])[] | null
  /** Runs it against a server that never answers, and resolves with the bytes that it sends first. */
  hello(asked: Asked): Promise<readonly Buffer[]>
}

const node: RealClient = {
  label: 'Node',
  version: `Node ${process.version} (OpenSSL ${process.versions.openssl})`,
  alpnSets: null,
  hello: ({ name, alpn, minVersion, maxVersion }) =>
    catchNodeHello({ servername: name ?? '', ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }), minVersion, maxVersion }),
}

const openssl: RealClient = {
  label: 'openssl',
  version: opensslVersion?.replace(/ \(Library.*/, '') ?? null,
  alpnSets: null,
  hello: ({ name, alpn, minVersion, maxVersion }) => {
    const named = name === null ? ['-noservername'] : ['-servername', name]
    const offered = alpn.length === 0 ? [] : ['-alpn', alpn.join(',')]
    const versions = ['-min_protocol', minVersion, '-max_protocol', maxVersion]
    return catchOpensslHello([...named, ...offered, ...versions])
  },
}

const curl: RealClient = {
  label: 'curl',
  version: versionOf('curl')?.replace(/ libcurl.*/, '') ?? null,
  alpnSets: [[], ['http/1.1'], ['h2', 'http/1.1']],
  hello: ({ name, alpn, minVersion, maxVersion }) => {
    const offered = alpn.length === 0 ? ['--no-alpn'] : alpn.includes('h2') ? ['--http2'] : ['--http1.1']
    const versions = [`--tlsv${minVersion.slice(4)}`, '--tls-max', maxVersion.slice(4)]
    return catchCommandHello('curl', (port) => {
      const url = name === null ? [`https://127.0.0.1:${port}/`] : ['--connect-to', `::127.0.0.1:${port}`, `https://${name}/`]
      return ['-q', '--silent', '--insecure', '--noproxy', '*', ...offered, ...versions, ...url]
    })
  },
}

/** Reads its orders from the command line, so that no name has to be quoted. */
const pythonClient = `
import json, socket, ssl, sys
asked = json.loads(sys.argv[2])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
context.minimum_version = getattr(ssl.TLSVersion, asked["minVersion"].replace(".", "_"))
context.maximum_version = getattr(ssl.TLSVersion, asked["maxVersion"].replace(".", "_"))
if asked["alpn"]: context.set_alpn_protocols(asked["alpn"])
context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))), server_hostname=asked["name"])
`

const python: RealClient = {
  label: 'Python',
  version: versionOf('python3', ['-c', 'import ssl, sys; print("Python", sys.version.split()[0], f"({ssl.OPENSSL_VERSION})")']),
  alpnSets: null,
  hello: (asked) => catchCommandHello('python3', (port) => ['-c', pythonClient, `${port}`, JSON.stringify(asked)]),
}

export const realClients: readonly RealClient[] = [node, openssl, curl, python]

export function offeredVersions({ minVersion, maxVersion }: Asked): readonly VersionName[] {
  return versionNames.slice(versionNames.indexOf(minVersion), versionNames.indexOf(maxVersion) + 1)
}
