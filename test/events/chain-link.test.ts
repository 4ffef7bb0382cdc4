import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { zeroHash } from '../../events/chain.ts'
import { encodeDraft, encodedBytes, placeDraft, readChainLink, recordText, type Draft } from '../../events/envelope.ts'
import { exampleRun, exampleTime, exampleTraceparent } from '../support/records.ts'

/**
 * A reader checks the chain by what `readChainLink` finds in the text, and folds what JSON.parse finds. Whatever a
 * client or an operator gets into a record, the two must not differ.
 */

const source = '/clusters/default/nodes/node-1/0198c0de-0000-7000-8000-00000000000e/control'
const markers = [
  '"prevhash":"', '"sequence":"', '"source":"', '","source":"/clusters/x/nodes/y/z/control"', '"sequence":"00000000000000000009"',
  `"prevhash":"${'A'.repeat(43)}="`, '\\"prevhash\\":\\"', '\\', '"', '"}', '}', '\\u0022', '\\u005c', '\ud800', '\udfff', 'é', '😀', '\u2028', '\0', '\n',
]
const hostile = fc.array(fc.oneof(fc.constantFrom(...markers), fc.string({ unit: 'binary', maxLength: 4 })), { maxLength: 6 }).map((parts) => parts.join(''))
const leaf = fc.oneof(hostile, fc.integer(), fc.constant(null), fc.boolean(), fc.constantFrom('00000000000000000009'))
/** Keys too: `prevhash`, `sequence` and `source` may be the names of fields. */
const key = fc.oneof(fc.constantFrom('prevhash', 'sequence', 'source', 'data', 'type'), hostile)
const data = fc.dictionary(key, fc.oneof(leaf, fc.array(leaf, { maxLength: 3 }), fc.dictionary(key, leaf, { maxKeys: 3 })), { maxKeys: 5 })
const sequence = fc.oneof(fc.nat(), fc.maxSafeNat())
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('base64'))

function place(fields: Partial<Draft>, at: number, prevhash: string): { text: string; bound: number } {
  const draft: Draft = {
    id: exampleRun, type: 'dev.waybill.pool.created.v1', subject: 'pools/x', time: exampleTime, partitionkey: 'control', data: {}, ...fields,
  }
  const encoded = encodeDraft(draft, { source, run: exampleRun })
  return { text: placeDraft(encoded, at, prevhash), bound: encodedBytes(encoded) }
}

describe('readChainLink', () => {
  test('says what JSON.parse says, whatever stands in data, subject and partition key', () => {
    fc.assert(
      fc.property(data, hostile, hostile, sequence, hash, fc.boolean(), fc.boolean(), (body, subject, partitionkey, at, prevhash, change, isTraced) => {
        const traced = isTraced ? { traceparent: exampleTraceparent } : {}
        const { text } = place({ data: body, subject, partitionkey, ...traced, ...(change ? { revision: 1, basis: zeroHash } : {}) }, at, prevhash)
        const parsed = JSON.parse(text) as Record<string, string>
        expect(readChainLink(text)).toEqual({ prevhash: parsed['prevhash'], sequence: Number(parsed['sequence']), source: parsed['source'] })
        expect(parsed).toMatchObject({ prevhash, source, subject: wellFormedOrEscaped(subject) })
      }),
      { numRuns: 2_000 },
    )
  })

  test('says the same of the bytes, read as UTF-8 or byte by byte', () => {
    fc.assert(
      fc.property(data, hostile, sequence, hash, (body, subject, at, prevhash) => {
        const { text } = place({ data: body, subject }, at, prevhash)
        const bytes = Buffer.from(text)
        expect(recordText(bytes)).toBe(text)
        expect(readChainLink(bytes.toString('latin1'))).toEqual(readChainLink(text))
      }),
    )
  })

  test('a record has exactly the bytes that were announced for it', () => {
    fc.assert(
      fc.property(data, hostile, sequence, hash, fc.boolean(), (body, subject, at, prevhash, isTraced) => {
        const { text, bound } = place({ data: body, subject, ...(isTraced ? { traceparent: exampleTraceparent } : {}) }, at, prevhash)
        expect(Buffer.byteLength(text)).toBe(bound)
      }),
    )
  })

  test('says nothing of what is no record, and never throws', () => {
    const { text } = place({}, 7, zeroHash)
    expect(readChainLink(text)).toEqual({ sequence: 7, prevhash: zeroHash, source })
    for (let end = 0; end < text.length; end += 1) expect(readChainLink(text.slice(0, end))).toBeNull()
    expect(readChainLink(text.replace(zeroHash, 'A'))).toBeNull()
    expect(readChainLink(text.replace('00000000000000000007', '0000000000000000000x'))).toBeNull()
    fc.assert(fc.property(hostile, (any) => void readChainLink(any)))
  })

  test('a number that JavaScript can\'t hold is none: two records would share it', () => {
    const { text } = place({}, Number.MAX_SAFE_INTEGER, zeroHash)
    expect(readChainLink(text)?.sequence).toBe(Number.MAX_SAFE_INTEGER)
    expect(readChainLink(text.replace('00009007199254740991', '00009007199254740993'))).toBeNull()
  })
})

test('recordText gives back exactly the bytes it was given, or null', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const text = recordText(bytes)
      if (text !== null) expect(Buffer.from(text)).toEqual(Buffer.from(bytes))
      else expect(Buffer.from(Buffer.from(bytes).toString())).not.toEqual(Buffer.from(bytes))
    }),
    { numRuns: 1_000 },
  )
})

/** JSON.stringify escapes unpaired surrogates, so that a text survives even though its bytes are not RFC 8785. */
function wellFormedOrEscaped(text: string): string {
  return JSON.parse(JSON.stringify(text)) as string
}
