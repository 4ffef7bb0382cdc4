import { describe, expect, test } from 'vitest'
import { judge, judgeByteByByte } from '../../support/tls-hellos-judge.ts'
import { type FuzzVector, vectorsMissing, vectorsOf } from '../../support/tls-hellos-vectors.ts'

const opaque = 'whose body is opaque to a proxy; everything that routing and records use reads the same'

/**
 * Go refuses these and we read them. Each is well-formed down to the bounds of every extension; what is wrong lies inside
 * one that only the backend reads, and there the backend refuses it.
 */
const moreLenientThanGo: Readonly<Record<string, string>> = {
  'fuzz/server_corpus/059878a43741e57ea90470deb87ec8d7fe805434': `status_request with a wrong inner length, ${opaque}`,
  'fuzz/server_corpus/119c3806868a614658090de3963276aec44b64c0': `key_share with a wrong inner length, ${opaque}`,
  'fuzz/server_corpus/14b7b3cd06353e8508ca80d917bb5945d91569ab': `pre_shared_key that is not the last extension, ${opaque}`,
  'fuzz/server_corpus/39b6413db9535c6e91951e2844984590a44e0350': `status_request that holds another list, ${opaque}`,
  'fuzz/server_corpus/67f9f9f0c5dc571443548dee3eaa43e5da943ed5': `encrypted_client_hello of three GREASE bytes, ${opaque}`,
  'fuzz/server_corpus/94fdcc30fbeb38416b2d6fe020427f771518e05d': `pre_shared_key with a wrong inner length, ${opaque}`,
  'fuzz/server_corpus/9be577c18aab8a69511c298dc2941b9b1bfbf92a': `renegotiation_info that holds other extensions, ${opaque}`,
  'fuzz/server_corpus/9c61299a2c8db8b9c3b5c52b7193270e29f6ec77': `status_request without a body, ${opaque}`,
  'fuzz/server_corpus/b710e9edc2af35bea6231c3bc3d2f2805886c22a': `status_request with a wrong inner length, ${opaque}`,
  'fuzz/server_corpus/cc50d207f8ddacd10b5d20037820173d94e9ba55': `status_request that holds another list, ${opaque}`,
  'fuzz/server_corpus/f5842fc854d57ec46637be0816caa8ecf595e83e': `pre_shared_key with a wrong inner length, ${opaque}`,
}

/** Go asks for more bytes; here the first handshake byte, which is not a ClientHello's, has already decided. */
const earlierThanGo = ['fuzz/server_corpus/81c7a3f820923de6af1ce58a251390a03e59b002']

/** What Go's other errors are here. A length is judged after the type, so an oversized message of type 0 is malformed. */
const kindsOfErrors: readonly (readonly [error: RegExp, kind: string])[] = [
  [/^EOF$/, 'incomplete'],
  [/^unexpected EOF$/, 'incomplete'],
  [/error decoding message/, 'malformed'],
  [/exceeds maximum of 65536/, 'malformed'],
  [/^tls: received unexpected handshake message/, 'malformed'],
  [/unexpected message$/, 'malformed'],
  [/oversized record/, 'malformed'],
  [/first record does not look like a TLS handshake/, 'malformed'],
]

// Skipped where the vectors are not beside the project: they are used in place and never copied.
describe.skipIf(vectorsMissing)('the BoringSSL fuzz corpus, against what Go says', () => {
  const vectors = vectorsOf<FuzzVector>('clienthello-fuzz-boringssl.json')

  test('214 inputs, of which Go reads 166', () => {
    expect(vectors).toHaveLength(214)
    expect(vectors.filter(vector => vector.go_crypto_tls.result === 'ok')).toHaveLength(166)
  })

  test('what Go reads says the same here', () => {
    for (const vector of vectors) {
      if (vector.go_crypto_tls.result !== 'ok') continue
      expect(wordsOf(vector)).toEqual({ id: vector.id, ...sniAndLists(vector.go_crypto_tls) })
    }
  })

  test('what Go refuses is refused, but for the reasons written down', () => {
    const lenient = vectors.filter(vector => vector.go_crypto_tls.result === 'error' && kindOf(vector) === 'hello')
    expect(lenient.map(vector => vector.id).toSorted()).toEqual(Object.keys(moreLenientThanGo).toSorted())
    for (const vector of vectors) {
      const error = vector.go_crypto_tls.error
      if (error === undefined || vector.id in moreLenientThanGo) continue
      const early = earlierThanGo.includes(vector.id)
      const kind = early ? 'malformed' : kindsOfErrors.find(([text]) => text.test(error))?.[1]
      expect([vector.id, error, kindOf(vector)]).toEqual([vector.id, error, kind])
    }
  })

  test('the same byte by byte', () => {
    for (const vector of vectors) {
      const bytes = Buffer.from(vector.hex, 'hex')
      expect([vector.id, judgeByteByByte(bytes)]).toEqual([vector.id, judge(bytes)])
    }
  })
})

function kindOf(vector: FuzzVector): string {
  return judge(Buffer.from(vector.hex, 'hex')).kind
}

const hex4 = (numbers: readonly number[]) => numbers.map(number => number.toString(16).padStart(4, '0'))

function escaped(hex: string): string {
  const text = Buffer.from(hex, 'hex').toString('latin1')
  return text.replaceAll(/[^!-~]|\\/g, character => `\\x${Buffer.from(character, 'latin1').toString('hex')}`)
}

/** Go fills supported_versions from the legacy version where the extension is absent; then it is not compared. */
function sniAndLists(go: FuzzVector['go_crypto_tls']) {
  return {
    sni: escaped(go.sni_hex ?? '').toLowerCase(),
    alpn: (go.alpn_hex ?? []).map(escaped),
    versions: go.extensions?.includes('002b') === true ? go.supported_versions : null,
    extensions: go.extensions,
    ciphers: go.cipher_suites,
  }
}

function wordsOf(vector: FuzzVector): unknown {
  const verdict = judge(Buffer.from(vector.hex, 'hex'))
  if (verdict.kind !== 'hello') return { id: vector.id, verdict }
  const { hello } = verdict
  return {
    id: vector.id,
    sni: hello.serverName ?? '',
    alpn: hello.alpn,
    versions: hello.supportedVersions === null ? null : hex4(hello.supportedVersions),
    extensions: hex4(hello.extensions),
    ciphers: hex4(hello.cipherSuites),
  }
}
