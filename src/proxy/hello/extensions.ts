/**
 * Reads the bodies of the extensions that routing, policy, JA4 or a record need. Other bodies stay opaque: they are the
 * backend's business, and a proxy that judged them would break clients that are ahead of it.
 */
import { byteAt, hex16, printable, uint16At } from './bytes.ts'
import { type ServerName, readServerName } from './server-name.ts'

export const typeServerName = 0x0000
const typeSupportedGroups = 0x000a
const typeSignatureAlgorithms = 0x000d
export const typeAlpn = 0x0010
export const typeEarlyData = 0x002a
export const typeSupportedVersions = 0x002b
const typeEncryptedClientHello = 0xfe0d

const nameTypeHost = 0

/** Filled while the extensions are read, then owned by the hello. */
export interface ExtensionValues {
  name: ServerName | null
  nameBytes: number
  alpn: readonly string[]
  alpnFirstRaw: string | null
  supportedVersions: readonly number[] | null
  signatureAlgorithms: readonly number[]
  supportedGroups: readonly number[]
  echOffered: boolean
}

/** Reads the body `message[start, end)` into `into`; returns what is wrong, or null. */
export function readExtension(type: number, message: Buffer, start: number, end: number, into: ExtensionValues): string | null {
  switch (type) {
    case typeServerName:
      return readServerNameList(message, start, end, into)
    case typeAlpn:
      return readAlpn(message, start, end, into)
    case typeSupportedVersions: {
      const versions: number[] = []
      into.supportedVersions = versions
      return readUint16Vector(type, 1, message, start, end, versions)
    }
    case typeSignatureAlgorithms: {
      const algorithms: number[] = []
      into.signatureAlgorithms = algorithms
      return readUint16Vector(type, 2, message, start, end, algorithms)
    }
    case typeSupportedGroups: {
      const groups: number[] = []
      into.supportedGroups = groups
      return readUint16Vector(type, 2, message, start, end, groups)
    }
    case typeEncryptedClientHello:
      into.echOffered = true
      return null
    default:
      return null
  }
}

/** RFC 6066 section 3: a list of names, of which no two may have the same type. */
function readServerNameList(message: Buffer, start: number, end: number, into: ExtensionValues): string | null {
  if (!vectorFills(2, message, start, end)) return 'the server_name list does not fill its extension, or is empty'
  let otherTypes: Set<number> | null = null
  let at = start + 2
  while (at < end) {
    if (end - at < 3) return 'the server_name list ends inside the header of a name'
    const nameType = byteAt(message, at)
    const nameBytes = uint16At(message, at + 1)
    at += 3
    if (nameBytes === 0) return 'empty server name'
    if (end - at < nameBytes) return 'a server name is longer than its list'
    if (nameType === nameTypeHost) {
      if (into.name !== null) return 'two host names'
      into.name = readServerName(message, at, at + nameBytes)
      into.nameBytes = nameBytes
    } else {
      otherTypes ??= new Set()
      if (otherTypes.has(nameType)) return `two server names of type ${nameType}`
      otherTypes.add(nameType)
    }
    at += nameBytes
  }
  return null
}

/** RFC 7301 section 3.1. */
function readAlpn(message: Buffer, start: number, end: number, into: ExtensionValues): string | null {
  if (!vectorFills(2, message, start, end)) return 'the ALPN list does not fill its extension, or is empty'
  const protocols: string[] = []
  let at = start + 2
  while (at < end) {
    const protocolBytes = byteAt(message, at++)
    if (protocolBytes === 0) return 'empty ALPN protocol'
    if (end - at < protocolBytes) return 'an ALPN protocol is longer than its list'
    if (protocols.length === 0) into.alpnFirstRaw = message.toString('latin1', at, at + protocolBytes)
    protocols.push(printable(message, at, at + protocolBytes))
    at += protocolBytes
  }
  into.alpn = protocols
  return null
}

function readUint16Vector(
  type: number,
  lengthBytes: 1 | 2,
  message: Uint8Array,
  start: number,
  end: number,
  into: number[],
): string | null {
  if (!vectorFills(lengthBytes, message, start, end)) return `the list in extension ${hex16(type)} does not fill it, or is empty`
  const first = start + lengthBytes
  if ((end - first) % 2 !== 0) return `the list in extension ${hex16(type)} has an odd length`
  for (let at = first; at < end; at += 2) into.push(uint16At(message, at))
  return null
}

/** Whether `message[start, end)` is one vector, not empty, whose length field says exactly the rest. */
function vectorFills(lengthBytes: 1 | 2, message: Uint8Array, start: number, end: number): boolean {
  if (end - start <= lengthBytes) return false
  const declared = lengthBytes === 1 ? byteAt(message, start) : uint16At(message, start)
  return declared === end - start - lengthBytes
}
