import type { z } from 'zod'

/** Looks into zod schemas. Throws at a kind of schema that it does not know, so that nothing is passed over. */

interface Definition {
  readonly type: string
  readonly shape?: Readonly<Record<string, z.ZodType>>
  readonly element?: z.ZodType
  readonly innerType?: z.ZodType
  readonly options?: readonly z.ZodType[]
}

const leaves = new Set(['string', 'number', 'int', 'boolean', 'enum', 'literal', 'null'])

/** Calls back for every object in the schema, with the path that leads there. */
export function eachObject(schema: z.ZodType, visit: (keys: readonly string[], path: string) => void, path = ''): void {
  const { type, shape, element, innerType, options } = definitionOf(schema)
  if (shape) {
    visit(Object.keys(shape), path)
    for (const [key, inner] of Object.entries(shape)) eachObject(inner, visit, path === '' ? key : `${path}.${key}`)
  } else if (element) eachObject(element, visit, `${path}[]`)
  else if (innerType) eachObject(innerType, visit, path)
  else if (options) for (const option of options) eachObject(option, visit, path)
  else if (!leaves.has(type)) throw new Error(`${path}: a schema of kind ${type}, which nobody looks into`)
}

/** The schema at a dotted path, and whether null or nothing may stand anywhere on the way. */
export function schemaAt(schema: z.ZodType, path: string): { readonly schema: z.ZodType; readonly nullable: boolean } | null {
  let at = schema
  let nullable = false
  for (const key of [...path.split('.'), null]) {
    for (;;) {
      const { type, innerType } = definitionOf(at)
      if (innerType === undefined) break
      if (type === 'nullable' || type === 'optional') nullable = true
      at = innerType
    }
    if (key === null) break
    const next = definitionOf(at).shape?.[key]
    if (next === undefined) return null
    at = next
  }
  return { schema: at, nullable }
}

function definitionOf(schema: z.ZodType): Definition {
  return schema._zod.def
}
