import { z } from 'zod'
import { definitions, recordSchemas } from '../../events/catalog.ts'
import * as tlsWords from '../../events/tls.ts'
import * as words from '../../events/values.ts'

/**
 * The JSON Schemas in docs/asyncapi.yaml: one of the whole record for each type. What several records spell in the same
 * way is named once, by the name it has in the sources, and referred to.
 */

export type Json = Readonly<Record<string, unknown>>

/** A shorter schema is easier to read where it stands than behind a reference. */
const namedFromCharacters = 200

export function recordSchemasOfDocument(): Json {
  const named = namedSchemas()
  const used = new Set<string>()
  const withReferences = (value: unknown, self?: string): unknown => {
    if (Array.isArray(value)) return value.map((each) => withReferences(each))
    if (typeof value !== 'object' || value === null) return value
    const name = named.get(JSON.stringify(value))
    if (name === undefined || name === self) return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withReferences(each)]))
    used.add(name)
    return { $ref: schemaReference(name) }
  }
  const records = definitions.map(({ type }) => [type, withReferences(jsonSchemaOf(recordSchemas.get(type)!))] as const)
  // A named schema may use another one; they come in the order in which they are found.
  const shared = new Map([...named].map(([schema, name]) => [name, withReferences(JSON.parse(schema), name)] as const))
  const usedSchemas = [...shared].filter(([name]) => used.has(name)).toSorted(([one], [other]) => (one < other ? -1 : 1))
  return Object.fromEntries([...records, ...usedSchemas])
}

export function schemaReference(name: string): string {
  return `#/components/schemas/${name}`
}

/** Name by the text of the schema. */
function namedSchemas(): ReadonlyMap<string, string> {
  const named = new Map<string, string>()
  for (const [name, word] of Object.entries({ ...words, ...tlsWords })) {
    if (!(word instanceof z.ZodType)) continue
    const schema = JSON.stringify(jsonSchemaOf(word))
    if (schema.length >= namedFromCharacters && !named.has(schema)) named.set(schema, name)
  }
  return named
}

/** Draft 7, which is what AsyncAPI means by a schema when nothing else is said. */
function jsonSchemaOf(schema: z.ZodType): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { target: 'draft-7' })
  return rest
}
