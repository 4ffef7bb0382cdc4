/** Decides what a host name from the wire is: a name that routes may be compared with, an IP literal, or neither. */
import { byteAt, printable } from './bytes.ts'
import type { ServerNameKind } from './client-hello.ts'

const nameBytesMax = 253
const labelBytesMax = 63
/** What is shown of a name; longer than any name in the DNS. */
const shownBytesMax = 255
/** An IPv4 address mapped into IPv6, written out in full and in brackets. */
const ipLiteralBytesMax = 47
const dot = 0x2e

export interface ServerName {
  readonly serverName: string
  readonly kind: Exclude<ServerNameKind, 'none'>
  readonly matchName: string | null
  readonly trailingDot: boolean
}

/** Reads the name in `bytes[start, end)`, which is not empty. */
export function readServerName(bytes: Buffer, start: number, end: number): ServerName {
  const trailingDot = byteAt(bytes, end - 1) === dot
  const plain = isPlainName(bytes, start, trailingDot ? end - 1 : end)
  const shown = printable(bytes, start, Math.min(end, start + shownBytesMax))
  // Escapes are lower case already, and what remains is ASCII, so no locale rule of Unicode can touch it.
  const serverName = shown.toLowerCase()
  const withoutDot = trailingDot ? serverName.slice(0, -1) : serverName
  if (isIpLiteral(withoutDot)) return { serverName, kind: 'ip_literal', matchName: null, trailingDot }
  if (!plain) return { serverName, kind: 'invalid', matchName: null, trailingDot }
  return { serverName, kind: 'name', matchName: withoutDot, trailingDot }
}

function isPlainName(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > nameBytesMax) return false
  let labelBytes = 0
  for (let at = start; at < end; at++) {
    const byte = byteAt(bytes, at)
    if (byte === dot) {
      if (labelBytes === 0) return false
      labelBytes = 0
    } else if (!isNameByte(byte) || ++labelBytes > labelBytesMax) {
      return false
    }
  }
  return labelBytes > 0
}

/** Letters, digits, hyphen, and the underscore that real names have. */
function isNameByte(byte: number): boolean {
  const lower = byte | 0x20
  if (lower >= 0x61 && lower <= 0x7a) return true
  return (byte >= 0x30 && byte <= 0x39) || byte === 0x2d || byte === 0x5f
}

/** Generous on purpose: what only looks like an address must not be caught by a wildcard route either. */
function isIpLiteral(text: string): boolean {
  if (text.length > ipLiteralBytesMax) return false
  if (/^\d{1,3}(?:\.\d{1,3}){3}$/.test(text)) return true
  const colon = text.indexOf(':')
  return colon !== -1 && text.lastIndexOf(':') !== colon && /^\[?[0-9a-f:.]+\]?$/.test(text)
}
