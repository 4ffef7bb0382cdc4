import type { RefusalReason } from '../../events/connection.ts'
import type { CloseCause } from './engine.ts'
import { recordTypes } from './tls/conversation.ts'

/** The TLS alert that tells a client why it gets no further (RFC 8446, section 6; RFC 6066, section 3). */

const levelFatal = 2
/** Clients read an alert before a ServerHello under any version; this is the one that all of TLS 1.0 to 1.3 send. */
const recordVersion = [3, 3] as const

const recordOverflow = 22
const handshakeFailure = 40
const decodeError = 50
const protocolVersion = 70
const insufficientSecurity = 71
const internalError = 80
const unrecognizedName = 112

/** Who does not speak TLS is sent none: the bytes would mean nothing, or something else. */
const ofRefusals: { readonly [Reason in RefusalReason]?: number } = {
  ech_offered: handshakeFailure,
  hello_malformed: decodeError,
  hello_too_large: recordOverflow,
  no_sni: unrecognizedName,
  sslv2: protocolVersion,
  tls_version_too_low: protocolVersion,
  unknown_sni: unrecognizedName,
}
const ofEndings: { readonly [Cause in CloseCause]?: number } = {
  backend_not_tls: internalError,
  cipher_forbidden: insufficientSecurity,
  tls_version_too_low: protocolVersion,
}

/** The alert's code; null: none fits. */
export function alertOfRefusal(reason: RefusalReason): number | null {
  return ofRefusals[reason] ?? null
}

/** The same for a connection that ends before its backend's first byte was passed on. */
export function alertOfEnding(because: CloseCause): number | null {
  return ofEndings[because] ?? null
}

/** As it goes over the wire, in the clear. */
export function alertRecord(code: number): Uint8Array {
  return Uint8Array.of(recordTypes.alert, ...recordVersion, 0, 2, levelFatal, code)
}
