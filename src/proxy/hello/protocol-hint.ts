/**
 * What other protocol the first bytes of a client look like, so that the record of a refusal tells an operator what was
 * meant. A guess for people: nothing is routed by it.
 */

export type ProtocolHint =
  | 'an HTTP request'
  | 'a PostgreSQL GSSENCRequest'
  | 'a PostgreSQL SSLRequest'
  | 'a PostgreSQL StartupMessage'
  | 'a PROXY protocol header'
  | 'a SOCKS request'
  | 'a mail command'
  | 'an RDP request'
  | 'an SSH greeting'

const postgresSslRequest = '0000000804d2162f'
const postgresGssRequest = '0000000804d21630'
/** Length below 64 KiB, then version 3.0 of the protocol. */
const postgresStartup = /^0000[0-9a-f]{4}00030000/
const proxyVersion2 = '0d0a0d0a000d0a515549540a'
/** TPKT version 3, then a length; X.224 connection request. */
const rdpRequest = /^0300[0-9a-f]{4}[0-9a-f]{2}e0/
const hintBytes = 24

const texts: readonly (readonly [start: RegExp, hint: ProtocolHint])[] = [
  [/^(?:GET|POST|PUT|HEAD|DELETE|OPTIONS|PATCH|TRACE|CONNECT) |^PRI \* HTTP/, 'an HTTP request'],
  [/^PROXY /, 'a PROXY protocol header'],
  [/^SSH-/, 'an SSH greeting'],
  [/^(?:EHLO|HELO|LHLO|STARTTLS|STLS|CAPA|USER|QUIT)\b|^[A-Za-z0-9]{1,8} (?:CAPABILITY|STARTTLS|LOGIN)\b/i, 'a mail command'],
]

/** `start`: what came so far, or at least its first bytes. Null: nothing that is known here. */
export function protocolHint(start: Uint8Array): ProtocolHint | null {
  const bytes = Buffer.from(start.buffer, start.byteOffset, Math.min(start.length, hintBytes))
  const hex = bytes.toString('hex')
  if (hex.startsWith(postgresSslRequest)) return 'a PostgreSQL SSLRequest'
  if (hex.startsWith(postgresGssRequest)) return 'a PostgreSQL GSSENCRequest'
  if (postgresStartup.test(hex)) return 'a PostgreSQL StartupMessage'
  if (hex.startsWith(proxyVersion2)) return 'a PROXY protocol header'
  if (rdpRequest.test(hex)) return 'an RDP request'
  if (/^05[0-9a-f]{2}|^040[12]/.test(hex)) return 'a SOCKS request'
  const text = bytes.toString('latin1')
  return texts.find(([start]) => start.test(text))?.[1] ?? null
}
