import type { z } from 'zod'
import { accessEvents, type AccessEvent } from './access.ts'
import { backendEvents, type BackendEvent } from './backend.ts'
import { clockEvents, type ClockEvent } from './clock.ts'
import { configEvents, type ConfigEvent } from './config.ts'
import { connectionEvents, type ConnectionEvent } from './connection.ts'
import type { EventDefinition, RecordedEvent } from './define.ts'
import { recordSchema, recordText } from './envelope.ts'
import { healthEvents, type HealthEvent } from './health.ts'
import { listenerEvents, type ListenerEvent } from './listener.ts'
import { logEvents, type LogEvent } from './log.ts'
import { nodeEvents, type NodeEvent } from './node.ts'
import { poolEvents, type PoolEvent } from './pool.ts'

/** The only place that turns bytes into events. */

export type WaybillEvent =
  | AccessEvent
  | BackendEvent
  | ClockEvent
  | ConfigEvent
  | ConnectionEvent
  | HealthEvent
  | ListenerEvent
  | LogEvent
  | NodeEvent
  | PoolEvent

export const families = {
  access: accessEvents,
  backend: backendEvents,
  clock: clockEvents,
  config: configEvents,
  connection: connectionEvents,
  health: healthEvents,
  listener: listenerEvents,
  log: logEvents,
  node: nodeEvents,
  pool: poolEvents,
} as const satisfies Record<string, readonly EventDefinition[]>

export const definitions: readonly EventDefinition[] = Object.values(families).flat()

/** What bytes turned out to be. `unknown` is a record of a newer Waybill; `malformed` is no record at all. */
export type Reading =
  | { readonly kind: 'event'; readonly event: WaybillEvent }
  | { readonly kind: 'unknown'; readonly type: string }
  | { readonly kind: 'malformed'; readonly problem: string }

/** The schema of the whole record, by type. */
export const recordSchemas: ReadonlyMap<string, z.ZodType> = new Map(
  definitions.map((definition) => [definition.type, recordSchema(definition)]),
)

/** Parses a record's exact bytes or text (without the newline) and checks envelope and data in full. */
export function readRecord(record: string | Uint8Array): Reading {
  const text = typeof record === 'string' ? record : recordText(record)
  if (text === null) return { kind: 'malformed', problem: 'it is not UTF-8' }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { kind: 'malformed', problem: 'it is not JSON' }
  }
  if (typeof value !== 'object' || value === null || !('type' in value) || typeof value.type !== 'string') {
    return { kind: 'malformed', problem: 'it has no type' }
  }
  const schema = recordSchemas.get(value.type)
  if (schema === undefined) return { kind: 'unknown', type: value.type }
  const parsed = schema.safeParse(value)
  if (!parsed.success) return { kind: 'malformed', problem: describeIssue(parsed.error, value.type) }
  return { kind: 'event', event: parsed.data as WaybillEvent & RecordedEvent }
}

function describeIssue(error: z.ZodError, type: string): string {
  const issue = error.issues[0]
  return issue ? `${type}: ${issue.path.join('.')}: ${issue.message}` : `${type}: it does not fit its schema`
}
