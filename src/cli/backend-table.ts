import type { Writable } from 'node:stream'
import type { BackendDocument } from '../../projections/configuration.ts'
import type { BackendView } from '../api/schemas.ts'
import { bytesText, properties, table, type Cell } from './table.ts'

/** Backends for people: state and health, with a tone where somebody should look. */

/** As the API shows it, or as the files have it: then there are neither statistics nor health. */
export type ShownBackend = Partial<BackendView> & BackendDocument

/** `statistics` false: the configuration alone. */
export function backendTable(stream: Writable, backends: readonly ShownBackend[], statistics = true): string {
  const head = ['BACKEND', 'WEIGHT', 'STATE', ...(statistics ? ['HEALTH', 'OPEN', 'TOTAL', 'TO BACKEND', 'TO CLIENT', 'FAILED DIALS'] : [])]
  return table(stream, head, backends.map((backend) => [
    backend.id, backend.weight, stateCell(backend), ...(statistics ? statisticsCells(backend) : []),
  ]))
}

function statisticsCells(backend: ShownBackend): Cell[] {
  return [
    healthCell(backend),
    backend.current_connections,
    backend.total_connections,
    sizeCell(backend.bytes_to_backend),
    sizeCell(backend.bytes_to_client),
    backend.dial_failures,
  ]
}

export function backendProperties(stream: Writable, pool: string, backend: ShownBackend): string {
  return properties(stream, [
    ['backend', backend.id],
    ['pool', pool],
    ['weight', backend.weight],
    ['state', stateCell(backend)],
    ['draining since', backend.draining_since],
    ['health', healthCell(backend)],
    ['last looked at', backend.health_checked_at],
    ['managed by', backend.managed_by_file ?? backend.managed_by],
    ['added', backend.added_at],
    ['open connections', backend.current_connections],
    ['connections so far', backend.total_connections],
    ['bytes to backend', sizeCell(backend.bytes_to_backend)],
    ['bytes to clients', sizeCell(backend.bytes_to_client)],
    ['failed dials', backend.dial_failures],
  ])
}

function stateCell({ state }: ShownBackend): Cell {
  return { text: state, tone: state === 'draining' ? 'warn' : 'plain' }
}

function healthCell({ health, health_code: code }: ShownBackend): Cell {
  if (health === undefined) return null
  if (health === 'down') return { text: code ? `down (${code})` : 'down', tone: 'bad' }
  return { text: health, tone: health === 'up' ? 'good' : 'plain' }
}

function sizeCell(bytes: number | undefined): Cell {
  return bytes === undefined ? null : bytesText(bytes)
}
