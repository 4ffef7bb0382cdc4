import { hash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { z } from 'zod'
import { recordSchemas } from '../../events/catalog.ts'
import { canonicalJson } from '../support/canonical.ts'

/** What is frozen of a schema: everything that its JSON Schema says but for the descriptions. Run as a program, it writes the lock file. */

export const lockFile = 'test/events/schemas.lock.json'

export function lockedSchemas(schemas: ReadonlyMap<string, z.ZodType> = recordSchemas): Record<string, string> {
  return Object.fromEntries([...schemas].map(([type, schema]) => [type, hashOf(schema)] as const).toSorted(([one], [other]) => (one < other ? -1 : 1)))
}

function hashOf(schema: z.ZodType): string {
  return hash('sha256', canonicalJson(withoutDescriptions(z.toJSONSchema(schema))))
}

/** `description` is dropped where it is a text; as the name of a property it is an object. */
function withoutDescriptions(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDescriptions)
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(([key, inner]) => key !== 'description' || typeof inner !== 'string')
  return Object.fromEntries(kept.map(([key, inner]) => [key, withoutDescriptions(inner)]))
}

if (import.meta.main) writeFileSync(lockFile, `${JSON.stringify(lockedSchemas(), null, 2)}\n`)
