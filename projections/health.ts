import { nodeOf } from '../events/envelope.ts'
import type { Projection } from './projection.ts'

/**
 * How each node last saw each backend. A node routes by its own view; the others' are shown beside it.
 * An owned accumulator: steps change the map in place, because thousands of backends may come and go with one network.
 */
export interface BackendHealth {
  readonly node: string
  readonly pool: string
  readonly backend: string
  readonly up: boolean
  readonly since: string
  /** What failed last; null while it is up. */
  readonly code: string | null
}

export type HealthView = Map<string, BackendHealth>

export const health: Projection<HealthView, 'dev.waybill.health.changed.v1'> = {
  name: 'health',
  version: 2,
  initial: () => new Map(),
  on: {
    'dev.waybill.health.changed.v1': (state, { event }) => {
      const { backend, code, pool, to } = event.data
      const node = nodeOf(event.source)
      const up = to === 'up'
      const seen: BackendHealth = { node, pool, backend, up, since: event.time, code: up ? null : code }
      return state.set(healthKey(node, pool, backend), seen)
    },
  },
}

export function healthKey(node: string, pool: string, backend: string): string {
  return `${node} ${pool} ${backend}`
}
