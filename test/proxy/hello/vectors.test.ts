import { describe, expect, test } from 'vitest'
import type { ClientHello } from '../../../src/proxy/hello/client-hello.ts'
import { HelloParser } from '../../../src/proxy/hello/parser.ts'
import { cut } from '../../support/tls-hellos.ts'
import { helloOf, judge, judgeByteByByte, judgeChunks, limits, unframed } from '../../support/tls-hellos-judge.ts'
import {
  type Expected,
  type FirstBytesVector,
  skipReason,
  type Vector,
  vectorsMissing,
  vectorsOf,
  wireOf,
} from '../../support/tls-hellos-vectors.ts'

/** [file, vectors in it, hellos among them that must be read] */
const files = [
  ['clienthello-foxio.json', 91, 91],
  ['clienthello-ndpi.json', 420, 419],
  ['clienthello-zeek.json', 75, 75],
  ['clienthello-suricata.json', 112, 112],
  ['clienthello-live.json', 23, 23],
  ['clienthello-handcrafted.json', 39, 19],
  ['clienthello-refragmented.json', 70, 70],
] as const

/** Up to this size a parser of its own judges every strict prefix; above it, every 97th and all around record headers. */
const everyPrefixBytesMax = 20_000

/** Some 600,000 prefixes: about a second, and more on a busy machine. */
const slowTestTimeoutMs = 60_000

const mustBeRead = (vector: Vector) => (vector.expected.status ?? 'ok') === 'ok' && vector.go_crypto_tls_error === undefined

if (vectorsMissing) {
  test('the shared vectors are there', context => {
    if (process.env['CI'] !== undefined) expect.unreachable(skipReason)
    context.skip(skipReason)
  })
}

describe.skipIf(vectorsMissing)('ClientHello vectors', () => {
  test.each(files)('%s: %i vectors, of which %i are hellos', (file, count, hellos) => {
    expect(vectorsOf(file)).toHaveLength(count)
    expect(vectorsOf(file).filter(mustBeRead)).toHaveLength(hellos)
  })

  describe.each(files)('%s', file => {
    const vectors = vectorsOf(file).filter(mustBeRead)

    test('what each hello says', () => {
      for (const vector of vectors) expect(described(vector)).toEqual(wanted(vector.expected, vector.id))
    })

    test('the same answer for every cut, and with 64 KiB after it', () => {
      for (const vector of vectors) {
        const wire = wireOf(vector)
        const verdict = judge(wire)
        expect([vector.id, verdict.kind]).toEqual([vector.id, 'hello'])
        for (const chunks of cutsOf(vector, wire)) {
          expect(Buffer.concat(chunks).subarray(0, wire.length).equals(wire)).toBe(true)
          expect([vector.id, judgeChunks(chunks)]).toEqual([vector.id, verdict])
        }
      }
    })

    test('every strict prefix says nothing', () => {
      for (const vector of vectors) {
        const wire = wireOf(vector)
        const needed = helloOf(judge(wire)).wireBytes
        expect([vector.id, firstVerdictAt(wire)]).toEqual([vector.id, needed])
        const loud = prefixesOf(wire, needed).filter(length => judge(wire.subarray(0, length)).kind !== 'incomplete')
        expect([vector.id, loud]).toEqual([vector.id, []])
        expect([vector.id, needed]).toEqual([vector.id, wire.length])
      }
    }, slowTestTimeoutMs)
  })

  test('a re-cut hello says all that the original says', () => {
    const originals = new Map(files.flatMap(([file]) => vectorsOf(file)).map(vector => [vector.id, vector]))
    let compared = 0
    for (const vector of vectorsOf('clienthello-refragmented.json')) {
      const original = originals.get(vector.derived_from ?? '')
      if (original === undefined) continue
      expect([vector.id, unframed(judge(wireOf(vector)))]).toEqual([vector.id, unframed(judge(wireOf(original)))])
      compared++
    }
    expect(compared).toBe(50)
  })

  test('recipes give the sizes they name', () => {
    for (const vector of vectorsOf('clienthello-refragmented.json')) {
      if (vector.handshake_message_bytes === undefined) continue
      expect([vector.id, helloOf(judge(wireOf(vector))).helloBytes]).toEqual([vector.id, vector.handshake_message_bytes])
    }
  })

  test('hand-made wrong ones are refused as what they are, in one chunk and byte by byte', () => {
    for (const vector of vectorsOf('clienthello-handcrafted.json')) {
      const wire = wireOf(vector)
      const kind = kindOfStatus(vector.expected.status)
      expect([vector.id, judge(wire).kind]).toEqual([vector.id, kind])
      expect([vector.id, judgeByteByByte(wire)]).toEqual([vector.id, judge(wire)])
    }
  })

  test("the one capture that Go can't read is refused", () => {
    const unreadable = vectorsOf('clienthello-ndpi.json').filter(vector => vector.go_crypto_tls_error !== undefined)
    expect(unreadable.map(vector => judge(wireOf(vector)).kind)).toEqual(['malformed'])
  })
})

