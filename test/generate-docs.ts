import { writeFileSync } from 'node:fs'
import { asyncApiText } from './documents/asyncapi-text.ts'
import { catalogPage } from './documents/catalog-page.ts'
import { errorsPage } from './documents/errors-page.ts'
import { openApiText } from './documents/openapi-text.ts'
import { settingsPage } from './documents/settings-page.ts'
import { telemetryPage } from './documents/telemetry-page.ts'

/** Every document that is made from the sources. `npm run docs` writes them; test/documents.test.ts holds them equal. */

export interface GeneratedDocument {
  /** From the root of the repository. */
  readonly path: string
  readonly content: () => string | Promise<string>
}

export const documents: readonly GeneratedDocument[] = [
  { path: 'docs/asyncapi.yaml', content: asyncApiText },
  { path: 'docs/errors.md', content: errorsPage },
  { path: 'docs/openapi.json', content: openApiText },
  { path: 'docs/settings.md', content: settingsPage },
  { path: 'docs/telemetry.md', content: telemetryPage },
  { path: 'events/CATALOG.md', content: catalogPage },
]

if (import.meta.main) {
  for (const { path, content } of documents) {
    writeFileSync(path, await content())
    console.log(path)
  }
}
