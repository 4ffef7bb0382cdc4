import { codes, type Code } from '../../src/api/codes.ts'
import type { Answer, OpenApiDocument, Operation } from '../../src/api/openapi-page.ts'
import { problemContentType } from '../../src/api/problem.ts'
import { positionHeader } from '../../src/api/schemas-events.ts'
import { codesOf } from './openapi-codes.ts'

/**
 * Adds to the document what the schemas of the routes don't say: which problems a call may be answered with, and the
 * headers of answers. Leaves out schemas that nothing refers to.
 */

type Json = Record<string, unknown>

const text = (description: string, schema: Json = {}) => ({ description, schema: { type: 'string', ...schema } })
const headers = {
  etag: { ETag: text('The revision of what is shown, for If-Match.', { pattern: '^"[0-9]+"$' }) },
  location: { Location: text('Where what was made is.', { format: 'uri-reference' }) },
  replayed: { 'Idempotent-Replayed': text('There when an earlier request with the same Idempotency-Key was answered so.', { const: 'true' }) },
  retryAfter: { 'Retry-After': text('Seconds until it may be worth another try.') },
  events: {
    [positionHeader]: text('Where to go on, with after; not in an answer without an end.'),
    Link: text('With rel="next": the address of the next page, while there is more.'),
  },
} as const

export function completed(made: OpenApiDocument): OpenApiDocument {
  const document = structuredClone(made)
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) completeOperation(operation, method, path)
  }
  const { Problem, ...schemas } = document.components.schemas
  const known = { ...schemas, Problem: problemSchema(Problem ?? {}) }
  return withUsedSchemas({ ...document, components: { schemas: known } })
}

function completeOperation(operation: Operation, method: string, path: string): void {
  const { operationId, requestBody, responses } = operation
  const changes = operation.parameters?.some(({ name }) => name === 'idempotency-key') === true
  for (const [status, answer] of Object.entries(responses)) {
    if (Number(status) >= 400) continue
    if (answer.description === 'Default Response') answer.description = status === '201' ? 'It exists now.' : 'Done.'
    answer.headers = {
      ...(hasEtag(path, operationId, status) ? headers.etag : {}),
      ...(status === '201' ? headers.location : {}),
      ...(changes ? headers.replayed : {}),
      ...(operationId === 'readEvents' ? headers.events : {}),
    }
    if (Object.keys(answer.headers).length === 0) delete answer.headers
  }
  const declared = Object.keys(responses).map(Number)
  const problems = [...codesOf({ method, operationId, path }, declared)].map(([status, each]) => [String(status), problemAnswer(status, each)])
  const successes = Object.entries(responses).filter(([status]) => Number(status) < 400)
  operation.responses = Object.fromEntries([...successes, ...problems])
  // A body that may be null may be left out.
  if (requestBody !== undefined && JSON.stringify(requestBody.content).includes('"null"')) requestBody.required = false
}

function hasEtag(path: string, operationId: string, status: string): boolean {
  const isListener = path.startsWith('/api/listeners/')
  return (isListener || path.startsWith('/api/pools')) && status !== '204' && !operationId.startsWith('delete')
}

/** The description is for people, the enumeration for programs. */
function problemAnswer(status: number, possible: readonly Code[]): Answer {
  const description = possible.map((code) => `\`${code}\`: ${codes[code].title}.`).join(' ')
  const schema = { allOf: [{ $ref: '#/components/schemas/Problem' }, { properties: { code: { enum: possible } } }] }
  return {
    description,
    ...(status === 503 ? { headers: headers.retryAfter } : {}),
    content: { [problemContentType]: { schema } },
  }
}

function problemSchema(schema: Json): Json {
  const properties = schema['properties'] as Record<string, Json>
  return { ...schema, properties: { ...properties, code: { ...properties['code'], enum: Object.keys(codes).toSorted() } } }
}

const prefix = '#/components/schemas/'
const inputSuffix = 'Input'

/** A schema that is only asked for or only given is made in both forms; what nothing leads to is left out. */
function withUsedSchemas(document: OpenApiDocument): OpenApiDocument {
  const { schemas } = document.components
  const used = new Set<string>()
  const visit = (value: unknown): void => {
    for (const [, name = ''] of JSON.stringify(value).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (used.has(name)) continue
      used.add(name)
      visit(schemas[name])
    }
  }
  visit(document.paths)
  const nameOf = (name: string): string => {
    const short = name.endsWith(inputSuffix) ? name.slice(0, -inputSuffix.length) : name
    return short in schemas && !used.has(short) ? short : name
  }
  const kept = [...used].map((name) => [nameOf(name), schemas[name]] as const).toSorted(([one], [other]) => (one < other ? -1 : 1))
  const renamed = JSON.stringify({ ...document, components: { schemas: Object.fromEntries(kept) } }, (key, value: unknown) =>
    key === '$ref' && typeof value === 'string' && value.startsWith(prefix) ? prefix + nameOf(value.slice(prefix.length)) : value,
  )
  return JSON.parse(renamed) as OpenApiDocument
}
