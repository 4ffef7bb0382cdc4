/** In which group the two sides exchange keys: in TLS 1.2 and before that stands at the head of a ServerKeyExchange. */
import { byteAt, uint16At } from '../hello/bytes.ts'
import { cipherSuites } from './cipher-suites.ts'

/** A number of IANA's "TLS Supported Groups", or the size of a prime that the server made up itself. */
export type Group = { readonly kind: 'named'; readonly code: number } | { readonly kind: 'dh'; readonly bits: number }

/** RFC 8422, section 5.4; the other types are curves spelt out, which nobody speaks. */
const curveTypeNamed = 3

/** Enough for a hint of a pre-shared key of 128 bytes (RFC 4279, section 5.3) and what follows it. */
export const keyExchangeHeadBytes = 192

/** `head`: the first bytes of the body, `keyExchangeHeadBytes` of them where there are so many. Null: it says nothing known. */
export function groupOfKeyExchange(cipher: number, head: Uint8Array): Group | null {
  const name = cipherSuites.get(cipher) ?? ''
  // RFC 4279 and RFC 5489: the hint precedes the parameters.
  const at = /_PSK_/.test(name) ? hintBytes(head) : 0
  if (/^TLS_(?:ECDHE_|ECDH_anon_)/.test(name)) return namedCurve(head, at)
  if (/^TLS_(?:DHE_|DH_anon_|PSK_DHE_)/.test(name)) return primeGroup(head, at)
  return null
}

function hintBytes(head: Uint8Array): number {
  return head.length < 2 ? head.length : 2 + uint16At(head, 0)
}

function namedCurve(head: Uint8Array, at: number): Group | null {
  if (head.length < at + 3 || byteAt(head, at) !== curveTypeNamed) return null
  return { kind: 'named', code: uint16At(head, at + 1) }
}

/** RFC 5246, section 7.4.3: the prime comes first, with its length. Some write it with zeros in front. */
function primeGroup(head: Uint8Array, at: number): Group | null {
  if (head.length < at + 2) return null
  const bytes = uint16At(head, at)
  const end = Math.min(head.length, at + 2 + bytes)
  for (let first = at + 2; first < end; first++) {
    const byte = byteAt(head, first)
    if (byte !== 0) return { kind: 'dh', bits: 8 * (bytes - (first - at - 2)) - (Math.clz32(byte) - 24) }
  }
  return null
}
