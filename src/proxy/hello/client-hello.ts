/** What peeking finds: the parsed ClientHello, or why there is none. Types only. */

/** Final, like `hello`. `detail` is one line for a log: numbers and hex only, never a client's bytes as they came. */
export interface HelloRejection {
  readonly kind: 'not_tls' | 'sslv2' | 'malformed' | 'too_large'
  readonly detail: string
}

/**
 * `none`: no host name was sent. `name`: letters, digits, hyphens and underscores in labels of 1 to 63 bytes, 253 in
 * all. `ip_literal`: RFC 6066 section 3 forbids it and clients send it. `invalid`: anything else.
 */
export type ServerNameKind = 'none' | 'name' | 'ip_literal' | 'invalid'

/** Holds no reference to the bytes it was read from. Lists are complete: whoever records them truncates them. */
export interface ClientHello {
  /**
   * The host name as sent, lower-cased (A-Z only); any byte outside printable ASCII, and the backslash, is `\xNN`.
   * Shows the first 255 bytes: a longer one is no name, and `serverNameBytes` tells. Null: none was sent.
   */
  readonly serverName: string | null
  /** Length as sent, 0 for none. */
  readonly serverNameBytes: number
  readonly serverNameKind: ServerNameKind
  /** What routes are compared with: lower case, one trailing dot stripped. Null unless `serverNameKind` is `name`. */
  readonly matchName: string | null
  readonly trailingDot: boolean
  /** In the client's order; escaped like `serverName`, case kept. */
  readonly alpn: readonly string[]
  /** First protocol, one character per byte and not escaped: for JA4, which looks at its first and last byte. */
  readonly alpnFirstRaw: string | null
  readonly legacyVersion: number
  /** At most 32 bytes, empty for none: whether a server resumes by it shows in its answer (RFC 5246, section 7.4.1.3). */
  readonly sessionId: Uint8Array
  /** As sent, GREASE and unknown ones included. Null: the extension is absent. */
  readonly supportedVersions: readonly number[] | null
  /** Offered versions without GREASE, in the client's order: `TLSv1.3`, or `0x7f1c` where there is no name. */
  readonly tlsVersions: readonly string[]
  readonly cipherSuites: readonly number[]
  /** Types in wire order, GREASE included. */
  readonly extensions: readonly number[]
  readonly signatureAlgorithms: readonly number[]
  readonly supportedGroups: readonly number[]
  /** True for real and for GREASE ECH, which nobody on the path can tell apart: the name may be a public outer one. */
  readonly echOffered: boolean
  /** The handshake message with its four-byte header. */
  readonly helloBytes: number
  /** From the first byte of the connection to the last of the message, record headers included. */
  readonly wireBytes: number
  readonly recordCount: number
}
