/** Builds ClientHellos byte by byte, right and wrong ones, and cuts them into TLS records and chunks. */

export function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff])
}

export function vector8(...parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([body.length]), body])
}

export function vector16(...parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([uint16(body.length), body])
}

export function uint16s(...values: number[]): Buffer {
  return Buffer.concat(values.map(uint16))
}

export function extension(type: number, body: Uint8Array = Buffer.alloc(0)): Buffer {
  return Buffer.concat([uint16(type), vector16(body)])
}

export function nameEntry(name: string | Uint8Array, type = 0): Buffer {
  return Buffer.concat([Buffer.from([type]), vector16(typeof name === 'string' ? Buffer.from(name, 'latin1') : name)])
}

export function serverName(name: string | Uint8Array): Buffer {
  return extension(0x0000, vector16(nameEntry(name)))
}

export function alpn(...protocols: string[]): Buffer {
  return extension(0x0010, vector16(...protocols.map(protocol => vector8(Buffer.from(protocol, 'latin1')))))
}

export function supportedVersions(...versions: number[]): Buffer {
  return extension(0x002b, vector8(uint16s(...versions)))
}

export interface HelloParts {
  type?: number
  legacyVersion?: number
  sessionId?: Uint8Array
  /** With its length field. */
  cipherSuites?: Uint8Array
  /** With its length field. */
  compression?: Uint8Array
  /** Null leaves the block out. */
  extensions?: readonly Uint8Array[] | null
  /** Bytes after the extensions, inside the message. */
  tail?: Uint8Array
}

/** The handshake message, with its header. */
export function helloMessage(parts: HelloParts = {}): Buffer {
  const body = Buffer.concat([
    uint16(parts.legacyVersion ?? 0x0303),
    Buffer.alloc(32, 0xaa),
    vector8(parts.sessionId ?? Buffer.alloc(0)),
    parts.cipherSuites ?? vector16(uint16s(0x1301, 0xc02f)),
    parts.compression ?? vector8(Buffer.from([0])),
    ...(parts.extensions === null ? [] : [vector16(...(parts.extensions ?? [serverName('api.vector.example')]))]),
    parts.tail ?? Buffer.alloc(0),
  ])
  return handshake(parts.type ?? 1, body)
}

export function handshake(type: number, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([type, body.length >> 16]), uint16(body.length & 0xffff), body])
}

export function record(payload: Uint8Array, type = 0x16, version = 0x0301): Buffer {
  return Buffer.concat([Buffer.from([type]), uint16(version), vector16(payload)])
}

/** Cuts into pieces of the given sizes, over and over; the last piece is what is left. */
export function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = []
  let at = 0
  for (let turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? bytes.length
    pieces.push(bytes.subarray(at, at + size))
    at += size
  }
  return pieces
}

/** The message in TLS records of the given sizes, over and over. */
export function records(message: Uint8Array, sizes: readonly number[] = [16_384]): Buffer {
  return Buffer.concat(cut(message, sizes).map(piece => record(piece)))
}

/** The handshake bytes of a sequence of whole records. */
export function payloadOf(wire: Buffer): Buffer {
  const payloads: Buffer[] = []
  for (let at = 0; at + 5 <= wire.length; at += 5 + wire.readUInt16BE(at + 3)) {
    payloads.push(wire.subarray(at + 5, at + 5 + wire.readUInt16BE(at + 3)))
  }
  return Buffer.concat(payloads)
}

/**
 * Where the record ends that completes the handshake message at the beginning of `wire`; null while it is not there.
 * Knows nothing but lengths, so that what the parser says can be compared with it.
 */
export function helloEnd(wire: Buffer): number | null {
  const message: Buffer[] = []
  let messageBytes = 0
  for (let at = 0; at + 5 <= wire.length;) {
    const end = at + 5 + wire.readUInt16BE(at + 3)
    if (end > wire.length) return null
    message.push(wire.subarray(at + 5, end))
    messageBytes += end - at - 5
    if (messageBytes >= 4 && messageBytes >= 4 + Buffer.concat(message).readUIntBE(1, 3)) return end
    at = end
  }
  return null
}
