import type { Difference, ListenerDocument } from '../../projections/configuration.ts'
import { policyText } from './listener-policy.ts'
import { printable } from '../core/printable.ts'

/** Differences of configurations as lines: what is new, gone, or different from what to what. */

/** What the API answers to a change with `dry_run`. */
export interface DryRun {
  readonly changes: boolean
  readonly differences: readonly Difference[]
  readonly open_connections: number
  readonly ends_connections: number
}

export function differenceLines({ changes, differences, ends_connections: ends, open_connections: open }: DryRun): string {
  if (!changes) return 'Nothing would change.'
  const touched = `${open} open ${open === 1 ? 'connection' : 'connections'}`
  const ended = ends === 0 ? 'none of which it would end' : `${ends} of which it would end`
  return [
    ...differences.map(differenceLine),
    open === 0 ? 'It would touch no open connection on this node.' : `It would touch ${touched} on this node, ${ended}.`,
  ].join('\n')
}

export function differenceLine({ after, before, field, kind, subject }: Difference): string {
  if (kind === 'added') return `+ ${printable(subject)}${shortly(after)}`
  if (kind === 'removed') return `- ${printable(subject)}${shortly(before)}`
  return `~ ${printable(subject)}  ${printable(String(field))}: ${changeText(before, after)}`
}

/** Of a map, such as that of the routes, the entries that are different. */
function changeText(before: unknown, after: unknown): string {
  if (!isMap(before) || !isMap(after)) return `${valueText(before)} -> ${valueText(after)}`
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]))
  return keys.map((key) => `${printable(key)}: ${valueText(before[key])} -> ${valueText(after[key])}`).join(', ')
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Of a whole object the fields that say something: no lists of further objects, nothing empty. */
function shortly(object: unknown): string {
  if (typeof object !== 'object' || object === null) return ''
  const said = Object.entries(object).filter(([name, value]) => !unsaid.has(name) && value !== null && !isEmpty(value))
  return said.length === 0 ? '' : `  ${said.map(([name, value]) => `${name}=${fieldText(name, value)}`).join(' ')}`
}

function fieldText(name: string, value: unknown): string {
  return name === 'policy' ? `"${policyText(value as ListenerDocument['policy'])}"` : valueText(value)
}

/** In the subject already, or about the record and not the object. */
const unsaid: ReadonlySet<string> = new Set([
  'added_at', 'applied_at', 'backends', 'created_at', 'file', 'host', 'id', 'listener', 'managed_by', 'name', 'pool', 'port', 'revision', 'ssl_mode',
  'state',
])

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}

function valueText(value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  return printable(typeof value === 'string' ? value : JSON.stringify(value))
}