describe.skipIf(vectorsMissing)('hellos that something else comes before', () => {
  const vectors = files.flatMap(([file]) => vectorsOf(file)).filter(vector => typeof vector.prefix_hex === 'string')

  test('the prefix decides: CONNECT, STARTTLS and SSLRequest are not TLS', () => {
    expect(vectors.length).toBeGreaterThan(0)
    for (const vector of vectors) {
      const prefix = Buffer.from(vector.prefix_hex ?? '', 'hex')
      expect([vector.id, judge(Buffer.concat([prefix, wireOf(vector)])).kind]).toEqual([vector.id, 'not_tls'])
    }
  })
})

describe.skipIf(vectorsMissing)('first bytes of other protocols', () => {
  const vectors = vectorsOf<FirstBytesVector>('first-bytes-not-tls.json')

  test('98 sessions', () => {
    expect(vectors).toHaveLength(98)
  })

  test('what the client says first is not TLS by its fourth byte, however cut', () => {
    for (const vector of vectors) {
      const spoken = vector.kind === 'server_first' ? vector.client_first_bytes_after_greeting_hex : vector.first_bytes_hex
      const bytes = Buffer.from(spoken ?? '', 'hex')
      if (bytes.length === 0) continue
      expect([vector.id, judge(bytes).kind]).toEqual([vector.id, 'not_tls'])
      expect([vector.id, judgeByteByByte(bytes)]).toEqual([vector.id, judge(bytes)])
      expect(firstVerdictAt(bytes)).toBeLessThanOrEqual(4)
    }
  })

  test("a server's greeting would not be taken for a hello either", () => {
    for (const vector of vectors) expect(judge(Buffer.from(vector.first_bytes_hex, 'hex')).kind).not.toBe('hello')
  })
})

function kindOfStatus(status: string | undefined): string {
  if (status === 'sslv2_hello') return 'sslv2'
  return status === 'ok' ? 'hello' : (status ?? 'no status')
}

const hex4 = (numbers: readonly number[]) => numbers.map(number => number.toString(16).padStart(4, '0'))

/** The parsed hello in the vectors' own words, limited to what this vector says. */
function described(vector: Vector): unknown {
  const verdict = judge(wireOf(vector))
  if (verdict.kind !== 'hello') return { id: vector.id, verdict }
  const all = inVectorWords(verdict.hello)
  const keys = Object.keys(wanted(vector.expected, vector.id)) as (keyof typeof all)[]
  return Object.fromEntries(keys.map(key => [key, key === 'id' ? vector.id : all[key]]))
}

function inVectorWords(hello: ClientHello) {
  return {
    id: '',
    sni: hello.serverName,
    alpn: hello.alpn,
    legacy_version: hello.legacyVersion.toString(16).padStart(4, '0'),
    supported_versions: hello.supportedVersions === null ? null : hex4(hello.supportedVersions),
    cipher_suites: hex4(hello.cipherSuites),
    extensions: hex4(hello.extensions),
    signature_algorithms: hex4(hello.signatureAlgorithms),
    supported_groups: hex4(hello.supportedGroups),
    has_ech: hello.echOffered,
  }
}

function wanted(expected: Expected, id: string): Record<string, unknown> {
  const { sni, alpn, legacy_version, supported_versions, cipher_suites, extensions } = expected
  const { signature_algorithms, supported_groups, has_ech } = expected
  const said = {
    id,
    sni: typeof sni === 'string' ? escaped(Buffer.from(sni, 'latin1')).toLowerCase() : sni,
    alpn: expected.alpn_hex === undefined ? alpn : expected.alpn_hex.map(hex => escaped(Buffer.from(hex, 'hex'))),
    legacy_version,
    supported_versions,
    cipher_suites,
    extensions,
    signature_algorithms,
    supported_groups,
    has_ech,
  }
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined))
}

function escaped(bytes: Buffer): string {
  return bytes.toString('latin1').replaceAll(/[^!-~]|\\/g, character => `\\x${Buffer.from(character, 'latin1').toString('hex')}`)
}

function cutsOf(vector: Vector, wire: Buffer): Uint8Array[][] {
  const half = Math.ceil(wire.length / 2)
  const cuts = [cut(wire, [1]), cut(wire, [half]), [Buffer.concat([wire, Buffer.alloc(65_536, 0x16)])]]
  cuts.push([...cut(wire, [half]), Buffer.alloc(65_536)])
  const recordLengths = vector.tls_record_lengths
  if (recordLengths !== undefined) cuts.push(cut(wire, recordLengths.map(length => length + 5)))
  if (vector.tcp_segment_lengths !== undefined) cuts.push(cut(wire, vector.tcp_segment_lengths))
  if (vector.expected.suggested_tcp_segments !== undefined) cuts.push(cut(wire, vector.expected.suggested_tcp_segments))
  return cuts
}

/** One parser, one byte at a time: how many bytes until it said something. */
function firstVerdictAt(bytes: Buffer): number {
  const parser = new HelloParser(limits)
  for (let at = 0; at < bytes.length; at++) {
    if (parser.push(bytes.subarray(at, at + 1)).kind !== 'incomplete') return at + 1
  }
  return -1
}

function prefixesOf(wire: Buffer, needed: number): number[] {
  const lengths = Array.from({ length: needed }, (_, length) => length)
  if (wire.length <= everyPrefixBytesMax) return lengths
  return lengths.filter(length => length % 97 === 0 || length % 16_389 < 16 || length > needed - 16)
}
