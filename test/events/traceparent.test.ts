import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { definitions, readRecord } from '../../events/catalog.ts'
import { isAsked } from '../../events/define.ts'
import { encodeDraft, placeDraft, recordTail, timeLength, type Draft } from '../../events/envelope.ts'
import { zeroHash } from '../../events/chain.ts'
import { canonicalJson } from '../support/canonical.ts'
import { exampleRun, exampleTime, exampleTraceparent, RecordChain } from '../support/records.ts'

/** CloudEvents has `traceparent` as an extension: it is in the records of requests that were part of a trace, and nowhere else. */

const asked = definitions.filter(isAsked)
const others = definitions.filter((definition) => !isAsked(definition))

function textOf(definition: (typeof definitions)[number], traceparent?: string): string {
  const record = new RecordChain(definition.stream).make(definition, definition.examples[0] as object)
  return traceparent === undefined ? record.text : record.text.replace(/,"type":"[^"]+"}$/, (end) => `,"traceparent":${JSON.stringify(traceparent)}${end}`)
}

test('records of requests are the changes, the accesses, the reads of audit data and a node that is retired', () => {
  const besides = asked.filter(({ changes }) => !changes).map(({ type }) => type.slice('dev.waybill.'.length))
  expect(besides).toEqual(['access.granted.v1', 'access.denied.v1', 'log.read.v1', 'node.retired.v1'])
  expect(others.filter(({ changes }) => changes)).toEqual([])
})

test.each(asked.map((definition) => [definition.type, definition] as const))('%s may have it, in canonical order, and reads back with it', (_type, definition) => {
  const data = definition.examples[0] as object
  const traced = new RecordChain(definition.stream).make(definition, data, { traceparent: exampleTraceparent })
  expect(traced.text).toBe(canonicalJson(JSON.parse(traced.text)))
  expect(traced.text).toContain(`"time":"${exampleTime}","traceparent":"${exampleTraceparent}","type":"`)
  expect(traced.event).toMatchObject({ traceparent: exampleTraceparent })
  const plain = new RecordChain(definition.stream).make(definition, data)
  expect(plain.text).not.toContain('traceparent')
  expect(plain.event).not.toHaveProperty('traceparent')
})

test.each(others.map((definition) => [definition.type, definition] as const))('%s never has it', (_type, definition) => {
  expect(readRecord(textOf(definition)).kind).toBe('event')
  expect(readRecord(textOf(definition, exampleTraceparent)).kind).toBe('malformed')
})

test.each([
  ['nothing', ''],
  ['capitals', exampleTraceparent.toUpperCase()],
  ['another version', exampleTraceparent.replace(/^00/, '01')],
  ['more behind it', `${exampleTraceparent}-00`],
  ['a trace id that is too short', exampleTraceparent.replace('4bf9', '4bf')],
])('%s is none', (_what, value) => {
  expect(readRecord(textOf(asked[0]!, exampleTraceparent)).kind).toBe('event')
  expect(readRecord(textOf(asked[0]!, value)).kind).toBe('malformed')
})

describe('time and type, found without parsing', () => {
  const markers = ['"type":"', '"time":"', '","traceparent":"', exampleTraceparent, exampleTime, '"', '\\', '"}', 'é', 'x']
  const hostile = fc.array(fc.constantFrom(...markers), { maxLength: 8 }).map((parts) => parts.join(''))

  test('are those that JSON.parse finds, with and without a trace, whatever stands in data and subject', () => {
    fc.assert(
      fc.property(hostile, hostile, fc.boolean(), (subject, value, isTraced) => {
        const draft: Draft = {
          id: exampleRun, type: 'dev.waybill.pool.created.v1', subject, time: exampleTime, partitionkey: 'control', data: { value },
          ...(isTraced ? { traceparent: exampleTraceparent } : {}),
        }
        const record = Buffer.from(placeDraft(encodeDraft(draft, { source: 'x', run: exampleRun }), 0, zeroHash))
        const tail = recordTail(record)
        expect(tail).not.toBeNull()
        const { timeStart, typeStart } = tail!
        expect(record.toString('latin1', timeStart, timeStart + timeLength)).toBe(exampleTime)
        expect(record.toString('latin1', typeStart, record.length - 2)).toBe(draft.type)
      }),
      { numRuns: 1_000 },
    )
  })

  test('are not there in what is no record, and looking never throws', () => {
    fc.assert(fc.property(hostile, (any) => recordTail(Buffer.from(any)) === null || any.includes(`"time":"`)))
    expect(recordTail(Buffer.alloc(0))).toBeNull()
  })
})
