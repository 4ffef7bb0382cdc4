import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ja4 } from '../../../src/proxy/hello/ja4.ts'
import { isGrease } from '../../../src/proxy/hello/versions.ts'
import { cut, nameEntry, payloadOf, record, records, uint16, vector16 } from '../../support/tls-hellos.ts'
import { sameForEveryCut, sizes } from '../../support/tls-hellos-cuts.ts'
import { helloOf, judge, judgeByteByByte, unframed } from '../../support/tls-hellos-judge.ts'
import {
  type Extension,
  lengthFieldsOf,
  messageOf,
  type Structure,
  structureOf,
  withLength,
} from '../../support/tls-hellos-structure.ts'
import { ownHellos, wireOf } from '../../support/tls-hellos-vectors.ts'

/** Hellos of real clients, changed where a parser may go wrong: in their structure, not in single bytes. */

const hellos = ownHellos().map(vector => ({ id: vector.id, message: payloadOf(wireOf(vector)) }))
const structures = hellos.map(({ message }) => structureOf(message))
const named = structures.filter(({ extensions }) => extensions.some(({ type }) => type === 0))
const helloIn = (structure: Structure) => helloOf(judge(records(messageOf(structure))))
const detailOf = (structure: Structure): string => {
  const verdict = judge(records(messageOf(structure)))
  return verdict.kind === 'malformed' ? verdict.detail : verdict.kind
}

const structure = fc.constantFrom(...structures)
const seed = fc.nat(0xffff_ffff)
const place = fc.nat(100)
const greaseValue = fc.nat(15).map(nibble => 0x0a0a + 0x1010 * nibble)
/** Extensions whose body nobody here reads. */
const isOpaque = ({ type }: Extension) => ![0x0000, 0x000a, 0x000d, 0x0010, 0x002b, 0xfe0d].includes(type)

function inserted<T>(list: readonly T[], at: number, item: T): T[] {
  return list.toSpliced(at % (list.length + 1), 0, item)
}

/** A permutation that is the same for the same seed. */
function shuffled<T>(list: readonly T[], seed: number): T[] {
  const result = [...list]
  let state = seed
  for (let last = result.length - 1; last > 0; last--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const other = state % (last + 1)
    ;[result[last], result[other]] = [result[other] as T, result[last] as T]
  }
  return result
}

test('taken apart and put together, a hello is the same', () => {
  for (const [index, { message }] of hellos.entries()) expect(messageOf(structures[index]!).equals(message)).toBe(true)
  expect(named.length).toBeGreaterThan(40)
})

/** Where the next one begins is moved too, and two of 50 hellos are well-formed that way as well. No other name comes of it. */
const mayMoveTheNext = (what: string) => /^extension \d|^entry in extension 16$/.test(what)

describe('every length that is one too large or too small', () => {
  test.each(hellos)('of $id', ({ message }) => {
    const fields = lengthFieldsOf(message)
    expect(fields.length).toBeGreaterThan(8)
    for (const field of fields) {
      for (const difference of [-1, 1]) {
        const wire = records(withLength(message, field, difference))
        const verdict = judge(wire)
        expect(judgeByteByByte(wire)).toEqual(verdict)
        if (verdict.kind === 'hello' && mayMoveTheNext(field.what)) {
          expect([null, helloOf(judge(records(message))).serverName]).toContain(verdict.hello.serverName)
          continue
        }
        const wanted = field.what === 'handshake' && difference === 1 ? 'incomplete' : 'malformed'
        expect([field.what, difference, verdict.kind]).toEqual([field.what, difference, wanted])
      }
    }
  })
})

