/**
 * Takes a well-formed ClientHello message apart and puts it together again, so that tests can change its structure rather
 * than its bytes. Reads on its own, without the parser that it is there to test.
 */
import { handshake, uint16, vector16, vector8 } from './tls-hellos.ts'

export interface Extension {
  readonly type: number
  readonly body: Buffer
}

export interface Structure {
  /** Legacy version and random. */
  readonly head: Buffer
  readonly sessionId: Buffer
  readonly cipherSuites: Buffer
  readonly compression: Buffer
  readonly extensions: readonly Extension[]
}

export function structureOf(message: Buffer): Structure {
  const reader = new Reader(message, 4)
  const head = reader.take(34)
  const sessionId = reader.vector(1)
  const cipherSuites = reader.vector(2)
  const compression = reader.vector(1)
  const extensions: Extension[] = []
  for (const block = new Reader(reader.vector(2), 0); block.left > 0;)
    extensions.push({ type: block.number(2), body: block.vector(2) })
  return { head, sessionId, cipherSuites, compression, extensions }
}

export function messageOf({ head, sessionId, cipherSuites, compression, extensions }: Structure): Buffer {
  const block = vector16(...extensions.map(({ type, body }) => Buffer.concat([uint16(type), vector16(body)])))
  return handshake(1, Buffer.concat([head, vector8(sessionId), vector16(cipherSuites), vector8(compression), block]))
}

/** A field that says how long something is. */
export interface LengthField {
  readonly what: string
  readonly at: number
  readonly bytes: 1 | 2 | 3
}

/** How the lists in extensions nest that a router or a record reads: bytes of the length of the list, and of its entries. */
const lists: ReadonlyMap<number, readonly [list: 1 | 2, entryHeader: number, entry: 1 | 2 | null]> = new Map([
  [0x0000, [2, 1, 2]],
  [0x000a, [2, 0, null]],
  [0x000d, [2, 0, null]],
  [0x0010, [2, 0, 1]],
  [0x002b, [1, 0, null]],
])

/** All of them, but for those in extensions that are opaque here. */
export function lengthFieldsOf(message: Buffer): LengthField[] {
  const fields: LengthField[] = [{ what: 'handshake', at: 1, bytes: 3 }]
  let at = 38
  for (const [what, bytes] of [
    ['session id', 1],
    ['cipher suites', 2],
    ['compression', 1],
  ] as const) {
    fields.push({ what, at, bytes })
    at += bytes + message.readUIntBE(at, bytes)
  }
  fields.push({ what: 'extensions', at, bytes: 2 })
  at += 2
  while (at < message.length) {
    const type = message.readUInt16BE(at)
    const end = at + 4 + message.readUInt16BE(at + 2)
    fields.push({ what: `extension ${type}`, at: at + 2, bytes: 2 }, ...fieldsInside(message, type, at + 4, end))
    at = end
  }
  return fields
}

function fieldsInside(message: Buffer, type: number, start: number, end: number): LengthField[] {
  const list = lists.get(type)
  if (list === undefined) return []
  const [listBytes, entryHeader, entryBytes] = list
  const fields: LengthField[] = [{ what: `list in extension ${type}`, at: start, bytes: listBytes }]
  if (entryBytes === null) return fields
  for (
    let at = start + listBytes + entryHeader;
    at < end;
    at += entryBytes + message.readUIntBE(at, entryBytes) + entryHeader
  ) {
    fields.push({ what: `entry in extension ${type}`, at, bytes: entryBytes })
  }
  return fields
}

/** The same message, of which one length says more or less than it did. */
export function withLength(message: Buffer, { at, bytes }: LengthField, difference: number): Buffer {
  const changed = Buffer.from(message)
  const all = 2 ** (8 * bytes)
  changed.writeUIntBE((message.readUIntBE(at, bytes) + difference + all) % all, at, bytes)
  return changed
}

class Reader {
  readonly #bytes: Buffer
  #at: number

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes
    this.#at = at
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  take(length: number): Buffer {
    if (length > this.left) throw new Error('the hello to start from is not well-formed')
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  number(bytes: 1 | 2): number {
    return this.take(bytes).readUIntBE(0, bytes)
  }

  vector(lengthBytes: 1 | 2): Buffer {
    return this.take(this.number(lengthBytes))
  }
}
