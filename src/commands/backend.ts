import {
  BackendAdded, BackendChanged, BackendDrained, BackendRemoved, BackendResumed,
  type BackendAddedData, type BackendChangedData, type BackendDrainedData, type BackendRemovedData, type BackendResumedData,
} from '../../events/backend.ts'
import type { Declaration } from '../../events/values.ts'
import type { Backend, Pool, Routing } from '../../projections/routing.ts'
import { parseBackendUrl } from './backend-url.ts'
import { backendsPerPoolMax } from './bounds.ts'
import {
  controlDraft, mismatch, notOwner, refuse, tooLarge, unknownBackend, unknownPool,
  type Decision, type Refusal, type Request, type Stamp,
} from './decision.ts'

/** The rules for the backends of a pool. */

export interface AddBackend extends Request {
  readonly pool: string
  readonly declaration: Declaration
  /** As written: `https://host[:port]`. */
  readonly url: string
  readonly weight: number
}

/** One backend that exists. */
export interface OneBackend extends Request {
  readonly pool: string
  /** Canonical `host:port`. */
  readonly id: string
}

export interface ChangeBackend extends OneBackend {
  readonly set: { readonly declaration?: Declaration; readonly weight?: number }
}

/** Drain or removal. */
export interface LeavingBackend extends OneBackend {
  /** End its open connections instead of letting them go on. */
  readonly force: boolean
}

export function decideAddBackend(routing: Routing, command: AddBackend & Stamp): Decision<BackendAddedData> {
  const address = parseBackendUrl(command.url)
  if ('problem' in address) return refuse('backend_url_invalid', `url: ${address.problem}.`, { field: 'url' })
  const { host, id, port } = address.value
  const record = controlDraft(command, BackendAdded, `backends/${command.pool}/${id}`, {
    actor: command.actor,
    change: command.change,
    declaration: command.declaration,
    host,
    id,
    idempotency: command.idempotency,
    origin: command.origin,
    pool: command.pool,
    port,
    weight: command.weight,
  })
  const oversize = tooLarge(record)
  if (oversize) return oversize
  const pool = routing.pools.get(command.pool)
  if (pool === undefined) return unknownPool(command.pool)
  const what = `Pool "${pool.name}"`
  return mismatch(what, pool, command.ifMatch) ?? notOwner(what, pool, command, 'backends') ?? noRoom(pool, id) ?? { record }
}

export function decideChangeBackend(routing: Routing, command: ChangeBackend & Stamp): Decision<BackendChangedData> {
  const found = find(routing, command)
  if ('refusal' in found) return found
  const { backend } = found
  const set: BackendChangedData['set'] = {}
  const { declaration, weight } = command.set
  if (declaration !== undefined && JSON.stringify(declaration) !== JSON.stringify(backend.declaration)) set.declaration = declaration
  if (weight !== undefined && weight !== backend.weight) set.weight = weight
  const fields = Object.keys(set)
  if (fields.length === 0) return { unchanged: true }
  for (const field of fields) {
    const refused = notOwner(nameOf(command), backend, command, field === 'declaration' ? null : field)
    if (refused) return refused
  }
  const { actor, change, id, idempotency, origin, pool } = command
  return { record: controlDraft(command, BackendChanged, subjectOf(command), { actor, change, id, idempotency, origin, pool, set }) }
}

/** Always possible, whoever declares the backend. Forcing one that drains already ends what is still open. */
export function decideDrainBackend(routing: Routing, command: LeavingBackend & Stamp): Decision<BackendDrainedData> {
  const found = find(routing, command)
  if ('refusal' in found) return found
  if (found.backend.drainingSince !== null && !command.force) return { unchanged: true }
  const { actor, change, force, id, idempotency, origin, pool } = command
  return { record: controlDraft(command, BackendDrained, subjectOf(command), { actor, change, force, id, idempotency, origin, pool }) }
}

/** Always possible, whoever declares the backend. */
export function decideResumeBackend(routing: Routing, command: OneBackend & Stamp): Decision<BackendResumedData> {
  const found = find(routing, command)
  if ('refusal' in found) return found
  if (found.backend.drainingSince === null) return { unchanged: true }
  const { actor, change, id, idempotency, origin, pool } = command
  return { record: controlDraft(command, BackendResumed, subjectOf(command), { actor, change, id, idempotency, origin, pool }) }
}

export function decideRemoveBackend(routing: Routing, command: LeavingBackend & Stamp): Decision<BackendRemovedData> {
  const found = find(routing, command)
  if ('refusal' in found) return found
  const refused = notOwner(nameOf(command), found.backend, command, null)
  if (refused) return refused
  const { actor, change, force, id, idempotency, origin, pool } = command
  return { record: controlDraft(command, BackendRemoved, subjectOf(command), { actor, change, force, id, idempotency, origin, pool }) }
}

function find(routing: Routing, { id, ifMatch, pool: name }: OneBackend): { backend: Backend } | { refusal: Refusal } {
  const pool = routing.pools.get(name)
  if (pool === undefined) return unknownPool(name)
  const backend = pool.backends.get(id)
  if (backend === undefined) return unknownBackend(pool, id)
  return mismatch(`Pool "${name}"`, pool, ifMatch) ?? { backend }
}

function noRoom(pool: Pool, id: string): { refusal: Refusal } | null {
  if (pool.backends.has(id)) {
    return refuse('backend_exists', `Pool "${pool.name}" already has a backend ${id}.`, {
      field: 'url',
      extra: { pool: pool.name, backend: id },
    })
  }
  if (pool.backends.size < backendsPerPoolMax) return null
  return refuse(
    'too_many_backends',
    `Pool "${pool.name}" has ${backendsPerPoolMax} backends, which is the most. Remove one first.`,
  )
}

function subjectOf({ id, pool }: OneBackend): string {
  return `backends/${pool}/${id}`
}
function nameOf({ id, pool }: OneBackend): string {
  return `Backend ${id} of pool "${pool}"`
}
