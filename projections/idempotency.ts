import type { WaybillEvent } from '../events/catalog.ts'
import { zeroHash } from '../events/chain.ts'
import type { Actor } from '../events/values.ts'
import type { EventOfType, Projection, Recorded } from './projection.ts'
import { takesEffect, type ConfigurationEvent } from './routing.ts'

/**
 * Which requests with an Idempotency-Key took effect in the last 24 hours of the log, so that a repeat gets the first
 * answer. An owned accumulator: steps change the map in place.
 */
export interface Answered {
  readonly revision: number
  /** Of the control record. */
  readonly id: string
  readonly type: WaybillEvent['type']
  readonly digest: string
  /** Time of the record, RFC 3339. */
  readonly time: string
}

export interface Idempotency {
  readonly revision: number
  readonly basis: string
  /** In the order of the changes. */
  readonly answered: Map<string, Answered>
}

/** How long a repeat is recognised. */
export const idempotencyMs = 86_400_000
/** Keys that are remembered at most; the oldest go first. */
export const idempotencyKeysMax = 10_000

export const idempotency: Projection<Idempotency, ConfigurationEvent['type']> = {
  name: 'idempotency',
  version: 2,
  initial: () => ({ revision: 0, basis: zeroHash, answered: new Map() }),
  on: {
    'dev.waybill.pool.created.v1': remember,
    'dev.waybill.pool.changed.v1': remember,
    'dev.waybill.pool.removed.v1': remember,
    'dev.waybill.backend.added.v1': remember,
    'dev.waybill.backend.changed.v1': remember,
    'dev.waybill.backend.drained.v1': remember,
    'dev.waybill.backend.resumed.v1': remember,
    'dev.waybill.backend.removed.v1': remember,
    'dev.waybill.listener.changed.v1': remember,
    'dev.waybill.config.applied.v1': remember,
  },
}

/** The first answer of a key, or null when there is none or it is older than 24 hours at `nowMs`. */
export function answeredBefore(state: Idempotency, actor: Actor, key: string, nowMs: number): Answered | null {
  const answered = state.answered.get(keyOf(actor, key))
  return answered === undefined || nowMs - msOf(answered.time) >= idempotencyMs ? null : answered
}

function remember(state: Idempotency, { event, leafHash }: Recorded<EventOfType<ConfigurationEvent['type']>>): Idempotency {
  if (!takesEffect(state, event)) return state
  const next = { revision: state.revision + 1, basis: leafHash, answered: state.answered }
  const { actor, idempotency: given } = event.data
  if (given === null) return next
  const key = keyOf(actor, given.key)
  next.answered.delete(key)
  next.answered.set(key, { revision: next.revision, id: event.id, type: event.type, digest: given.digest, time: event.time })
  forget(next.answered, msOf(event.time))
  return next
}

/** Drops what is too old, as seen from the newest change, and what is too much. */
function forget(answered: Map<string, Answered>, newestMs: number): void {
  for (const [key, { time }] of answered) {
    if (answered.size <= idempotencyKeysMax && newestMs - msOf(time) < idempotencyMs) return
    answered.delete(key)
  }
}

/** Of a record's own time: no clock is read. */
function msOf(time: string): number {
  // oxlint-disable-next-line no-restricted-globals
  return Date.parse(time)
}

/** Keys of different actors have nothing to do with each other; the length says where an id with spaces ends. */
function keyOf({ id, type }: Actor, key: string): string {
  return `${type} ${id.length} ${id} ${key}`
}