describe('the list of extensions', () => {
  test('in another order it says the same, and JA4 does not change', () => {
    fc.assert(
      fc.property(structure, seed, (original, order) => {
        const before = helloIn(original)
        const after = helloIn({ ...original, extensions: shuffled(original.extensions, order) })
        expect({ ...after, extensions: new Set(after.extensions) }).toEqual({
          ...before,
          extensions: new Set(before.extensions),
        })
        expect(ja4(after)).toBe(ja4(before))
      }),
      { numRuns: 300 },
    )
  })

  test('an extension that is there twice is malformed, wherever, whichever, and whatever it holds', () => {
    fc.assert(
      fc.property(structure, place, place, fc.option(fc.uint8Array({ maxLength: 40 })), (original, which, where, body) => {
        const twice = original.extensions[which % original.extensions.length]!
        const again = body === null || !isOpaque(twice) ? twice : { type: twice.type, body: Buffer.from(body) }
        expect(detailOf({ ...original, extensions: inserted(original.extensions, where, again) })).toMatch(/ is there twice$/)
      }),
      { numRuns: 300 },
    )
  })

  test('a body that is opaque here may grow, shrink or be anything, and the rest says the same', () => {
    fc.assert(
      fc.property(structure, place, fc.uint8Array({ maxLength: 2_000 }), (original, which, body) => {
        const before = helloIn(original)
        const opaque = original.extensions.filter(isOpaque)
        const changed = opaque[which % opaque.length]!
        const extensions = original.extensions.map(one =>
          one === changed ? { type: one.type, body: Buffer.from(body) } : one,
        )
        const { helloBytes: _, wireBytes: __, recordCount: ___, ...after } = helloIn({ ...original, extensions })
        expect(before).toMatchObject(after)
      }),
      { numRuns: 300 },
    )
  })

  test('the body of one that is read, cut short or with a byte more, is malformed', () => {
    fc.assert(
      fc.property(fc.constantFrom(...named), place, fc.nat(0xff), (original, which, byte) => {
        const readable = original.extensions.filter(one => !isOpaque(one) && one.type !== 0xfe0d)
        const { type, body } = readable[which % readable.length]!
        for (const wrong of [
          Buffer.concat([body, Buffer.from([byte])]),
          body.subarray(0, body.length - 1),
          body.subarray(0, 1),
        ]) {
          const extensions = original.extensions.map(one => (one.type === type ? { type, body: wrong } : one))
          expect(judge(records(messageOf({ ...original, extensions }))).kind).toBe('malformed')
        }
      }),
      { numRuns: 200 },
    )
  })
})

describe('GREASE, wherever it is put', () => {
  const into = (list: Buffer, at: number, value: number) => {
    const before = 2 * (at % (list.length / 2 + 1))
    return Buffer.concat([list.subarray(0, before), uint16(value), list.subarray(before)])
  }
  /** Into the list of numbers that an extension holds behind its length. */
  const intoExtension = ({ type, body }: Extension, at: number, value: number): Extension => {
    const lengthBytes = type === 0x002b ? 1 : 2
    const list = into(body.subarray(lengthBytes), at, value)
    return { type, body: Buffer.concat([lengthBytes === 1 ? Buffer.from([list.length]) : uint16(list.length), list]) }
  }

  test('among cipher suites, extensions, groups, algorithms and versions: the same name, versions and JA4', () => {
    fc.assert(
      fc.property(structure, greaseValue, place, (original, value, where) => {
        const before = helloIn(original)
        const lists = original.extensions.map(one =>
          [0x000a, 0x000d, 0x002b].includes(one.type) ? intoExtension(one, where, value) : one,
        )
        const hasIt = original.extensions.some(({ type }) => type === value)
        const extensions = hasIt ? lists : inserted(lists, where, { type: value, body: Buffer.alloc(where % 3) })
        const after = helloIn({ ...original, cipherSuites: into(original.cipherSuites, where, value), extensions })
        expect(after.cipherSuites).toHaveLength(before.cipherSuites.length + 1)
        expect(after.cipherSuites.filter(isGrease)).toContain(value)
        expect([after.matchName, after.tlsVersions, ja4(after)]).toEqual([before.matchName, before.tlsVersions, ja4(before)])
      }),
      { numRuns: 300 },
    )
  })
})

describe('the name', () => {
  const withNames = (original: Structure, ...entries: Buffer[]): Structure => ({
    ...original,
    extensions: original.extensions.map(one => (one.type === 0 ? { type: 0, body: vector16(...entries) } : one)),
  })

  test('replaced: what is routed by is the new one, and no other field changes', () => {
    fc.assert(
      fc.property(fc.constantFrom(...named), fc.domain(), (original, host) => {
        const {
          serverName,
          matchName,
          serverNameBytes: _,
          helloBytes: __,
          wireBytes: ___,
          recordCount: ____,
          ...rest
        } = helloIn(withNames(original, nameEntry(host)))
        expect([serverName, matchName]).toEqual([host.toLowerCase(), host.toLowerCase()])
        expect(helloIn(original)).toMatchObject(rest)
      }),
      { numRuns: 200 },
    )
  })

  test('a second host name is malformed before and after the first, also behind one of another type', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...named),
        fc.domain(),
        fc.domain(),
        fc.integer({ min: 1, max: 255 }),
        (original, first, second, type) => {
          const other = nameEntry('x', type)
          expect(detailOf(withNames(original, nameEntry(first), nameEntry(second)))).toBe('two host names')
          expect(detailOf(withNames(original, nameEntry(first), other, nameEntry(second)))).toBe('two host names')
          expect(helloIn(withNames(original, other, nameEntry(second))).matchName).toBe(second.toLowerCase())
        },
      ),
      { numRuns: 100 },
    )
  })
})

