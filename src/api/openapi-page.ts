import { sha256Base64 } from '../core/system/digest.ts'

/**
 * The API as one page for people. It has no script and loads nothing: it works without a network, and nothing in the
 * document can make a browser do anything. (A renderer of a few megabytes would be held in memory by every node.)
 */

type Json = Readonly<Record<string, unknown>>

export interface Parameter {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly description?: string
  readonly schema: Json
}
export interface Content {
  readonly [contentType: string]: { readonly schema: Json }
}
export interface Answer {
  description: string
  headers?: Readonly<Record<string, { readonly description: string; readonly schema: Json }>>
  content?: Content
}
export interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly description?: string
  readonly tags: readonly string[]
  readonly parameters?: readonly Parameter[]
  requestBody?: { required: boolean; readonly content: Content }
  responses: Record<string, Answer>
}
export interface OpenApiDocument {
  readonly openapi: string
  readonly info: { readonly title: string; readonly version: string; readonly description?: string }
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Json>> }
}

interface Schema {
  readonly $ref?: string
  readonly allOf?: readonly Schema[]
  readonly anyOf?: readonly Schema[]
  readonly additionalProperties?: Schema | boolean
  readonly const?: unknown
  readonly default?: unknown
  readonly description?: string
  readonly enum?: readonly unknown[]
  readonly format?: string
  readonly items?: Schema
  readonly maximum?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly pattern?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly type?: string | readonly string[]
}

const style =
  ':root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem}' +
  'code,h3{font-family:ui-monospace,monospace;overflow-wrap:anywhere}h2{border-bottom:1px solid;margin-top:3rem}' +
  'h3{margin-top:2.5rem;font-size:1.05rem}table{border-collapse:collapse;width:100%;margin:.5rem 0 1rem}' +
  'th,td{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #8884}' +
  'th{font-weight:600;white-space:nowrap}td:first-child{width:16rem}summary{cursor:pointer}nav li{display:inline-block;margin-right:1.5rem}'

/** Nothing may be loaded, run, embedded or sent anywhere; the one style is named by its hash. */
export const pagePolicy =
  `default-src 'none'; style-src 'sha256-${sha256Base64(style)}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`

export function pageOf({ components, info, paths, tags }: OpenApiDocument): string {
  const calls = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, operation, path })),
  )
  const sections = tags.map(({ description, name }) => [
    `<h2 id="${escaped(name)}">${escaped(name)}</h2><p>${prose(description)}</p>`,
    ...calls.filter(({ operation }) => operation.tags.includes(name)).map(({ method, operation, path }) => callOf(method, path, operation)),
  ])
  const links = [...tags.map(({ name }) => name), 'schemas'].map((name) => `<li><a href="#${escaped(name)}">${escaped(name)}</a></li>`)
  const schemas = Object.entries<Schema>(components.schemas).map(([name, schema]) => schemaOf(name, schema))
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
    `<title>${escaped(info.title)} API</title><style>${style}</style></head><body>`,
    `<h1>${escaped(info.title)} API</h1><p>${prose(info.description ?? '')}</p>`,
    `<p>For programs: <a href="/openapi.json">openapi.json</a>.</p><nav><ul>${links.join('')}</ul></nav>`,
    ...sections.flat(),
    '<h2 id="schemas">schemas</h2>',
    ...schemas,
    '</body></html>',
  ].join('\n')
}

function callOf(method: string, path: string, { description, operationId, parameters = [], requestBody, responses, summary }: Operation): string {
  const body = requestBody === undefined ? '' : `<p>Body${requestBody.required ? '' : ' (may be left out)'}: ${contentOf(requestBody.content)}</p>`
  const good = Object.entries(responses).filter(([status]) => Number(status) < 400)
  const bad = Object.entries(responses).filter(([status]) => Number(status) >= 400)
  return [
    `<h3 id="${escaped(operationId)}">${method.toUpperCase()} ${escaped(path)}</h3><p>${prose(summary)}.</p>`,
    description === undefined ? '' : `<p>${prose(description)}</p>`,
    table(parameters.map(parameterRow)),
    body,
    table(good.map(answerRow)),
    ...good.flatMap(([, { content = {} }]) => Object.values(content).map(({ schema }) => table(fieldRows(schema, '')))),
    `<details><summary>Problems</summary>${table(bad.map(answerRow))}</details>`,
  ].join('')
}

