/** Counts where cases ended up, and shows the counts as a table that reads well in a terminal and in docs/conformance.md. */
import { groups, type Case } from './cases.ts'
import { refused, type Place } from './hellos.ts'

/** Where every proxy sent one case. */
export interface Outcome {
  readonly case: Case
  readonly places: readonly Place[]
}

/** `refused`: it should have reached a pool. `wrong`: it reached another one. `let through`: it should have been refused. */
const verdicts = ['right', 'refused', 'wrong', 'let through'] as const
export type Verdict = (typeof verdicts)[number]

/** `isOurs`: held to what is expected, where the rules leave others a choice. */
export function verdictOf({ expected, elsewhere }: Case, place: Place, isOurs: boolean): Verdict {
  if (place === expected || (!isOurs && elsewhere.includes(place))) return 'right'
  if (place === refused) return 'refused'
  return expected === refused ? 'let through' : 'wrong'
}

export interface Column {
  readonly label: string
  readonly isOurs: boolean
}

/** One line for each group and for all. */
export function summaryOf(outcomes: readonly Outcome[], columns: readonly Column[]): string {
  return tableOf(groups.map((group) => [group, outcomes.filter((outcome) => outcome.case.group === group)]), outcomes, columns)
}

/** One line for each row of each group, in the order in which they first come. */
export function detailOf(outcomes: readonly Outcome[], columns: readonly Column[]): string {
  const rowOf = ({ case: { group, what } }: Outcome): string => `${group}: ${what}`
  const rows = [...Map.groupBy(outcomes, rowOf)]
  const place = (outcome: Outcome): number => groups.indexOf(outcome.case.group)
  return tableOf(rows.toSorted(([, a], [, b]) => place(a[0]!) - place(b[0]!)), outcomes, columns)
}

type Row = readonly [title: string, outcomes: readonly Outcome[]]

function tableOf(rows: readonly Row[], all: readonly Outcome[], columns: readonly Column[]): string {
  const head = ['hellos', 'cases', ...columns.map(({ label }) => label)]
  const body = [...rows, ['**all**', all] as const].map(([title, ofRow]) => [title, `${ofRow.length}`, ...cellsOf(ofRow, columns)])
  const widths = head.map((_, column) => Math.max(...[head, ...body].map((line) => line[column]!.length)))
  const line = (cells: readonly string[]): string => `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`
  return [line(head), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...body.map(line)].join('\n')
}

function cellsOf(outcomes: readonly Outcome[], columns: readonly Column[]): readonly string[] {
  return columns.map(({ isOurs }, column) => {
    const all = outcomes.map(({ case: one, places }) => verdictOf(one, places[column]!, isOurs))
    const counts = verdicts.map((verdict) => ({ verdict, count: all.filter((each) => each === verdict).length }))
    return counts.filter(({ count }) => count > 0).map(({ verdict, count }) => `${count} ${verdict}`).join(', ')
  })
}

/** One line on a case that ended up somewhere else. */
export function mismatchText({ group, what, hello, expected, wire }: Case, label: string, place: Place): string {
  const name = expected === refused ? hello.sound.name : hello.asked.name
  const asking = name === null ? 'without a name' : `with the name ${JSON.stringify(name)}`
  return `${label}: ${group}: ${what}: ${wire.length} bytes of ${hello.client} ${asking}: expected ${expected}, got ${place}`
}
