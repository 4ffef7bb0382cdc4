import { prettyFactory } from 'pino-pretty'
import { printable } from '../../core/printable.ts'

/** Lines for people, made of the JSON lines. Nothing in them can give a terminal an order or pass for a line of its own. */

export function prettyLines(colours: boolean): (line: string) => string {
  const pretty = prettyFactory({
    colorize: colours,
    errorLikeObjectKeys: ['error'],
    // Who reads it here knows whose lines they are.
    ignore: 'cluster,node',
    messageKey: 'message',
    singleLine: true,
    translateTime: 'SYS:yyyy-mm-dd HH:MM:ss.l o',
  })
  return (line) => pretty(harmless(JSON.parse(line)))
}

function harmless(value: unknown): unknown {
  if (typeof value === 'string') return value.split('\n').map(printable).join('\n    ')
  if (Array.isArray(value)) return value.map(harmless)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, its]) => [printable(name), harmless(its)]))
}
