import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HelloParser, type HelloVerdict } from '../../../src/proxy/hello/parser.ts'
import { alpn, cut, extension, helloMessage, payloadOf, record, records, serverName, supportedVersions } from '../../support/tls-hellos.ts'
import { sameForEveryCut, sizes } from '../../support/tls-hellos-cuts.ts'
import { judge, limits, unframed } from '../../support/tls-hellos-judge.ts'
import { ownHellos, wireOf } from '../../support/tls-hellos-vectors.ts'

const secretName = 'secret-name.example'

/** Handshake messages to start from: those of real clients, and hand-built ones that mutations break more easily. */
const messages: readonly Buffer[] = [
  helloMessage({ extensions: null }),
  helloMessage({ extensions: [serverName(secretName)] }),
  helloMessage({ extensions: [extension(0x5a5a), serverName(secretName), alpn('h2', 'x'), supportedVersions(0x0304, 0x0303)] }),
  ...ownHellos().map(vector => payloadOf(wireOf(vector))),
]

interface Mutation {
  readonly how: 'set' | 'add' | 'insert' | 'remove' | 'truncate'
  readonly where: number
  readonly byte: number
}

/** Not fc.double, which is next to 0 nearly always. */
const fraction = fc.integer({ min: 0, max: 9_999 }).map(value => value / 10_000)

/** Half of the places are drawn near the beginning: all else hangs on the fields there. */
const mutation: fc.Arbitrary<Mutation> = fc.record({
  how: fc.constantFrom('set', 'set', 'add', 'add', 'insert', 'remove', 'truncate'),
  where: fc.oneof(fraction, fraction.map(value => value ** 3)),
  byte: fc.oneof(fc.constantFrom(0, 1, 2, 3, 4, 255), fc.nat(255)),
})

function mutated(original: Buffer, mutations: readonly Mutation[]): Buffer {
  let bytes = Buffer.from(original)
  for (const { how, where, byte } of mutations) {
    const at = Math.floor(where * bytes.length)
    if (how === 'set') bytes[at] = byte
    else if (how === 'add') bytes[at] = (bytes[at] ?? 0) + (byte < 128 ? 1 : -1)
    else if (how === 'insert') bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from([byte]), bytes.subarray(at)])
    else if (how === 'remove') bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)])
    else if (byte < 16) bytes = bytes.subarray(0, at)
  }
  return bytes
}

/** The handshake header says the true length, so that mutations get past it to the structure. */
function withTrueLength(message: Buffer): Buffer {
  const fixed = Buffer.from(message)
  if (fixed.length >= 4) fixed.writeUIntBE(fixed.length - 4, 1, 3)
  return fixed
}

/** The short ones are drawn as often as all the others. */
const whichMessage = fc.oneof(fc.nat(2), fc.nat(messages.length - 1))
const mutations = fc.array(mutation, { maxLength: 4 })

function messageNumber(index: number): Buffer {
  const message = messages[index]
  if (message === undefined) throw new Error(`no message ${index}`)
  return message
}

