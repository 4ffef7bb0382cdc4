import { z } from 'zod'
import { families, recordSchemas } from '../../events/catalog.ts'
import type { Element, EventDefinition } from '../../events/define.ts'
import { RecordChain } from '../support/records.ts'

/** Writes events/CATALOG.md: every record that Waybill writes, for engineers who read logs and for assessors. */

type Schema = z.core.JSONSchema.BaseSchema

const introduction = `# Records

Everything that Waybill writes down, made from the schemas in this folder (\`npm run docs\`; a test holds the two equal).
Each record is a CloudEvents 1.0 event in structured JSON on one line, in canonical form (RFC 8785). Its exact bytes are
what is stored, hashed, shipped and exported.

A record of a type or with a field that is not listed here was not written by this version.

## How each record answers PCI DSS 10.2.2

Three of the six elements stand in the same place in every record; the others are named with each type below.

| element | where |
|---|---|
| user identification | named with each type as *who* |
| type of event | \`type\` |
| date and time | \`time\` |
| success or failure | named with each type as *outcome* |
| origination of event | named with each type as *origin* |
| affected data, system, resource or service | \`subject\` |

Where a value may be null, the text behind it says what the null means. Waybill never decrypts, so it knows no user behind
a client: what identifies a client is its address.`

export function catalogPage(): string {
  const sections = Object.entries(families).flatMap(([family, definitions]) => [
    `## ${family}`,
    ...definitions.map((definition: EventDefinition) => entry(definition)),
  ])
  return `${[introduction, envelope(), contents(), ...sections].join('\n\n')}\n`
}

function contents(): string {
  const rows = Object.values(families).flatMap((definitions) =>
    definitions.map(({ stream, summary, type }: EventDefinition) => `| [${nameOf(type)}](#${anchorOf(type)}) | ${stream} | ${cell(summary)} |`),
  )
  return ['## All types', table(['type', 'stream', 'what happened'], rows)].join('\n\n')
}

/** The attributes around `data`, read from a change, which has all of them. */
function envelope(): string {
  const change = Object.values(families).flat().find(({ changes }: EventDefinition) => changes)!
  const { properties, required = [] } = jsonSchemaOf(recordSchemas.get(change.type)!)
  const { data: _data, ...attributes } = properties ?? {}
  const rows = Object.entries(attributes).flatMap(([name, schema]) => {
    const onlyChanges = name === 'basis' || name === 'revision' ? 'Changes of the configuration only. ' : ''
    const described: Schema = name === 'type' ? { type: 'string', description: 'What happened: one of the types below.' } : (schema as Schema)
    return fieldRows(name, { ...described, description: `${onlyChanges}${described.description ?? ''}` }, required.includes(name))
  })
  return ['## Attributes of every record', table(['attribute', 'value', 'meaning'], rows)].join('\n\n')
}

function entry(definition: EventDefinition): string {
  const { audit, changes, data, examples, stream, subject, summary, type } = definition
  const { properties = {} } = jsonSchemaOf(data)
  const facts = [
    `Type \`${type}\`, stream \`${stream}\`, subject \`${subject}\`.${changes ? ' A change of the configuration: it carries `revision` and `basis`.' : ''}`,
    `Who: ${element(audit.who)} Outcome: ${element(audit.outcome)} Origin: ${element(audit.origin)}`,
  ]
  const fields = Object.entries(properties).flatMap(([name, schema]) => fieldRows(name, schema as Schema))
  return [
    `### ${nameOf(type)}`,
    summary,
    facts.join('\n\n'),
    table(['field of `data`', 'value', 'meaning'], fields),
    `Example:\n\n\`\`\`json\n${exampleOf(definition, examples[0] as object)}\n\`\`\``,
  ].join('\n\n')
}

function element(each: Element): string {
  if ('always' in each) return `always ${each.always}.`
  return each.orElse === undefined ? `\`${each.at}\`.` : `\`${each.at}\`; null: ${each.orElse}.`
}

