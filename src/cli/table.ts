import type { Writable } from 'node:stream'
import { styleText } from 'node:util'
import Table from 'cli-table3'
import { printable } from '../core/printable.ts'

/** Tables and words for people: columns without borders; colours only on a terminal that wants them (NO_COLOR is respected). */

export type Tone = 'bad' | 'good' | 'head' | 'plain' | 'warn'

/** A text with a tone, a number (which stands to the right), or nothing. */
export type Cell = string | number | null | undefined | { readonly text: string; readonly tone: Tone }

const formats = { bad: 'red', good: 'green', head: 'bold', warn: 'yellow' } as const

const noBorders = {
  top: '', 'top-mid': '', 'top-left': '', 'top-right': '',
  bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '',
  left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ',
} as const

export function tinted(stream: Writable, text: string, tone: Tone): string {
  return tone === 'plain' ? text : styleText(formats[tone], text, { stream })
}

/** A column is set to the right when everything in it is a number. */
export function table(stream: Writable, head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const drawn = new Table({
    chars: noBorders,
    colAligns: head.map((_, column) => (rows.length > 0 && rows.every((row) => typeof row[column] === 'number') ? 'right' : 'left')),
    head: head.map((name) => tinted(stream, name, 'head')),
    style: { border: [], compact: true, head: [], 'padding-left': 0, 'padding-right': 0 },
  })
  for (const row of rows) drawn.push(row.map((cell) => drawnCell(stream, cell)))
  return withoutTrailingSpace(drawn.toString())
}

/** Names and values of one thing, a line each. */
export function properties(stream: Writable, values: readonly (readonly [string, Cell])[]): string {
  const width = Math.max(...values.map(([name]) => name.length))
  return values.map(([name, cell]) => `${tinted(stream, name.padEnd(width), 'head')}  ${drawnCell(stream, cell)}`).join('\n')
}

function drawnCell(stream: Writable, cell: Cell): string {
  if (cell === null || cell === undefined || cell === '') return '-'
  if (typeof cell === 'object') return tinted(stream, printable(cell.text), cell.tone)
  return printable(String(cell))
}

function withoutTrailingSpace(text: string): string {
  return text.replaceAll(/ +$/gm, '')
}

/** 1536 as `1.5 KiB`. */
export function bytesText(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`
  let value = bytes
  let unit = -1
  while (value >= 1_024 && unit < units.length - 1) {
    value /= 1_024
    unit += 1
  }
  return `${value.toFixed(1)} ${units[unit]}`
}

const units = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const
