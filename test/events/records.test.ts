import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { definitions, readRecord, recordSchemas } from '../../events/catalog.ts'
import { leafHash, zeroHash } from '../../events/chain.ts'
import type { Element, EventDefinition } from '../../events/define.ts'
import { encodeDraft, encodedBytes, formatSequence, nodeOf, placeDraft } from '../../events/envelope.ts'
import { canonicalJson } from '../support/canonical.ts'
import { draftOf, exampleRun, RecordChain } from '../support/records.ts'
import { schemaAt } from '../support/zod-walk.ts'

const examples = definitions.flatMap((definition) =>
  definition.examples.map((example, index) => [`${definition.type} ${index}`, definition, example as object] as const),
)

function textOf(definition: EventDefinition, example: object): string {
  return new RecordChain(definition.stream).make(definition, example).text
}

describe.each(examples)('example of %s', (_name, definition, example) => {
  test('parses, and parsing changes nothing', () => {
    expect(definition.data.parse(example)).toEqual(example)
  })

  test('is written as RFC 8785 has it', () => {
    const text = textOf(definition, example)
    expect(text).toBe(canonicalJson(JSON.parse(text)))
  })

  test('reads back as it was written, from bytes and from text', () => {
    const draft = draftOf(definition, example)
    const source = new RecordChain(definition.stream).source
    const text = placeDraft(encodeDraft(draft, { source, run: exampleRun }), 41, zeroHash)
    const reading = readRecord(text)
    expect(reading).toEqual({
      kind: 'event',
      event: {
        ...draft, source, run: exampleRun, hashver: 1, prevhash: zeroHash, sequence: formatSequence(41), specversion: '1.0',
      },
    })
    expect(readRecord(Buffer.from(text))).toEqual(reading)
    expect(nodeOf(source)).toBe('node-1')
  })

  test('has the size that its draft says', () => {
    const encoded = encodeDraft(draftOf(definition, example), { source: 'x', run: exampleRun })
    const text = placeDraft(encoded, Number.MAX_SAFE_INTEGER, zeroHash)
    expect(Buffer.byteLength(text)).toBe(encodedBytes(encoded))
  })
})

describe('PCI DSS 10.2.2: who, what, when, outcome, origin and affected resource', () => {
  test.each(examples)('%s', (_name, definition, example) => {
    const record = JSON.parse(textOf(definition, example)) as object
    const schema = recordSchemas.get(definition.type)!
    const { who, outcome, origin } = definition.audit
    const all: Record<string, Element> = { who, what: { at: 'type' }, when: { at: 'time' }, outcome, origin, resource: { at: 'subject' } }
    for (const [name, element] of Object.entries(all)) {
      if ('always' in element) {
        expect(element.always, name).toMatch(/\w/)
        continue
      }
      const place = schemaAt(schema, element.at)
      expect(place, `${name}: ${element.at}`).not.toBeNull()
      // Whoever reads a null has to be told what it means, and nobody has to be told what can't happen.
      expect(element.orElse !== undefined, `${name}: ${element.at}`).toBe(place!.nullable)
      if (element.orElse !== undefined) expect(element.orElse, name).toMatch(/\w/)
      expect(valueAt(record, element.at) ?? element.orElse, name).toMatch(/\S/)
    }
  })

  function valueAt(record: object, path: string): string | null {
    let value: unknown = record
    for (const key of path.split('.')) value = (value as Record<string, unknown> | null)?.[key]
    return value === null || value === undefined ? null : JSON.stringify(value)
  }
})

