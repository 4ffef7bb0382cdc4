/** Builds what backends and clients say in a handshake, byte by byte: for what no real one says. */
import { extension, handshake, record, uint16, vector8, vector16 } from './tls-hellos.ts'

export const retryRequestRandom = Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex')

export interface ServerHelloParts {
  readonly legacyVersion?: number
  readonly random?: Uint8Array
  readonly sessionId?: Uint8Array
  readonly cipher?: number
  /** Null leaves the block out. */
  readonly extensions?: readonly Uint8Array[] | null
  readonly tail?: Uint8Array
}

export function serverHelloBody(parts: ServerHelloParts = {}): Buffer {
  return Buffer.concat([
    uint16(parts.legacyVersion ?? 0x0303),
    parts.random ?? Buffer.alloc(32, 0xbb),
    vector8(parts.sessionId ?? Buffer.alloc(0)),
    uint16(parts.cipher ?? 0xc02f),
    Buffer.from([0]),
    ...(parts.extensions === null || parts.extensions === undefined ? [] : [vector16(...parts.extensions)]),
    parts.tail ?? Buffer.alloc(0),
  ])
}

/** The message in one record. */
export function serverHello(parts: ServerHelloParts = {}): Buffer {
  return record(handshake(2, serverHelloBody(parts)))
}

export function chosenVersion(version: number): Buffer {
  return extension(0x002b, uint16(version))
}

export function keyShare(group: number): Buffer {
  return extension(0x0033, Buffer.concat([uint16(group), vector16(Buffer.alloc(32, 7))]))
}

export const acceptedPsk = extension(0x0029, uint16(0))

export function serverHello13(cipher = 0x1301, extensions: readonly Uint8Array[] = [keyShare(29)], version = 0x0304): Buffer {
  return serverHello({ cipher, extensions: [chosenVersion(version), ...extensions] })
}

export function retryRequest(cipher = 0x1301, group = 24): Buffer {
  return serverHello({ cipher, random: retryRequestRandom, extensions: [chosenVersion(0x0304), extension(0x0033, uint16(group))] })
}

export const changeCipherSpec = record(Buffer.from([1]), 20)
/** TLS 1.2 and before: looks like a Finished from outside. */
export const encryptedFinished = record(Buffer.alloc(40, 0x99), 22)

export function alert(code: number, level = 2): Buffer {
  return record(Buffer.from([level, code]), 21)
}

export function encrypted(bytes: number): Buffer {
  return record(Buffer.alloc(bytes, 0x99), 23)
}

/** Any handshake message in a record of its own. */
export function message(type: number, body: Uint8Array = Buffer.alloc(9)): Buffer {
  return record(handshake(type, body))
}

export const clientHello = message(1, Buffer.alloc(100))

/** What follows a ServerHello of TLS 1.2: Certificate, ServerKeyExchange with x25519, ServerHelloDone. */
export const flight12 = [message(11), message(12, Buffer.from([3, 0, 29, 5, 6, 7])), message(14, Buffer.alloc(0))] as const
