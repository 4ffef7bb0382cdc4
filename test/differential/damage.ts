/** Hellos that are wrong on purpose, each in one way, and other first bytes: none of them may reach a pool. */
import type { SeededRandom } from '../simulation/seeded-random.ts'
import { cut, handshake, record, records, uint16, vector16, vector8 } from '../support/tls-hellos.ts'
import {
  extensionServerName, extensionSupportedGroups, extensionsLengthAt, nameAt, nameList, padded, putTogether, takeApart, withLength,
  withOneMore, withServerName,
} from './hello-edits.ts'

/** What is damaged: a hello that would be routed by its name, and the name of another pool. */
export interface Sound {
  readonly message: Buffer
  readonly name: string
  readonly otherName: string
}

export interface Damage {
  readonly what: string
  readonly group: 'framing' | 'message' | 'name' | 'no hello'
  /** Why Waybill refuses it. */
  readonly because: string
  /** The client says that it will send nothing more. */
  readonly ends?: true
  /** Refusing it is Waybill's own choice: where another proxy may send it, to the pool it names or as an unknown name. */
  readonly elsewhere?: 'named' | 'default'
  wire(sound: Sound, random: SeededRandom): Buffer
}

const recordTypeChangeCipherSpec = 20
const recordTypeAlert = 21
const recordTypeData = 23
const alertBytes = Buffer.from([1, 0])
const extensionUnassigned = 0xfa00
/** One more than RFC 8446, section 5.1 allows. */
const recordBytesTooMany = 16_385

const framing: readonly Damage[] = [
  of('framing', 'an empty record first', ({ message }) => Buffer.concat([record(Buffer.alloc(0)), records(message)])),
  of('framing', 'an empty record inside', between(record(Buffer.alloc(0)))),
  of('framing', 'an alert between two records', between(record(alertBytes, recordTypeAlert))),
  of('framing', 'a change_cipher_spec between two records', between(record(Buffer.from([1]), recordTypeChangeCipherSpec))),
  of('framing', 'data between two records', between(record(Buffer.from('data'), recordTypeData))),
  of('framing', 'a record of 16,385 bytes', ({ message }) => record(padded(message, recordBytesTooMany))),
  {
    ...of('framing', 'cut off, and the client ends', ({ message }, random) => {
      const wire = records(message)
      return wire.subarray(0, random.integer(6, wire.length - 1))
    }),
    because: 'client_gone',
    ends: true,
  },
]

const wrongMessage: readonly Damage[] = [
  { ...of('message', 'says one byte more than it has', ({ message }) => records(withLength(message, 2, 1))), because: 'peek_timeout' },
  of('message', 'says one byte less than it has', ({ message }) => records(withLength(message, 2, -1))),
  of('message', 'another handshake message in its place', ({ message }) => records(handshake(2, message.subarray(4)))),
  of('message', 'session id of 33 bytes', ({ message }) => records(withSessionId(message, 33))),
  of('message', 'cipher suites of an odd length', ({ message }) => records(withLength(message, cipherSuitesAt(message), 1))),
  of('message', 'extensions say one byte more', ({ message }) => records(withLength(message, extensionsLengthAt(message), 1))),
  of('message', 'extensions say one byte less', ({ message }) => records(withLength(message, extensionsLengthAt(message), -1))),
  of('message', 'a byte behind the extensions', ({ message }) =>
    records(handshake(1, Buffer.concat([message.subarray(4), Buffer.alloc(1)])))),
  of('message', 'two server_name extensions', ({ message, otherName }) =>
    records(withOneMore(message, { type: extensionServerName, body: nameList(otherName) }))),
  of('message', 'another extension twice', ({ message }) =>
    records(withOneMore(message, takeApart(message).extensions.find(({ type }) => type === extensionSupportedGroups)!))),
  {
    ...of('message', 'more than 64 KiB', ({ message }) =>
      records(withOneMore(padded(message, 30_000), { type: extensionUnassigned, body: Buffer.alloc(36_000) }))),
    because: 'hello_too_large',
    elsewhere: 'named',
  },
]