describe('mutated hellos', () => {
  test('a message with true lengths: the same in every record framing and every cut', () => {
    const seen = new Set<string>()
    fc.assert(
      fc.property(whichMessage, mutations, sizes, sizes, (index, changes, recordSizes, chunkSizes) => {
        const message = withTrueLength(mutated(messageNumber(index), changes))
        const verdict = sameForEveryCut(records(message), chunkSizes)
        expect(unframed(sameForEveryCut(records(message, recordSizes), chunkSizes))).toEqual(unframed(verdict))
        seen.add(verdict.kind)
      }),
      { numRuns: 1_500 },
    )
    expect([...seen].toSorted()).toEqual(expect.arrayContaining(['hello', 'malformed']))
  })

  test('wire bytes, record headers included: the same in every cut', () => {
    const seen = new Set<string>()
    fc.assert(
      fc.property(whichMessage, mutations, sizes, sizes, (index, changes, recordSizes, chunkSizes) => {
        const wire = mutated(records(messageNumber(index), recordSizes), changes)
        seen.add(sameForEveryCut(wire, chunkSizes).kind)
      }),
      { numRuns: 1_500 },
    )
    expect([...seen].toSorted()).toEqual(expect.arrayContaining(['hello', 'incomplete', 'malformed', 'not_tls']))
  })

  test('bytes of no origin', () => {
    const start = fc.constantFrom('', '16', '1603', '160301', '1603010100', '1603010100010000fc0303', '80', '802e01')
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 400 }), sizes, (hex, bytes, chunkSizes) => {
        sameForEveryCut(Buffer.concat([Buffer.from(hex, 'hex'), bytes]), chunkSizes)
      }),
      { numRuns: 1_000 },
    )
  })

  test('the first final verdict is never taken back, and is the verdict of all longer inputs', () => {
    fc.assert(
      fc.property(whichMessage, mutations, sizes, fc.uint8Array({ maxLength: 40 }), (index, changes, recordSizes, after) => {
        const wire = Buffer.concat([mutated(records(messageNumber(index), recordSizes), changes), after])
        const parser = new HelloParser(limits)
        let first: HelloVerdict | null = null
        for (const chunk of cut(wire, [1])) {
          const verdict = parser.push(chunk)
          if (first !== null) expect(verdict).toBe(first)
          else if (verdict.kind !== 'incomplete') first = verdict
        }
        expect(judge(wire)).toEqual(first ?? { kind: 'incomplete' })
      }),
      { numRuns: 500 },
    )
  })

  test('chunks are left as they were, and details never carry a client\'s bytes', () => {
    fc.assert(
      fc.property(whichMessage, mutations, sizes, (index, changes, recordSizes) => {
        const wire = mutated(records(messageNumber(index), recordSizes), changes)
        const before = Buffer.from(wire)
        const verdict = judge(wire)
        expect(wire.equals(before)).toBe(true)
        if (verdict.kind === 'incomplete' || verdict.kind === 'hello') return
        expect(verdict.detail).toMatch(/^[ -~]{1,100}$/)
        expect(verdict.detail).not.toMatch(/secret|example|http/)
      }),
      { numRuns: 500 },
    )
  })
})

describe('hellos made from parts', () => {
  const label = fc.stringMatching(/^[a-zA-Z0-9_][a-zA-Z0-9_-]{0,20}$/)
  const name = fc.array(label, { minLength: 1, maxLength: 5 }).map(labels => `${labels.join('.')}.x`)
  const protocol = fc.stringMatching(/^[!-[\]-~]{1,20}$/)
  const number = fc.nat(0xffff)

  test('say what was put into them', () => {
    fc.assert(
      fc.property(
        name,
        fc.array(protocol, { minLength: 1, maxLength: 6 }),
        fc.array(number, { minLength: 1, maxLength: 40 }),
        fc.uniqueArray(fc.integer({ min: 100, max: 0xfd00 }), { maxLength: 20 }),
        fc.uint8Array({ maxLength: 32 }),
        sizes,
        (host, protocols, numbers, types, sessionId, recordSizes) => {
          const u16s = Buffer.concat(numbers.map(value => Buffer.from([value >> 8, value & 0xff])))
          const length = Buffer.from([u16s.length >> 8, u16s.length & 0xff])
          const lists = [10, 13].map(type => extension(type, Buffer.concat([length, u16s])))
          const opaque = types.map(type => extension(type, sessionId))
          const message = helloMessage({
            sessionId,
            cipherSuites: Buffer.concat([length, u16s]),
            extensions: [...opaque, ...lists, serverName(host), alpn(...protocols), supportedVersions(...numbers)],
          })
          const verdict = judge(records(message, recordSizes))
          expect(verdict).toMatchObject({
            kind: 'hello',
            hello: {
              serverName: host.toLowerCase(),
              matchName: host.toLowerCase(),
              alpn: protocols,
              alpnFirstRaw: protocols[0],
              cipherSuites: numbers,
              supportedGroups: numbers,
              signatureAlgorithms: numbers,
              supportedVersions: numbers,
              extensions: [...types, 10, 13, 0, 16, 43],
              helloBytes: message.length,
            },
          })
        },
      ),
      { numRuns: 500 },
    )
  })

  test('names of any bytes are shown in printable ASCII and match only when they are names', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), bytes => {
        const verdict = judge(record(helloMessage({ extensions: [serverName(bytes)] })))
        if (verdict.kind !== 'hello') throw new Error('a well-formed hello was refused')
        expect(verdict.hello.serverName).toMatch(/^[!-~]+$/)
        expect(verdict.hello.serverNameBytes).toBe(bytes.length)
        if (verdict.hello.matchName !== null) expect(verdict.hello.matchName).toMatch(/^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/)
      }),
      { numRuns: 500 },
    )
  })
})
