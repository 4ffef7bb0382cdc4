import { Parser } from '@asyncapi/parser'
import { Ajv, type ValidateFunction } from 'ajv'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { definitions } from '../../events/catalog.ts'
import { streams, type EventDefinition } from '../../events/define.ts'
import { RecordChain } from '../support/records.ts'
import { schemaReference, type Json } from './asyncapi-schemas.ts'
import { asyncApiText } from './asyncapi-text.ts'

/** docs/asyncapi.yaml: valid for the reference parser, and what it says of a record is true of every record. */

interface Document extends Json {
  readonly channels: Readonly<Record<string, { readonly messages: object }>>
  readonly components: { readonly messages: Readonly<Record<string, { readonly examples: readonly { readonly payload: Json }[] }>> }
}

const text = asyncApiText()
const document = parse(text) as Document

const ajv = new Ajv({ allErrors: true, strict: false, validateFormats: false })
ajv.addSchema(document, 'document')

function validatorOf(type: string): ValidateFunction {
  return ajv.compile({ $ref: `document${schemaReference(type)}` })
}

function recordOf(definition: EventDefinition, example: object): Json {
  return JSON.parse(new RecordChain(definition.stream).make(definition, example).text) as Json
}

const examples = definitions.flatMap((definition) =>
  definition.examples.map((example, index) => [definition.type, index, recordOf(definition, example as object)] as const),
)
const shown = Object.entries(document.components.messages).map(([type, { examples: [example] }]) => [type, 'shown', example!.payload] as const)

test('the reference parser has nothing against it but that 3.0.0 is not the newest AsyncAPI', async () => {
  const found = await new Parser().validate(text)
  expect(found.map(({ code, message, path }) => ({ code, message, path })).filter(({ code }) => code !== 'asyncapi-latest-version')).toEqual([])
})

test('the reference parser notices what is wrong', async () => {
  const found = await new Parser().validate(text.replace('action: send', 'action: shout'))
  expect(found.filter(({ path }) => path.includes('operations'))).not.toEqual([])
})

test('it says the same to readers of YAML 1.1, who see times and switches where others see text', () => {
  expect(parse(text, { version: '1.1' })).toEqual(document)
})

describe('records and their schemas', () => {
  test.each([...examples, ...shown])('%s, example %s', (type, _index, record) => {
    const validate = validatorOf(type)
    validate(record)
    expect(validate.errors).toBeNull()
  })

  test.each(examples)('%s, example %s: a field too many, one too few and another type are noticed', (type, _index, record) => {
    const validate = validatorOf(type)
    const { prevhash: _prevhash, ...withoutPrevhash } = record
    expect(validate({ ...record, more: true })).toBe(false)
    expect(validate({ ...record, data: { ...(record['data'] as object), more: true } })).toBe(false)
    expect(validate(withoutPrevhash)).toBe(false)
    expect(validate({ ...record, type: `${type}0` })).toBe(false)
  })
})

test.each(streams)('the messages of %s are the types that are written to it', (stream) => {
  const types = definitions.filter((definition) => definition.stream === stream).map(({ type }) => type)
  expect(types.length).toBeGreaterThan(0)
  expect(Object.keys(document.channels[stream]!.messages)).toEqual(types)
})
