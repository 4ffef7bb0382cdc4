/** The part of docs/conformance.md that the runner writes. */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const documentFile = path.resolve(import.meta.dirname, '../../docs/conformance.md')
const begin = '<!-- what `npm run conformance -- --write` found: begin -->'
const end = '<!-- end -->'

export function documentedResult(): string {
  const { text, from, to } = place()
  return text.slice(from, to).trim()
}

export function writeResult(result: string): void {
  const { text, from, to } = place()
  writeFileSync(documentFile, `${text.slice(0, from)}\n\n${result}\n\n${text.slice(to)}`)
}

function place(): { readonly text: string; readonly from: number; readonly to: number } {
  const text = readFileSync(documentFile, 'utf8')
  const at = text.indexOf(begin)
  const from = at + begin.length
  const to = text.indexOf(end, from)
  if (at === -1 || to === -1)
    throw new Error(`${documentFile} has lost its markers; it needs the lines "${begin}" and "${end}"`)
  return { text, from, to }
}
