/**
 * Inputs of BoringSSL's fuzzers, beside what Go's crypto/tls makes of them. Wherever both read, both must read the same;
 * where they differ, the reason is written here.
 */
import { judge, judgeByteByByte } from '../support/tls-hellos-judge.ts'
import type { FuzzVector } from '../support/tls-hellos-vectors.ts'
import { statusOf } from './checks.ts'
import type { Finding } from './findings.ts'
import { read, saidByGo } from './words.ts'

const opaque = 'whose body is opaque to a proxy; everything that routing and records use reads the same'
const corpus = 'fuzz/server_corpus/'

/**
 * Go refuses these and we read them. Each is well-formed down to the bounds of every extension; what is wrong lies inside
 * one that only the backend reads, and there the backend refuses it.
 */
export const moreLenientThanGo: Readonly<Record<string, string>> = {
  [`${corpus}059878a43741e57ea90470deb87ec8d7fe805434`]: `status_request with a wrong inner length, ${opaque}`,
  [`${corpus}119c3806868a614658090de3963276aec44b64c0`]: `key_share with a wrong inner length, ${opaque}`,
  [`${corpus}14b7b3cd06353e8508ca80d917bb5945d91569ab`]: `pre_shared_key that is not the last extension, ${opaque}`,
  [`${corpus}39b6413db9535c6e91951e2844984590a44e0350`]: `status_request that holds another list, ${opaque}`,
  [`${corpus}67f9f9f0c5dc571443548dee3eaa43e5da943ed5`]: `encrypted_client_hello of three GREASE bytes, ${opaque}`,
  [`${corpus}94fdcc30fbeb38416b2d6fe020427f771518e05d`]: `pre_shared_key with a wrong inner length, ${opaque}`,
  [`${corpus}9be577c18aab8a69511c298dc2941b9b1bfbf92a`]: `renegotiation_info that holds other extensions, ${opaque}`,
  [`${corpus}9c61299a2c8db8b9c3b5c52b7193270e29f6ec77`]: `status_request without a body, ${opaque}`,
  [`${corpus}b710e9edc2af35bea6231c3bc3d2f2805886c22a`]: `status_request with a wrong inner length, ${opaque}`,
  [`${corpus}cc50d207f8ddacd10b5d20037820173d94e9ba55`]: `status_request that holds another list, ${opaque}`,
  [`${corpus}f5842fc854d57ec46637be0816caa8ecf595e83e`]: `pre_shared_key with a wrong inner length, ${opaque}`,
}

export const earlierThanGo: Readonly<Record<string, string>> = {
  [`${corpus}81c7a3f820923de6af1ce58a251390a03e59b002`]:
    "Go waits for more bytes; here the first handshake byte, which is not a ClientHello's, has already decided",
}

/** What Go's other errors are here. A length is judged after the type, so an oversized message of type 0 is malformed. */
const statusesOfErrors: readonly (readonly [error: RegExp, status: string])[] = [
  [/^EOF$/, 'incomplete'],
  [/^unexpected EOF$/, 'incomplete'],
  [/error decoding message/, 'malformed'],
  [/exceeds maximum of 65536/, 'malformed'],
  [/^tls: received unexpected handshake message/, 'malformed'],
  [/unexpected message$/, 'malformed'],
  [/oversized record/, 'malformed'],
  [/first record does not look like a TLS handshake/, 'malformed'],
]

export function checkFuzz(vector: FuzzVector): Finding[] {
  const bytes = Buffer.from(vector.hex, 'hex')
  const verdict = judge(bytes)
  const got = statusOf(verdict)
  const findings: Finding[] = [
    { column: 'status', expected: expectedStatus(vector), got },
    { column: 'whole', expected: expectedStatus(vector), got },
    { column: 'byte by byte', expected: verdict, got: judgeByteByByte(bytes) },
  ]
  if (vector.go_crypto_tls.result === 'ok') {
    const expected = saidByGo(vector.go_crypto_tls)
    findings.push({ column: 'fields', expected, got: verdict.kind === 'hello' ? read(verdict.hello, expected) : verdict })
  }
  return findings
}

/** A reason stands only while it is needed: where Go reads too, or refuses for the reason we do, it would be found wrong. */
function expectedStatus({ id, go_crypto_tls: { error } }: FuzzVector): string {
  if (error === undefined) return id in moreLenientThanGo || id in earlierThanGo ? 'a reason for what is no difference' : 'ok'
  if (id in moreLenientThanGo) return 'ok'
  const status =
    statusesOfErrors.find(([text]) => text.test(error))?.[1] ?? `an error of Go that has no counterpart here: ${error}`
  return id in earlierThanGo ? 'malformed' : status
}
