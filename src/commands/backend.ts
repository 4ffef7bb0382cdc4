import { BackendAdded, type BackendAddedData } from '../../events/backend.ts'
import type { Routing } from '../../projections/routing.ts'
import { parseBackendUrl, type BackendAddress } from './backend-url.ts'
import { backendsPerPoolMax } from './bounds.ts'
import {
  controlPartitionKey, mismatch, refuse, tooLarge, unknownPool,
  type Decision, type DraftFacts, type Request, type Rules, type Stamp,
} from './decision.ts'

/** The rules for the backends of a pool. */

export interface AddBackend extends Request {
  readonly pool: string
  /** As written: `https://host[:port]`. */
  readonly url: string
  readonly weight: number
}

export function decideAddBackend(
  routing: Routing,
  command: AddBackend & Stamp,
  _rules: Rules,
): Decision<BackendAddedData> {
  const address = parseBackendUrl(command.url)
  if ('problem' in address) return refuse('backend_url_invalid', `url: ${address.problem}.`, { field: 'url' })
  const record = backendAdded(command, address.value)
  const oversize = tooLarge(record)
  if (oversize) return oversize
  const pool = routing.pools.get(command.pool)
  if (pool === undefined) return unknownPool(command.pool)
  const stale = mismatch(pool, command.ifMatch)
  if (stale) return stale
  const { id } = address.value
  if (pool.backends.has(id)) {
    return refuse('backend_exists', `Pool "${pool.name}" already has a backend ${id}.`, {
      field: 'url',
      extra: { pool: pool.name, backend: id },
    })
  }
  if (pool.backends.size >= backendsPerPoolMax) {
    return refuse(
      'too_many_backends',
      `Pool "${pool.name}" has ${backendsPerPoolMax} backends, which is the most. Remove one first.`,
    )
  }
  return { record }
}

function backendAdded(command: AddBackend & Stamp, address: BackendAddress): DraftFacts<BackendAddedData> {
  return {
    id: command.id,
    type: BackendAdded.type,
    subject: `backends/${command.pool}/${address.id}`,
    time: command.time,
    partitionkey: controlPartitionKey,
    data: {
      actor: command.actor,
      change: command.change,
      host: address.host,
      id: address.id,
      idempotency_key: command.idempotencyKey,
      origin: command.origin,
      pool: command.pool,
      port: address.port,
      weight: command.weight,
    },
  }
}