describe('records', () => {
  const otherTypes = fc.constantFrom(0x14, 0x15, 0x17, 0x18, 0x00, 0xff)

  test('re-cut in any sizes, a hello says the same; with another type of record in between it is malformed', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...hellos),
        sizes,
        sizes,
        otherTypes,
        place,
        fc.uint8Array({ maxLength: 30 }),
        (hello, recordSizes, chunkSizes, type, where, body) => {
          const pieces = cut(hello.message, recordSizes).map(piece => record(piece))
          const verdict = sameForEveryCut(Buffer.concat(pieces), chunkSizes)
          expect(unframed(verdict)).toEqual(unframed(judge(records(hello.message))))
          const foreign = record(body, type)
          expect(sameForEveryCut(Buffer.concat([...pieces, foreign]), chunkSizes)).toEqual(verdict)
          if (pieces.length === 1) return
          const between = 1 + (where % (pieces.length - 1))
          expect(sameForEveryCut(Buffer.concat(pieces.toSpliced(between, 0, foreign)), chunkSizes)).toMatchObject({
            kind: 'malformed',
          })
        },
      ),
      { numRuns: 250 },
    )
  })
})

interface Change {
  readonly how: 'duplicate' | 'grease' | 'grow' | 'remove' | 'shrink' | 'shuffle'
  readonly where: number
  readonly value: number
}

function changed(extensions: readonly Extension[], { how, where, value }: Change): readonly Extension[] {
  const at = where % Math.max(1, extensions.length)
  const { type, body } = extensions[at] ?? { type: value, body: Buffer.alloc(0) }
  if (how === 'duplicate') return inserted(extensions, value, { type, body })
  if (how === 'grease') return inserted(extensions, where, { type: 0x0a0a, body })
  if (how === 'remove') return extensions.toSpliced(at, 1)
  if (how === 'shuffle') return shuffled(extensions, value)
  const other = how === 'grow' ? Buffer.concat([body, uint16(value)]) : body.subarray(0, value % (body.length + 1))
  return extensions.toSpliced(at, 1, { type, body: other })
}

test('any number of changes at once: one verdict for every framing, every cut, and every memory', () => {
  const change: fc.Arbitrary<Change> = fc.record({
    how: fc.constantFrom('duplicate', 'grease', 'grow', 'remove', 'shrink', 'shuffle'),
    where: place,
    value: fc.nat(0xffff),
  })
  const lengths = fc.array(fc.tuple(fc.nat(200), fc.constantFrom(-2, -1, 1, 2, 255)), { maxLength: 2 })
  const seen = new Set<string>()
  fc.assert(
    fc.property(
      structure,
      fc.array(change, { maxLength: 3 }),
      lengths,
      sizes,
      sizes,
      (original, changes, wrong, recordSizes, chunkSizes) => {
        const extensions = changes.reduce(changed, original.extensions)
        const rebuilt = messageOf({ ...original, extensions })
        // Where the lengths stand is known of the hello before it was changed; where they have moved, any byte is hit.
        const fields = lengthFieldsOf(messageOf(original)).filter(({ at }) => at + 4 <= rebuilt.length)
        const message = wrong.reduce(
          (bytes, [which, difference]) => withLength(bytes, fields[which % fields.length]!, difference),
          rebuilt,
        )
        const verdict = sameForEveryCut(records(message), chunkSizes)
        expect(unframed(sameForEveryCut(records(message, recordSizes), chunkSizes))).toEqual(unframed(verdict))
        seen.add(verdict.kind)
      },
    ),
    { numRuns: 600 },
  )
  expect([...seen].toSorted()).toEqual(expect.arrayContaining(['hello', 'incomplete', 'malformed']))
})
