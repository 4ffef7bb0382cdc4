/** Takes a ClientHello of a real client apart and puts it together again, with other extensions, right or wrong on purpose. */
import { extension, handshake, nameEntry, uint16, vector16 } from '../support/tls-hellos.ts'

export const extensionServerName = 0x0000
export const extensionSupportedGroups = 0x000a
const extensionPadding = 0x0015
const extensionPreSharedKey = 0x0029

const handshakeHeaderBytes = 4
const versionAndRandomBytes = 34

export interface Extension {
  readonly type: number
  readonly body: Buffer
}

export interface TakenApart {
  /** Version, random, session id, cipher suites and compression methods, as they were. */
  readonly front: Buffer
  readonly extensions: readonly Extension[]
}

/** `message` is a whole handshake message of a client that is right. */
export function takeApart(message: Buffer): TakenApart {
  let at = handshakeHeaderBytes + versionAndRandomBytes
  at += 1 + message.readUInt8(at)
  at += 2 + message.readUInt16BE(at)
  at += 1 + message.readUInt8(at)
  const front = message.subarray(handshakeHeaderBytes, at)
  const extensions: Extension[] = []
  for (at += 2; at < message.length; ) {
    const end = at + 4 + message.readUInt16BE(at + 2)
    extensions.push({ type: message.readUInt16BE(at), body: message.subarray(at + 4, end) })
    at = end
  }
  return { front, extensions }
}

export function putTogether({ front, extensions }: TakenApart): Buffer {
  return handshake(1, Buffer.concat([front, vector16(...extensions.map(({ type, body }) => extension(type, body)))]))
}

/** With other content of the server_name extension, which is added in front where there was none. */
export function withServerName(message: Buffer, body: Buffer): Buffer {
  const { front, extensions } = takeApart(message)
  const own = { type: extensionServerName, body }
  const others = extensions.filter(({ type }) => type !== extensionServerName)
  return putTogether({ front, extensions: [own, ...others] })
}

export function nameList(...names: readonly (string | Uint8Array)[]): Buffer {
  return vector16(...names.map((name) => nameEntry(name)))
}

export function withName(message: Buffer, name: string): Buffer {
  return withServerName(message, nameList(name))
}

/** Before the last extension: a pre-shared key has to stay the last one (RFC 8446, section 4.2.11). */
export function withOneMore(message: Buffer, added: Extension): Buffer {
  const { front, extensions } = takeApart(message)
  const last = extensions.at(-1)?.type === extensionPreSharedKey ? -1 : extensions.length
  return putTogether({ front, extensions: extensions.toSpliced(last, 0, added) })
}

/** With a padding extension (RFC 7685) that makes the message `bytes` long, or as it is when it is as long already. */
export function padded(message: Buffer, bytes: number): Buffer {
  const { front, extensions } = takeApart(message)
  const bare = putTogether({ front, extensions: extensions.filter(({ type }) => type !== extensionPadding) })
  const missing = bytes - bare.length - 4
  return missing < 0 ? message : withOneMore(bare, { type: extensionPadding, body: Buffer.alloc(missing) })
}

/** A copy in which a two-byte length at `at` is another one. */
export function withLength(bytes: Buffer, at: number, change: number): Buffer {
  const copy = Buffer.from(bytes)
  uint16(copy.readUInt16BE(at) + change).copy(copy, at)
  return copy
}

/** Where the two-byte length of the extensions stands in the message. */
export function extensionsLengthAt(message: Buffer): number {
  return handshakeHeaderBytes + takeApart(message).front.length
}

/** Where the name itself begins, which is there. */
export function nameAt(message: Buffer): number {
  const body = takeApart(message).extensions.find(({ type }) => type === extensionServerName)?.body
  if (body === undefined) throw new Error('this hello has no server name')
  return body.byteOffset - message.byteOffset + 5
}
