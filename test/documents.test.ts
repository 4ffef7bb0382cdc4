import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { definitions } from '../events/catalog.ts'
import { catalogPage } from './documents/catalog-page.ts'
import { documents } from './generate-docs.ts'

test.each(documents.map(({ path, content }) => [path, content] as const))('%s is what the sources say: run "npm run docs"', async (path, content) => {
  expect(readFileSync(path, 'utf8')).toBe(await content())
})

test('the catalog names every type, and every field with a value', () => {
  const page = catalogPage()
  for (const { type } of definitions) expect(page).toContain(`Type \`${type}\``)
  for (const [, target] of page.matchAll(/\]\(#([^)]+)\)/g)) {
    const headings = [...page.matchAll(/^### (.+)$/gm)].map(([, heading]) => heading!.replaceAll('.', ''))
    expect(headings).toContain(target)
  }
  expect(page).not.toMatch(/undefined|\[object/)
  expect(page).not.toMatch(/\| {2}\|.*\|$/m)
})