describe('bytes that are no record of ours', () => {
  const [definition] = definitions
  const text = textOf(definition!, definition!.examples[0] as object)
  const changed = (change: object): string => JSON.stringify({ ...(JSON.parse(text) as object), ...change })

  test('of a type from a newer version: unknown', () => {
    expect(readRecord(changed({ type: 'dev.waybill.pool.painted.v1' }))).toEqual({ kind: 'unknown', type: 'dev.waybill.pool.painted.v1' })
    expect(readRecord(changed({ type: '__proto__' }))).toEqual({ kind: 'unknown', type: '__proto__' })
  })

  test.each([
    ['nothing', ''],
    ['not JSON', `${text},`],
    ['not an object', '"x"'],
    ['null', 'null'],
    ['an array', '[]'],
    ['no type', '{}'],
    ['a type that is no text', changed({ type: 1 })],
    ['a surplus attribute', changed({ surplus: 1 })],
    ['no data', changed({ data: undefined })],
    ['another version of CloudEvents', changed({ specversion: '2.0' })],
    ['another way of hashing', changed({ hashver: 2 })],
    ['a number for a sequence', changed({ sequence: 1 })],
    ['a short sequence', changed({ sequence: '1' })],
    ['a time without milliseconds', changed({ time: '2026-11-24T08:00:00Z' })],
    ['a month that is none', changed({ time: '2026-13-24T08:00:00.000Z' })],
    ['a source that is none', changed({ source: '/clusters/a/nodes/b/c/attic' })],
    ['a name that is not ASCII', changed({ source: '/clusters/ü/nodes/b/c/control' })],
    ['a revision on what is no change', changed({ revision: 1, basis: zeroHash })],
  ])('%s: malformed', (_what, record) => {
    expect(readRecord(record)).toEqual({ kind: 'malformed', problem: expect.stringMatching(/\w/) as string })
    expect(readRecord(Buffer.from(record)).kind).toBe('malformed')
  })

  test('a change without its revision or its basis: malformed', () => {
    const change = definitions.find(({ changes }) => changes)!
    const record = JSON.parse(textOf(change, change.examples[0] as object)) as object
    for (const missing of ['revision', 'basis']) {
      expect(readRecord(JSON.stringify({ ...record, [missing]: undefined }))).toMatchObject({ kind: 'malformed' })
    }
  })

  test('bytes that are not UTF-8: malformed, although they decode to something', () => {
    const broken = Buffer.from(changed({ subject: 'pools/?' }))
    expect(readRecord(broken).kind).toBe('event')
    broken[broken.indexOf('pools/?') + 6] = 0xff
    expect(readRecord(broken)).toEqual({ kind: 'malformed', problem: 'it is not UTF-8' })
  })

  test('text that really says U+FFFD is UTF-8', () => {
    const change = definitions.find(({ type }) => type === 'dev.waybill.pool.created.v1')!
    const record = new RecordChain('control').make(change, { ...(change.examples[0] as object), owner: 'a \ufffd b' })
    expect(readRecord(record.bytes).kind).toBe('event')
  })

  test('an unpaired surrogate has no canonical form: malformed', () => {
    const change = definitions.find(({ type }) => type === 'dev.waybill.pool.created.v1')!
    const good = textOf(change, { ...(change.examples[0] as object), owner: 'SURROGATE' })
    expect(readRecord(good.replace('SURROGATE', '\\ud83d\\ude00')).kind).toBe('event')
    expect(readRecord(good.replace('SURROGATE', '\\ud83d')).kind).toBe('malformed')
  })

  test('never throws, whatever the bytes', () => {
    const kinds = ['event', 'unknown', 'malformed']
    fc.assert(fc.property(fc.json(), (json) => kinds.includes(readRecord(json).kind)))
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => kinds.includes(readRecord(bytes).kind)))
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (any) => kinds.includes(readRecord(any).kind)))
  })

  test('never throws on a record in which something was changed, and believes no changed value of another kind', () => {
    const texts = examples.map(([, each, example]) => textOf(each, example))
    fc.assert(
      fc.property(fc.constantFrom(...texts), fc.nat(), fc.nat(255), (original, at, byte) => {
        const bytes = Buffer.from(original)
        bytes[at % bytes.length] = byte
        expect(['event', 'unknown', 'malformed']).toContain(readRecord(bytes).kind)
      }),
      { numRuns: 1_000 },
    )
    fc.assert(
      fc.property(fc.constantFrom(...texts), fc.nat(), fc.jsonValue(), (original, which, value) => {
        const record = JSON.parse(original) as Record<string, unknown>
        const keys = Object.keys(record)
        const key = keys[which % keys.length]!
        fc.pre(typeof value !== typeof record[key])
        expect(readRecord(JSON.stringify({ ...record, [key]: value })).kind).toBe('malformed')
      }),
    )
  })
})

test('the leaf hash is SHA-256(0x00 || bytes) (RFC 6962, section 2.1), the same from text and from bytes', () => {
  // printf '\0waybill' | openssl dgst -sha256 -binary | base64
  expect(leafHash('waybill')).toBe('fi6Q3STAhXahjgMfMEaPF/yM/JoptDotD6QZNUrMl0g=')
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (any) => leafHash(any) === leafHash(Buffer.from(any))))
})
