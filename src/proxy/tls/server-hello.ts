/** Reads a ServerHello (RFC 8446, section 4.1.3; RFC 5246, section 7.4.1.3), the message in which a backend chooses. */
import { byteAt, uint16At } from '../hello/bytes.ts'
import { typeSupportedVersions } from '../hello/extensions.ts'
import { cipherSuites } from './cipher-suites.ts'

export interface ServerHello {
  /** `supported_versions` where it is there, else the legacy field. */
  readonly version: number
  /** It was chosen in `supported_versions`, so that the records that follow are those of TLS 1.3. */
  readonly modern: boolean
  /** It asks for another ClientHello, and another ServerHello will follow. */
  readonly retryRequest: boolean
  readonly cipher: number
  /** Of `key_share`; null in TLS 1.2 and before, and in a resumption without a new key exchange. */
  readonly namedGroup: number | null
  /** `pre_shared_key` was accepted: a resumption in TLS 1.3. */
  readonly preSharedKey: boolean
  /** Of the message that was read: lent like it. */
  readonly sessionId: Uint8Array
}

const randomBytes = 32
const sessionIdBytesMax = 32

const typePreSharedKey = 0x0029
const typeKeyShare = 0x0033

/** RFC 8446, section 4.1.3: the SHA-256 of "HelloRetryRequest". */
const retryRequestRandom = Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex')

interface Extensions {
  supportedVersion: number | null
  namedGroup: number | null
  preSharedKey: boolean
}

/** The body, without its four-byte header. Null: it is malformed. */
export function parseServerHello(body: Uint8Array): ServerHello | null {
  const sessionIdAt = 2 + randomBytes + 1
  if (body.length < sessionIdAt) return null
  const sessionIdBytes = byteAt(body, sessionIdAt - 1)
  const cipherAt = sessionIdAt + sessionIdBytes
  // The cipher suite and one byte of compression method.
  const extensionsAt = cipherAt + 3
  if (sessionIdBytes > sessionIdBytesMax || body.length < extensionsAt) return null
  const retryRequest = retryRequestRandom.equals(body.subarray(2, 2 + randomBytes))
  const extensions: Extensions = { supportedVersion: null, namedGroup: null, preSharedKey: false }
  if (!readExtensions(body, extensionsAt, retryRequest, extensions)) return null
  const cipher = uint16At(body, cipherAt)
  if (extensions.supportedVersion !== null && !fitsModern(uint16At(body, 0), extensions.supportedVersion, cipher)) return null
  return {
    version: extensions.supportedVersion ?? uint16At(body, 0),
    modern: extensions.supportedVersion !== null,
    retryRequest,
    cipher,
    namedGroup: extensions.namedGroup,
    preSharedKey: extensions.preSharedKey,
    sessionId: body.subarray(sessionIdAt, cipherAt),
  }
}

/**
 * RFC 8446, section 4.2.1: the extension is there in TLS 1.3 and later only, and the legacy field then says 1.2. Suites of
 * before name a key exchange (`_WITH_`) that TLS 1.3 does not have (appendix B.4): a client would refuse them.
 */
function fitsModern(legacyVersion: number, version: number, cipher: number): boolean {
  return legacyVersion === 0x0303 && version >= 0x0304 && cipherSuites.get(cipher)?.includes('_WITH_') !== true
}

/** From `start` to the end of the message, where there may be none at all (TLS 1.2 and before). */
function readExtensions(body: Uint8Array, start: number, retryRequest: boolean, into: Extensions): boolean {
  const end = body.length
  if (start === end) return true
  if (end - start < 2 || uint16At(body, start) !== end - start - 2) return false
  const seen = new Set<number>()
  let at = start + 2
  while (at < end) {
    if (end - at < 4) return false
    const type = uint16At(body, at)
    const bytes = uint16At(body, at + 2)
    at += 4
    if (end - at < bytes || seen.has(type)) return false
    seen.add(type)
    if (!readExtension(type, body, at, bytes, retryRequest, into)) return false
    at += bytes
  }
  return true
}

function readExtension(type: number, body: Uint8Array, at: number, bytes: number, retryRequest: boolean, into: Extensions): boolean {
  switch (type) {
    case typeSupportedVersions:
      if (bytes !== 2) return false
      into.supportedVersion = uint16At(body, at)
      return true
    case typeKeyShare:
      // A HelloRetryRequest names the group alone (RFC 8446, section 4.2.8); otherwise the key follows with its length.
      if (retryRequest ? bytes !== 2 : bytes < 4 || uint16At(body, at + 2) !== bytes - 4) return false
      into.namedGroup = uint16At(body, at)
      return true
    case typePreSharedKey:
      if (bytes !== 2) return false
      into.preSharedKey = true
      return true
    default:
      return true
  }
}
