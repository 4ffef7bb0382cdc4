/** Words for the numbers of TLS, as IANA has them, for records and their readers. All fit the schemas in events/tls.ts. */
import { hex16, hex8 } from '../hello/bytes.ts'
import { cipherSuites } from './cipher-suites.ts'
import type { Group } from './key-exchange.ts'

/** IANA, "TLS Supported Groups" (https://www.iana.org/assignments/tls-parameters), and two drafts that were deployed. */
const groups: ReadonlyMap<number, string> = new Map([
  ...counted(1, 'sect163k1 sect163r1 sect163r2 sect193r1 sect193r2 sect233k1 sect233r1 sect239k1 sect283k1 sect283r1'),
  ...counted(11, 'sect409k1 sect409r1 sect571k1 sect571r1 secp160k1 secp160r1 secp160r2 secp192k1 secp192r1 secp224k1'),
  ...counted(21, 'secp224r1 secp256k1 secp256r1 secp384r1 secp521r1 brainpoolP256r1 brainpoolP384r1 brainpoolP512r1'),
  ...counted(29, 'x25519 x448 brainpoolP256r1tls13 brainpoolP384r1tls13 brainpoolP512r1tls13'),
  ...counted(34, 'GC256A GC256B GC256C GC256D GC512A GC512B GC512C curveSM2'),
  ...counted(256, 'ffdhe2048 ffdhe3072 ffdhe4096 ffdhe6144 ffdhe8192'),
  ...counted(512, 'MLKEM512 MLKEM768 MLKEM1024'),
  ...counted(4587, 'SecP256r1MLKEM768 X25519MLKEM768 SecP384r1MLKEM1024 curveSM2MLKEM768'),
  ...counted(25_497, 'X25519Kyber768Draft00 SecP256r1Kyber768Draft00'),
  ...counted(65_281, 'arbitrary_explicit_prime_curves arbitrary_explicit_char2_curves'),
])

/** IANA, "TLS Alerts", in the spelling of the RFCs; the last columns of older RFCs (`_RESERVED`) without that word. */
const alerts: ReadonlyMap<number, string> = new Map([
  [0, 'close_notify'],
  [10, 'unexpected_message'],
  ...counted(20, 'bad_record_mac decryption_failed record_overflow'),
  [30, 'decompression_failure'],
  ...counted(40, 'handshake_failure no_certificate bad_certificate unsupported_certificate certificate_revoked'),
  ...counted(45, 'certificate_expired certificate_unknown illegal_parameter unknown_ca access_denied decode_error'),
  ...counted(51, 'decrypt_error too_many_cids_requested'),
  [60, 'export_restriction'],
  ...counted(70, 'protocol_version insufficient_security'),
  [80, 'internal_error'],
  [86, 'inappropriate_fallback'],
  [90, 'user_canceled'],
  [100, 'no_renegotiation'],
  ...counted(109, 'missing_extension unsupported_extension certificate_unobtainable unrecognized_name'),
  ...counted(113, 'bad_certificate_status_response bad_certificate_hash_value unknown_psk_identity'),
  ...counted(116, 'certificate_required general_error'),
  ...counted(120, 'no_application_protocol ech_required'),
])

/** `TLS_AES_128_GCM_SHA256`, or `0x9c9c` for a number without a name. */
export function cipherSuiteName(code: number): string {
  return cipherSuites.get(code) ?? hex16(code)
}

/** `x25519`, `dh_2048` for a prime of that size, or `0x9c9c` for a number without a name. */
export function groupName(group: Group): string {
  if (group.kind === 'dh') return `dh_${group.bits}`
  return groups.get(group.code) ?? hex16(group.code)
}

/** `unknown_ca`, or `0x9c` for a number without a name. */
export function alertName(code: number): string {
  return alerts.get(code) ?? hex8(code)
}

function counted(first: number, names: string): (readonly [number, string])[] {
  return names.split(' ').map((name, index) => [first + index, name])
}
