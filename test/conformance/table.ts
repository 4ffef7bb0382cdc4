/** Shows rows as one table that reads well in a terminal and in docs/conformance.md, and mismatches one by one. */
import { columns, type Mismatch, type Row, type Score, sumOf } from './findings.ts'

/** Of an expectation or an answer; enough to see what differs in a list of cipher suites. */
const shownCharactersMax = 1_500

export function tableOf(rows: readonly Row[]): string {
  const sum = sumOf(rows)
  const cells = [
    ['file', 'vectors', 'definite', ...columns],
    ...[...rows, sum].map(row => [
      row === sum ? '**all**' : row.file,
      `${row.vectors}`,
      shown(row.definite),
      ...columns.map(column => shown(row.scores[column])),
    ]),
  ]
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map(line => line[column]!.length)))
  const lines = cells.map(line => `| ${line.map((cell, column) => aligned(cell, column, widths[column]!)).join(' | ')} |`)
  const rule = `|${widths.map((width, column) => (column === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`
  return [lines[0], rule, ...lines.slice(1)].join('\n')
}

export function sumLineOf(rows: readonly Row[]): string {
  const { definite, definiteAsBytes, mismatches } = sumOf(rows)
  const recipes = definite.of - definiteAsBytes.of
  const given = recipes === 0 ? '' : ` (${inWords(definiteAsBytes)} without the ${recipes} hellos that are given as a recipe)`
  const wrong = mismatches.length === 0 ? 'no mismatch' : `${mismatches.length} mismatches`
  return `${inWords(definite)} definite answers, whole, in the listed cuts and byte by byte${given}; ${wrong} in any column`
}

export function mismatchText({ file, id, column, expected, got }: Mismatch): string {
  return [`MISMATCH ${file} ${id}, ${column}`, `  expected ${json(expected)}`, `  got      ${json(got)}`].join('\n')
}

function shown(score: Score | undefined): string {
  return score === undefined || score.of === 0 ? '' : `${score.right}/${score.of}`
}

function inWords({ right, of }: Score): string {
  return `${right} of ${of}`
}

function aligned(cell: string, column: number, width: number): string {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width)
}

function json(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value)
  return text.length <= shownCharactersMax ? text : `${text.slice(0, shownCharactersMax)}... (${text.length} characters)`
}
