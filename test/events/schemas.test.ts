import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { definitions, families, recordSchemas } from '../../events/catalog.ts'
import { eachObject, schemaAt } from '../support/zod-walk.ts'
import { lockedSchemas, lockFile } from './lock.ts'

describe.each(definitions.map((definition) => [definition.type, definition] as const))('%s', (type, definition) => {
  const record = recordSchemas.get(type)!

  test('has its keys in code-unit order at every level, so that JSON.stringify writes RFC 8785', () => {
    eachObject(record, (keys, path) => {
      expect(keys, path).toEqual(keys.toSorted((one, other) => (one < other ? -1 : 1)))
    })
  })

  test('has keys that read the same everywhere: CloudEvents attributes outside, snake_case inside', () => {
    eachObject(record, (keys, path) => {
      // Keys that look like integers would be moved to the front by every JavaScript engine.
      for (const key of keys) expect(key, path).toMatch(path === '' ? /^[a-z0-9]{1,20}$/ : /^[a-z][a-z0-9_]*$/)
    })
  })

  test('refuses what it does not know, at every level', () => {
    const example = definition.examples[0] as object
    expect(definition.data.safeParse(example).success).toBe(true)
    expect(definition.data.safeParse({ ...example, surplus: 1 }).success).toBe(false)
    for (const [key, inner] of Object.entries(example)) {
      if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) continue
      expect(definition.data.safeParse({ ...example, [key]: { ...inner, surplus: 1 } }).success, key).toBe(false)
    }
  })

  test('is named after its family and says what it means', () => {
    const family = Object.entries(families).find(([, events]) => (events as readonly unknown[]).includes(definition))?.[0]
    expect(type).toMatch(new RegExp(`^dev\\.waybill\\.${family}\\.[a-z]+(?:_[a-z]+)*\\.v[1-9][0-9]*$`))
    expect(definition.summary).toMatch(/^[A-Z].+\.$/)
    expect(definition.subject).toMatch(/^(?:[a-z]+|<[a-z_]+>)(?:\/(?:[a-z]+|<[a-z_]+>))*$/)
  })

  test('carries revision and basis exactly when it changes the configuration', () => {
    expect(definition.changes && definition.stream !== 'control').toBe(false)
    expect(schemaAt(record, 'revision') !== null).toBe(definition.changes)
    expect(schemaAt(record, 'basis') !== null).toBe(definition.changes)
  })
})

test('no two definitions have the same type', () => {
  expect(definitions.length).toBeGreaterThan(20)
  expect(new Set(definitions.map(({ type }) => type)).size).toBe(definitions.length)
})

test('schemas are those of the lock file', () => {
  const locked = JSON.parse(readFileSync(lockFile, 'utf8')) as unknown
  expect(lockedSchemas(), howToChange).toEqual(locked)
})

test('the lock sees a changed bound and not a changed description', () => {
  const sum = (schema: z.ZodType) => lockedSchemas(new Map([['x', schema]]))
  expect(sum(z.string().max(3))).not.toEqual(sum(z.string().max(4)))
  expect(sum(z.string().meta({ description: 'a' }))).toEqual(sum(z.string().meta({ description: 'b' })))
  expect(sum(z.strictObject({ description: z.int() }))).not.toEqual(sum(z.strictObject({ description: z.string() })))
  expect(Object.values(sum(z.int()))[0]).toHaveLength(hash('sha256', '').length)
})

const howToChange = `
The schema of a record is not what ${lockFile} says.
- Before the first tagged release: run "node test/events/lock.ts" and put what changed under "Safety and audit" in CHANGELOG.md.
- After it: a released version is frozen. Leave its schema as it was, add the next version (….v2) and an upcaster.
`
