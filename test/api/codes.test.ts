import { globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { codes, type CodeEntry } from '../../src/api/codes.ts'
import { errorsPage } from '../documents/errors-page.ts'

const entries = Object.entries<CodeEntry>(codes)
const tests = globSync('test/{api,commands}/**/*.test.ts').map((path) => readFileSync(path, 'utf8')).join('\n')
const sources = globSync('src/{api,commands}/**/*.ts').filter((path) => path !== 'src/api/codes.ts')
const source = sources.map((path) => readFileSync(path, 'utf8')).join('\n')

test.each(entries)('%s: an error status, a title, something to do; thrown somewhere and shown in a test', (code, entry) => {
  expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/)
  expect(entry.status).toBeGreaterThanOrEqual(400)
  expect(entry.title).toMatch(/^[A-Z].*[^.]$/)
  expect(entry.action).toMatch(/^[A-Z].*\.$/)
  expect(source.includes(`'${code}'`), 'no source gives it').toBe(true)
  expect(tests.includes(`'${code}'`) || tests.includes(`"${code}"`), 'no test shows it').toBe(true)
})

test('the document has a row for every code, as it is in the table, and no other', () => {
  const rows = [...errorsPage().matchAll(/^\| `([a-z_]+)` \| ([0-9]+) \| (.+) \| (.+) \|$/gm)]
  const read = rows.map(([, code, status, title, action]) => [code, { status: Number(status), title, action }])
  expect(Object.fromEntries(read)).toEqual(codes)
  expect(rows).toHaveLength(entries.length)
})
