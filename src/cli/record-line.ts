import { definitions } from '../../events/catalog.ts'
import type { Element, EventDefinition } from '../../events/define.ts'
import { printable } from '../core/printable.ts'

/** A record as one line for people: when, what, about what, who and with which outcome, as its definition says. */

const byType = new Map<string, EventDefinition>(definitions.map((definition) => [definition.type, definition]))

export function recordLine(text: string): string {
  let record: Record<string, unknown>
  try {
    record = JSON.parse(text) as Record<string, unknown>
  } catch {
    return `(not a record) ${printable(text)}`
  }
  const type = String(record['type'])
  const columns = [
    String(record['time']),
    type.replace(/^dev\.waybill\./, '').replace(/\.v1$/, '').padEnd(22),
    String(record['subject']),
    ...auditColumns(record, byType.get(type)),
    ...(typeof record['revision'] === 'number' ? [`revision=${record['revision']}`] : []),
  ]
  return printable(columns.join('  '))
}

function auditColumns(record: Record<string, unknown>, definition: EventDefinition | undefined): string[] {
  if (definition === undefined) return ['(a type that this version does not know)']
  const { outcome, who } = definition.audit
  return [...columnOf('by', who, record), ...columnOf('outcome', outcome, record)]
}

/** What holds of every record of a type says nothing in a list of them. */
function columnOf(name: string, element: Element, record: Record<string, unknown>): string[] {
  if (!('at' in element) || element.at === 'source') return []
  let value: unknown = record
  for (const step of element.at.split('.')) value = (value as Record<string, unknown> | null | undefined)?.[step]
  return typeof value === 'string' || typeof value === 'number' ? [`${name}=${value}`] : []
}
