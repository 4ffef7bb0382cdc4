/** What a vector says of a hello, and what the parser says of it, in the same words: so that they can be compared. */
import type { ClientHello } from '../../src/proxy/hello/client-hello.ts'
import { isGrease } from '../../src/proxy/hello/versions.ts'
import type { Expected, FuzzVector } from '../support/tls-hellos-vectors.ts'

export type Words = Readonly<Record<string, unknown>>

const hex4 = (value: number) => value.toString(16).padStart(4, '0')

/** As the parser shows bytes of a client: everything but printable ASCII is `\xNN`, and so is the backslash. */
function escaped(bytes: Buffer): string {
  return bytes
    .toString('latin1')
    .replaceAll(/[^!-~]|\\/g, character => `\\x${Buffer.from(character, 'latin1').toString('hex')}`)
}

/** Of the status and JA4, which are columns of their own, nothing. */
export function labelled(expected: Expected): Words {
  const { sni, alpn, alpn_hex, tls_versions } = expected
  return withoutUndefined({
    sni: typeof sni === 'string' ? escaped(Buffer.from(sni, 'latin1')).toLowerCase() : sni,
    alpn: alpn_hex === undefined ? alpn : alpn_hex.map(hex => escaped(Buffer.from(hex, 'hex'))),
    legacy_version: expected.legacy_version,
    max_version: expected.max_version,
    supported_versions: expected.supported_versions,
    cipher_suites: expected.cipher_suites,
    extensions: expected.extensions,
    signature_algorithms: expected.signature_algorithms,
    supported_groups: expected.supported_groups,
    has_ech: expected.has_ech,
    tls_versions: tls_versions?.toSorted(),
    extensions_among: expected.extensions_among,
  })
}

/** Says only what `labels` says too. */
export function read(hello: ClientHello, labels: Words): Words {
  const among = labels['extensions_among'] as readonly string[] | undefined
  const extensions = hello.extensions.map(hex4)
  const all: Words = {
    sni: hello.serverName,
    alpn: hello.alpn,
    legacy_version: hex4(hello.legacyVersion),
    max_version: hex4(Math.max(...(hello.supportedVersions ?? [hello.legacyVersion]).filter(version => !isGrease(version)))),
    supported_versions: hello.supportedVersions === null ? null : hello.supportedVersions.map(hex4),
    cipher_suites: hello.cipherSuites.map(hex4),
    extensions,
    signature_algorithms: hello.signatureAlgorithms.map(hex4),
    supported_groups: hello.supportedGroups.map(hex4),
    has_ech: hello.echOffered,
    tls_versions: hello.tlsVersions.toSorted(),
    extensions_among: among?.filter(type => extensions.includes(type)),
  }
  return Object.fromEntries(Object.keys(labels).map(key => [key, all[key]]))
}

/** Go fills supported_versions from the legacy version where the extension is absent; then it is not compared. */
export function saidByGo(go: FuzzVector['go_crypto_tls']): Words {
  const hasVersions = go.extensions?.includes('002b') === true
  return withoutUndefined({
    sni: go.sni_hex === undefined || go.sni_hex === '' ? null : escaped(Buffer.from(go.sni_hex, 'hex')).toLowerCase(),
    alpn: (go.alpn_hex ?? []).map(hex => escaped(Buffer.from(hex, 'hex'))),
    supported_versions: hasVersions ? go.supported_versions : null,
    extensions: go.extensions,
    cipher_suites: go.cipher_suites,
  })
}

function withoutUndefined(words: Words): Words {
  return Object.fromEntries(Object.entries(words).filter(([, value]) => value !== undefined))
}
