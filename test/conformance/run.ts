import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { sharedVectorsFolder } from '../support/tls-hellos-vectors.ts'
import { ownRows, rowsOf } from './corpus.ts'
import { writeResult } from './document.ts'
import type { Row } from './findings.ts'
import { mismatchText, sumLineOf, tableOf } from './table.ts'

/**
 * Holds the hello parser and the data path behind it against every vector there is, and prints the score:
 * `npm run conformance [-- --vectors FOLDER] [--write]`; `--write` puts the table into docs/conformance.md.
 */

const { values } = parseArgs({
  options: {
    vectors: { type: 'string', default: sharedVectorsFolder },
    write: { type: 'boolean', default: false },
  },
})

async function main(): Promise<number> {
  const isMissing = !existsSync(values.vectors)
  if (isMissing && (process.env['CI'] ?? '') !== '') {
    say(`${values.vectors} is not there: put the shared vectors beside the repository, or name their folder with --vectors`)
    return 1
  }
  const shared = isMissing ? [] : await all(rowsOf(values.vectors))
  const own = await all(ownRows())
  const parts = [tableOf([...shared, ...own])]
  if (!isMissing) parts.push(`Shared vectors: ${sumLineOf(shared)}.`)
  parts.push(`This project's own: ${sumLineOf(own)}.`)
  const result = parts.join('\n\n')
  say(result)
  const mismatches = [...shared, ...own].flatMap(row => row.mismatches)
  for (const mismatch of mismatches) say(mismatchText(mismatch))
  if (isMissing) say(`skipped: ${values.vectors} is not there, so only this project's own hellos were checked`)
  else if (values.write && mismatches.length === 0) writeResult(result)
  return mismatches.length === 0 ? 0 : 1
}

async function all(rows: AsyncIterable<Row>): Promise<Row[]> {
  const list: Row[] = []
  for await (const row of rows) list.push(row)
  return list
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

process.exitCode = await main()
