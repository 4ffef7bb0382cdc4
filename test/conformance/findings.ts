/** What a check says of one vector: which of the table's columns it belongs to, and whether it is as the label says. */
import { isDeepStrictEqual } from 'node:util'

export const columns = [
  'status',
  'whole',
  'listed cuts',
  'byte by byte',
  '64 KiB after',
  'prefixes',
  'fields',
  'JA4',
  'forwarded',
] as const
export type Column = (typeof columns)[number]

export interface Finding {
  readonly column: Column
  readonly expected: unknown
  readonly got: unknown
}

/** One vector in one column: right, or what was expected and what came first. */
export interface Mismatch extends Finding {
  readonly file: string
  readonly id: string
}

export function isRight({ expected, got }: Finding): boolean {
  return isDeepStrictEqual(got, expected)
}

export interface Score {
  /** Vectors for which the column says something. */
  of: number
  right: number
}

export type Scores = Partial<Record<Column, Score>>

/** One row of the table. `definite`: hellos that must be read, right whole, in the listed cuts and byte by byte. */
export interface Row {
  readonly file: string
  readonly vectors: number
  readonly definite: Score
  /** Those of them that are given as bytes, not as a recipe. */
  readonly definiteAsBytes: Score
  readonly scores: Scores
  readonly mismatches: readonly Mismatch[]
}

const definiteColumns: readonly Column[] = ['status', 'whole', 'listed cuts', 'byte by byte']

export interface Judged {
  readonly id: string
  readonly findings: readonly Finding[]
  /** How the label gives the hello that must be read; null: it is none. */
  readonly hello: 'bytes' | 'recipe' | null
}

export function rowOf(file: string, vectors: readonly Judged[]): Row {
  const definite: Score = { of: 0, right: 0 }
  const definiteAsBytes: Score = { of: 0, right: 0 }
  const scores: Scores = {}
  const mismatches: Mismatch[] = []
  for (const { id, findings, hello } of vectors) {
    const wrong = new Map<Column, Finding>()
    for (const finding of findings) if (!isRight(finding) && !wrong.has(finding.column)) wrong.set(finding.column, finding)
    for (const column of new Set(findings.map(finding => finding.column)))
      count((scores[column] ??= { of: 0, right: 0 }), !wrong.has(column))
    for (const finding of wrong.values()) mismatches.push({ file, id, ...finding })
    if (hello === null) continue
    const right = !definiteColumns.some(column => wrong.has(column))
    count(definite, right)
    if (hello === 'bytes') count(definiteAsBytes, right)
  }
  return { file, vectors: vectors.length, definite, definiteAsBytes, scores, mismatches }
}

function count(score: Score, right: boolean): void {
  score.of++
  if (right) score.right++
}

export function sumOf(rows: readonly Row[]): Row {
  const scores: Scores = {}
  for (const column of columns) {
    const parts = rows.flatMap(row => row.scores[column] ?? [])
    if (parts.length > 0) scores[column] = sumOfScores(parts)
  }
  return {
    file: 'all',
    vectors: rows.reduce((sum, row) => sum + row.vectors, 0),
    definite: sumOfScores(rows.map(row => row.definite)),
    definiteAsBytes: sumOfScores(rows.map(row => row.definiteAsBytes)),
    scores,
    mismatches: rows.flatMap(row => row.mismatches),
  }
}

function sumOfScores(parts: readonly Score[]): Score {
  return {
    of: parts.reduce((sum, part) => sum + part.of, 0),
    right: parts.reduce((sum, part) => sum + part.right, 0),
  }
}
