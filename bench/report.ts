import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Facts } from './machine.ts'
import type { Metric } from './measure.ts'
import type { TargetName } from './options.ts'
import { median } from './statistics.ts'
import type { Target } from './targets.ts'

/** From samples to a table: the median of the rounds, and the median of the rounds' ratios to HAProxy. */

export interface Sample {
  readonly round: number
  readonly target: TargetName
  readonly key: string
  readonly value: number
}

export interface Failure {
  readonly round: number
  /** `all`: the measure as a whole. */
  readonly target: TargetName | 'all'
  readonly measure: string
  readonly message: string
}

export interface Results {
  readonly facts: Facts
  readonly metrics: readonly Metric[]
  readonly targets: readonly Target[]
  readonly skipped: readonly string[]
  readonly samples: readonly Sample[]
  readonly failures: readonly Failure[]
  readonly rounds: number
  readonly arguments: readonly string[]
}

interface Cell {
  readonly value: number
  readonly low: number
  readonly high: number
  readonly ratio: number | null
}

const readmePath = join(import.meta.dirname, 'README.md')
const beginMark = '<!-- bench:begin -->'
const endMark = '<!-- bench:end -->'

function cellOf(results: Results, metric: Metric, target: TargetName): Cell | null {
  const mine = results.samples.filter((sample) => sample.key === metric.key && sample.target === target)
  if (mine.length === 0) return null
  const values = mine.map(({ value }) => value)
  return {
    value: median(values),
    low: Math.min(...values),
    high: Math.max(...values),
    ratio: metric.ratio ? ratioOf(results, metric, mine) : null,
  }
}

/** Each round against HAProxy in the same round: what disturbs the machine disturbs both. */
function ratioOf(results: Results, metric: Metric, mine: readonly Sample[]): number | null {
  const ratios = mine.flatMap((sample) => {
    const peer = results.samples.find(
      (other) => other.key === metric.key && other.target === 'haproxy' && other.round === sample.round,
    )
    return peer === undefined || peer.value <= 0 ? [] : [sample.value / peer.value]
  })
  return ratios.length === 0 ? null : median(ratios)
}

function cellText(metric: Metric, target: TargetName, cell: Cell | null): string {
  if (cell === null) return '–'
  const range = cell.low === cell.high ? '' : ` (${cell.low.toFixed(metric.digits)} to ${cell.high.toFixed(metric.digits)})`
  const ratio = cell.ratio === null || target === 'haproxy' ? '' : ` **${cell.ratio.toFixed(2)}×**`
  return cell.value.toFixed(metric.digits) + range + ratio
}

function aimText(results: Results, metric: Metric): string {
  if (metric.aim === undefined) return ''
  const cell = cellOf(results, metric, 'waybill')
  if (cell === null) return metric.aim.text
  return `${metric.aim.text}: ${metric.aim.met(cell.value, cell.ratio) ? 'met' : '**missed**'}`
}

/** Metrics without a single figure are left out: failures and skips say why. */
export function markdown(results: Results): string {
  const { targets, failures, skipped } = results
  const rows = results.metrics.flatMap((metric) => {
    const cells = targets.map(({ name }) => cellOf(results, metric, name))
    if (cells.every((cell) => cell === null)) return []
    const texts = cells.map((cell, index) => cellText(metric, targets[index]!.name, cell))
    return [[metric.label, ...texts, aimText(results, metric)]]
  })
  const table = [['', ...targets.map(({ label }) => label), 'aim'], ...rows]
  const widths = table[0]!.map((_, column) => Math.max(3, ...table.map((row) => row[column]!.length)))
  const lines = table.map((row) => `| ${row.map((text, column) => text.padEnd(widths[column]!)).join(' | ')} |`)
  lines.splice(1, 0, `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`)
  const asked = ['npm run bench', ...(results.arguments.length === 0 ? [] : ['--', ...results.arguments])].join(' ')
  return [
    `\`${asked}\`: medians of ${results.rounds} round${results.rounds === 1 ? '' : 's'} (lowest to highest), in bold the`,
    `median of the rounds' ratios to HAProxy.`,
    '',
    ...lines,
    '',
    ...results.facts.map(([name, value]) => `- ${name}: ${value}`),
    ...targets.map((target) => `- ${target.label}: ${target.setup}`),
    ...skipped.map((line) => `- skipped: ${line}`),
    ...failures.map(failureText),
  ].join('\n')
}

function failureText({ round, target, measure, message }: Failure): string {
  return `- FAILED: ${measure}, ${target}, round ${round + 1}: ${message.replaceAll(/\s+/g, ' ')}`
}

/** Replaces what stands between the markers; text around them is left as it is. */
export function writeReadme(text: string): void {
  const before = existsSync(readmePath) ? readFileSync(readmePath, 'utf8') : `# Benchmark\n\n${beginMark}\n${endMark}\n`
  const begin = before.indexOf(beginMark)
  const end = before.indexOf(endMark)
  if (begin < 0 || end < begin) throw new Error(`${readmePath} has no ${beginMark} before ${endMark}`)
  writeFileSync(readmePath, `${before.slice(0, begin + beginMark.length)}\n${text}\n${before.slice(end)}`)
}

/** Returns the path of the file with every sample. */
export function writeJson(results: Results, folder: string, startedAt: Date): string {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, `waybill-bench-${startedAt.toISOString().replaceAll(/[:.]/g, '-')}.json`)
  const { facts, rounds, skipped, samples, failures } = results
  const content = { facts: Object.fromEntries(facts), arguments: results.arguments, rounds, skipped, samples, failures }
  writeFileSync(path, `${JSON.stringify(content, null, 1)}\n`)
  return path
}