/** A whole record, broken into lines to be read; the log holds it on one. Ids are the same each time it is made. */
function exampleOf(definition: EventDefinition, example: object): string {
  const { text } = new RecordChain(definition.stream).make(definition, example)
  const record = { ...(JSON.parse(text) as object), id: '0198c0de-0000-7000-8000-0000000000ff' }
  return JSON.stringify(record, null, 2)
}

function fieldRows(name: string, schema: Schema, required = true): string[] {
  const { inner, nullable } = withoutNull(schema)
  const description = schema.description ?? inner.description ?? ''
  const words = `${valueOf(inner)}${nullable ? ' or null' : ''}${required ? '' : ', may be missing'}`
  const row = `| \`${name}\` | ${cell(words)} | ${cell(description)} |`
  const object = inner.type === 'array' ? (inner.items as Schema) : inner
  const prefix = inner.type === 'array' ? `${name}[].` : `${name}.`
  const nested = Object.entries(object.properties ?? {})
  return [row, ...nested.flatMap(([key, each]) => fieldRows(prefix + key, each as Schema, object.required?.includes(key) ?? false))]
}

function withoutNull(schema: Schema): { readonly inner: Schema; readonly nullable: boolean } {
  if (Array.isArray(schema.type)) {
    const types = schema.type.filter((each) => each !== 'null')
    return { inner: { ...schema, type: types.length === 1 ? types[0]! : types }, nullable: types.length < schema.type.length }
  }
  const options = schema.anyOf ?? []
  const others = options.filter(({ type }) => type !== 'null')
  if (others.length === options.length) return { inner: schema, nullable: false }
  return { inner: others.length === 1 ? others[0]! : { ...schema, anyOf: others }, nullable: true }
}

const formats: Readonly<Record<string, string>> = { ipv4: 'IPv4 address', ipv6: 'IPv6 address', uuid: 'UUID' }

function valueOf(schema: Schema): string {
  const { anyOf, const: constant, enum: words, format, items, maxItems, maxLength, pattern, type } = schema
  if (anyOf) return anyOf.map((option) => optionOf(option)).join(' or ')
  if (constant !== undefined) return `\`${JSON.stringify(constant)}\``
  if (words) return words.map((word) => `\`${String(word)}\``).join(', ')
  if (format !== undefined && formats[format] !== undefined) return formats[format]
  if (pattern !== undefined) return `text, \`${pattern}\``
  if (type === 'string') return maxLength === undefined ? 'text' : `text, at most ${maxLength} characters`
  if (type === 'integer' || type === 'number') return numberOf(schema)
  if (type === 'array') return `list of ${valueOf(items as Schema)}${maxItems === undefined ? '' : `, at most ${maxItems}`}`
  if (type === 'boolean') return 'true or false'
  if (type === 'object') return 'object'
  throw new Error(`the catalog page can't say what ${JSON.stringify(schema)} is`)
}

/** The fields of an object that is one of several have no rows of their own. */
function optionOf(schema: Schema): string {
  const fields = Object.keys(schema.properties ?? {}).map((name) => `\`${name}\``)
  return fields.length === 0 ? valueOf(schema) : `object with ${fields.join(', ')}`
}

function numberOf({ maximum, minimum, type }: Schema): string {
  const word = type === 'integer' ? 'integer' : 'number'
  const bounded = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER
  if (bounded) return `${word} from ${minimum} to ${maximum}`
  return minimum === undefined ? word : `${word} from ${minimum}`
}

function table(head: readonly string[], rows: readonly string[]): string {
  return [`| ${head.join(' | ')} |`, `|${'---|'.repeat(head.length)}`, ...rows].join('\n')
}

/** Bars end a cell, even within code. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}

/** `pool.created` of `dev.waybill.pool.created.v1`; later versions keep theirs. */
function nameOf(type: string): string {
  return type.replace(/^dev\.waybill\./, '').replace(/\.v1$/, '')
}

/** As GitHub makes it of the heading. */
function anchorOf(type: string): string {
  return nameOf(type).toLowerCase().replaceAll(/[^a-z0-9 _-]/g, '')
}

function jsonSchemaOf(schema: z.ZodType): Schema {
  return z.toJSONSchema(schema)
}
