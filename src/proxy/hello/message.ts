/**
 * Reads one complete ClientHello handshake message (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2). Every length must
 * fit its parent exactly: what two parsers could read differently is malformed, never guessed.
 */
import { byteAt, hex16, uint16At } from './bytes.ts'
import { type ExtensionValues, readExtension } from './extensions.ts'
import type { ClientHello } from './client-hello.ts'
import { offeredVersions } from './versions.ts'

export const handshakeHeaderBytes = 4
const versionBytes = 2
const randomBytes = 32
const sessionIdBytesMax = 32

/** How the message lay on the wire. */
export interface Framing {
  readonly wireBytes: number
  readonly recordCount: number
}

/**
 * `message` is the whole handshake message with its header, whose type and length the caller has checked. Returns what
 * is wrong as a text without client bytes.
 */
export function parseClientHello(message: Buffer, framing: Framing): ClientHello | string {
  const end = message.length
  let at = handshakeHeaderBytes
  if (end - at < versionBytes + randomBytes + 1) return 'the message ends before the session id'
  const legacyVersion = uint16At(message, at)
  at += versionBytes + randomBytes

  const sessionIdBytes = byteAt(message, at++)
  if (sessionIdBytes > sessionIdBytesMax) return `session id of ${sessionIdBytes} bytes`
  // A copy of its own: a view would keep the whole message alive.
  const sessionId = new Uint8Array(message.subarray(at, at + sessionIdBytes))
  at += sessionIdBytes
  if (end - at < 2) return 'the message ends before the cipher suites'

  const cipherBytes = uint16At(message, at)
  at += 2
  // Empty lists of suites and of compression methods are let through, as Go and nginx do: where the fields end is not in
  // doubt, so nothing is guessed, and the backend refuses such a hello itself.
  if (cipherBytes % 2 !== 0) return `cipher suites of ${cipherBytes} bytes, an odd number`
  if (end - at < cipherBytes) return 'the cipher suites are longer than the message'
  const cipherSuites = readUint16List(message, at, at + cipherBytes)
  at += cipherBytes

  if (at === end) return 'the message ends before the compression methods'
  const compressionBytes = byteAt(message, at++)
  if (end - at < compressionBytes) return 'the compression methods are longer than the message'
  at += compressionBytes

  const extensions: number[] = []
  const values = noExtensionValues()
  const fault = at === end ? null : readExtensions(message, at, extensions, values)
  if (fault !== null) return fault
  return assemble(message.length, framing, { legacyVersion, sessionId, cipherSuites, extensions }, values)
}

/** Reads the block that must fill the rest of the message. */
function readExtensions(message: Buffer, start: number, types: number[], values: ExtensionValues): string | null {
  const end = message.length
  if (end - start < 2) return 'the message ends inside the length of the extensions'
  const blockBytes = uint16At(message, start)
  let at = start + 2
  if (end - at !== blockBytes) return `extensions of ${blockBytes} bytes in ${end - at} bytes`
  const seen = new Set<number>()
  while (at < end) {
    if (end - at < 4) return 'the extensions end inside the header of an extension'
    const type = uint16At(message, at)
    const bytes = uint16At(message, at + 2)
    at += 4
    if (end - at < bytes) return `extension ${hex16(type)} is longer than the extensions`
    if (seen.has(type)) return `extension ${hex16(type)} is there twice`
    seen.add(type)
    types.push(type)
    const fault = readExtension(type, message, at, at + bytes, values)
    if (fault !== null) return fault
    at += bytes
  }
  return null
}

function readUint16List(message: Uint8Array, start: number, end: number): number[] {
  const list: number[] = []
  for (let at = start; at < end; at += 2) list.push(uint16At(message, at))
  return list
}

function noExtensionValues(): ExtensionValues {
  return {
    name: null,
    nameBytes: 0,
    alpn: [],
    alpnFirstRaw: null,
    supportedVersions: null,
    signatureAlgorithms: [],
    supportedGroups: [],
    echOffered: false,
  }
}

function assemble(
  helloBytes: number,
  framing: Framing,
  fixed: Pick<ClientHello, 'cipherSuites' | 'extensions' | 'legacyVersion' | 'sessionId'>,
  values: ExtensionValues,
): ClientHello {
  const name = values.name
  return {
    serverName: name === null ? null : name.serverName,
    serverNameBytes: values.nameBytes,
    serverNameKind: name === null ? 'none' : name.kind,
    matchName: name === null ? null : name.matchName,
    trailingDot: name !== null && name.trailingDot,
    alpn: values.alpn,
    alpnFirstRaw: values.alpnFirstRaw,
    legacyVersion: fixed.legacyVersion,
    sessionId: fixed.sessionId,
    supportedVersions: values.supportedVersions,
    tlsVersions: offeredVersions(fixed.legacyVersion, values.supportedVersions),
    cipherSuites: fixed.cipherSuites,
    extensions: fixed.extensions,
    signatureAlgorithms: values.signatureAlgorithms,
    supportedGroups: values.supportedGroups,
    echOffered: values.echOffered,
    helloBytes,
    wireBytes: framing.wireBytes,
    recordCount: framing.recordCount,
  }
}
