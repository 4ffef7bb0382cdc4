/** Tells from the first bytes of a connection whether it speaks TLS, the SSLv2 format, or something else. */
import { hex8 } from './bytes.ts'
import { type RecordHeader, recordTypeHandshake, recordVersionMajor } from './record-header.ts'
import type { HelloRejection } from './client-hello.ts'

const sslv2LongHeader = 0x80
const sslv2ClientHello = 1

/** Called after each byte of the first header. Null: TLS so far, or not enough to tell. */
export function protocolOf(header: RecordHeader): HelloRejection | null {
  if (header.type === recordTypeHandshake) {
    if (header.bytes < 2 || header.major === recordVersionMajor) return null
    return { kind: 'not_tls', detail: `second byte is ${hex8(header.major)}` }
  }
  const firstByte = `first byte is ${hex8(header.type)}`
  if ((header.type & sslv2LongHeader) === 0) return { kind: 'not_tls', detail: firstByte }
  return sslv2OrOther(header, firstByte)
}

/** RFC 5246 appendix E.2: two bytes of length with the high bit set, the message type, then the version. */
function sslv2OrOther(header: RecordHeader, firstByte: string): HelloRejection | null {
  if (header.bytes < 3) return null
  if (header.minor !== sslv2ClientHello) return { kind: 'not_tls', detail: `${firstByte}, third is ${hex8(header.minor)}` }
  if (header.bytes < 4) return null
  const major = header.length
  // SSLv2 itself writes its version as 0x0002; TLS clients that use the old format write 0x03xx.
  if (major === 0 || major === recordVersionMajor) return { kind: 'sslv2', detail: `SSLv2-format hello, major version ${major}` }
  return { kind: 'not_tls', detail: `${firstByte}, fourth is ${hex8(major)}` }
}