function parameterRow({ description = '', in: place, name, required, schema }: Parameter): Row {
  const words = [valueOf(schema), ...(required === true ? ['required'] : []), ...(place === 'query' ? [] : [`in the ${place}`])]
  return [`<code>${escaped(name)}</code>`, words.join(', '), prose(description)]
}

function answerRow([status, { content, description, headers = {} }]: [string, Answer]): Row {
  const named = Object.entries(headers).map(([name, { description: about }]) => `<code>${escaped(name)}</code>: ${prose(about)}`)
  const shown = content === undefined || Number(status) >= 400 ? '' : contentOf(content)
  return [status, shown, [prose(description), ...named].join('<br>')]
}

function contentOf(content: Content): string {
  return Object.entries(content).map(([type, { schema }]) => `${valueOf(schema)} as <code>${escaped(type)}</code>`).join('<br>')
}

function schemaOf(name: string, schema: Schema): string {
  const inner = schema.anyOf?.find(({ properties }) => properties !== undefined) ?? schema
  const about = schema.description === undefined ? '' : `<p>${prose(schema.description)}</p>`
  return `<h3 id="schema-${escaped(name)}">${escaped(name)}</h3>${about}${table(fieldRows(inner, ''))}`
}

/** Objects without a name of their own are shown in place. */
function fieldRows({ properties = {}, required = [] }: Schema, before: string): Row[] {
  return Object.entries(properties).flatMap(([name, field]) => {
    const words = [valueOf(field), ...(required.includes(name) ? [] : ['may be missing'])]
    const row: Row = [`<code>${escaped(before + name)}</code>`, words.join(', '), prose(field.description ?? '')]
    const listed = field.items
    return [row, ...fieldRows(field, `${before}${name}.`), ...(listed === undefined ? [] : fieldRows(listed, `${before}${name}[].`))]
  })
}

function valueOf(schema: Schema): string {
  const { $ref, allOf, anyOf, default: fallback, enum: words, items, type } = schema
  const suffix = fallback === undefined ? '' : `, default <code>${escaped(JSON.stringify(fallback))}</code>`
  if ($ref !== undefined) return linkTo($ref)
  if (allOf !== undefined) return allOf.map(valueOf).join(' and ')
  if (anyOf !== undefined) return anyOf.map(valueOf).join(' or ') + suffix
  if ('const' in schema) return `<code>${escaped(JSON.stringify(schema.const))}</code>`
  if (words !== undefined) return words.map((word) => `<code>${escaped(String(word))}</code>`).join(', ') + suffix
  if (type === 'array') return `list of ${items === undefined ? 'anything' : valueOf(items)}${suffix}`
  return escaped(plainly(schema)) + suffix
}

function plainly({ format, maximum, maxLength, minimum, pattern, type }: Schema): string {
  if (type === 'string') {
    if (format !== undefined) return format
    if (pattern !== undefined) return `text like ${pattern}`
    return maxLength === undefined ? 'text' : `text, at most ${maxLength} characters`
  }
  if (type === 'integer' || type === 'number') {
    const upTo = maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? '' : ` to ${maximum}`
    return `${type}${minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER ? '' : ` from ${minimum}`}${upTo}`
  }
  return [type ?? 'anything'].flat().join(' or ')
}

function linkTo(reference: string): string {
  const name = escaped(reference.slice(reference.lastIndexOf('/') + 1))
  return `<a href="#schema-${name}">${name}</a>`
}

type Row = readonly [string, string, string]

function table(rows: readonly Row[]): string {
  if (rows.length === 0) return ''
  return `<table>${rows.map((cells) => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`).join('')}</table>`
}

/** Text with `code` in it. */
function prose(words: string): string {
  return escaped(words).replaceAll(/`([^`]+)`/g, '<code>$1</code>')
}

function escaped(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