const wrongName: readonly Damage[] = [
  of('name', 'two names in one list', ({ message, name, otherName }) => records(withServerName(message, nameList(name, otherName)))),
  of('name', 'one name twice in one list', ({ message, name }) => records(withServerName(message, nameList(name, name)))),
  of('name', 'name says one byte more', ({ message }) => records(withLength(message, nameAt(message) - 2, 1))),
  of('name', 'name says one byte less', ({ message }) => records(withLength(message, nameAt(message) - 2, -1))),
  of('name', 'list says one byte more', ({ message }) => records(withLength(message, nameAt(message) - 5, 1))),
  of('name', 'list says one byte less', ({ message }) => records(withLength(message, nameAt(message) - 5, -1))),
  of('name', 'a byte behind the list', ({ message, name }) =>
    records(withServerName(message, Buffer.concat([nameList(name), Buffer.alloc(1)])))),
  of('name', 'an empty list', ({ message }) => records(withServerName(message, vector16()))),
  of('name', 'an empty name', ({ message }) => records(withServerName(message, nameList('')))),
  odd('a name with a NUL and more behind it', (name) => `${name}\0.example`),
  odd('a name with a line break behind it', (name) => `${name}\r\n`),
  odd('a name with a space before it', (name) => ` ${name}`),
  odd('a name with a byte that is not ASCII', (name) => `\xe9${name}`),
  odd('a name with an empty label', (name) => `.${name}`),
  odd('a name with two dots at its end', (name) => `${name}..`),
  odd('a label of 64 bytes', (name) => `${'a'.repeat(64)}.${name}`),
  odd('a name of more than 255 bytes', (name) => `${'a.'.repeat(128)}${name}`),
]

const noHello: readonly Damage[] = [
  { ...of('no hello', 'SSLv2 hello', (_sound, random) => sslv2Hello(random)), because: 'sslv2' },
  plain('HTTP request', ({ name }) => Buffer.from(`GET / HTTP/1.1\r\nHost: ${name}\r\n\r\n`)),
  plain('SSH banner', () => Buffer.from('SSH-2.0-OpenSSH_9.2\r\n')),
  plain('PostgreSQL SSLRequest', () => Buffer.from('0000000804d2162f', 'hex')),
  plain('SMTP EHLO', ({ name }) => Buffer.from(`EHLO ${name}\r\n`)),
  plain('the message without a record', ({ message }) => message),
  plain('a TLS alert', () => record(alertBytes, recordTypeAlert)),
  plain('random bytes', (_sound, random) => Buffer.concat([Buffer.from([random.integer(32, 126)]), randomBytes(random, 300)])),
]

export const damages: readonly Damage[] = [...framing, ...wrongMessage, ...wrongName, ...noHello]

function of(group: Damage['group'], what: string, wire: Damage['wire']): Damage {
  return { what, group, because: 'hello_malformed', wire }
}

function odd(what: string, change: (name: string) => string): Damage {
  const wire: Damage['wire'] = ({ message, name }) => records(withServerName(message, nameList(Buffer.from(change(name), 'latin1'))))
  return { ...of('name', what, wire), elsewhere: 'default' }
}

function plain(what: string, wire: Damage['wire']): Damage {
  return { ...of('no hello', what, wire), because: 'not_tls' }
}

/** The hello in two records with something between them, which RFC 8446, section 5.1 forbids. */
function between(strange: Buffer): Damage['wire'] {
  return ({ message }, random) => {
    const [first, second] = cut(message, [random.integer(1, message.length - 1), message.length])
    return Buffer.concat([record(first!), strange, record(second!)])
  }
}

function withSessionId(message: Buffer, bytes: number): Buffer {
  const { front, extensions } = takeApart(message)
  const afterId = front.subarray(35 + front.readUInt8(34))
  return putTogether({ front: Buffer.concat([front.subarray(0, 34), vector8(Buffer.alloc(bytes, 1)), afterId]), extensions })
}

function randomBytes(random: SeededRandom, count: number): Buffer {
  const bytes = Buffer.alloc(count)
  random.fill(bytes)
  return bytes
}

function cipherSuitesAt(message: Buffer): number {
  return 39 + message.readUInt8(38)
}

/** RFC 5246, appendix E.2: two-byte record header, three-byte cipher specs, no session id, a challenge of 16 bytes. */
function sslv2Hello(random: SeededRandom): Buffer {
  const specs = Buffer.from('0100800700c0030080', 'hex')
  const lengths = [specs.length, 0, 16].map((length) => uint16(length))
  const body = Buffer.concat([Buffer.from([1, 3, 1]), ...lengths, specs, randomBytes(random, 16)])
  return Buffer.concat([uint16(0x8000 | body.length), body])
}
