import type { ConnectionClosedData } from '../events/connection.ts'
import type { Projection } from './projection.ts'

/**
 * Totals by pool and backend, and refusals by reason. Bytes are counted when a connection closes.
 * An owned accumulator: steps change the totals in place, because every connection passes twice.
 */
export interface Traffic {
  readonly pools: Map<string, PoolTraffic>
  /** Clients refused, by reason. */
  readonly refused: Map<string, number>
  /** Time of the first record that is counted; null: none was. */
  since: string | null
}

export interface Totals {
  opened: number
  closed: number
  bytesToBackend: number
  bytesToClient: number
}

export interface PoolTraffic extends Totals {
  readonly backends: Map<string, BackendTraffic>
}

export interface BackendTraffic extends Totals {
  /** Dials that failed before the connection went to another backend or was refused. */
  dialFailures: number
}

export const traffic: Projection<
  Traffic,
  'dev.waybill.connection.opened.v1' | 'dev.waybill.connection.closed.v1' | 'dev.waybill.connection.refused.v1'
> = {
  name: 'traffic',
  version: 2,
  initial: () => ({ pools: new Map(), refused: new Map(), since: null }),
  on: {
    'dev.waybill.connection.opened.v1': (state, { event: { data, time } }) => {
      state.since ??= time
      const pool = poolOf(state, data.pool)
      pool.opened += 1
      backendOf(pool, data.backend).opened += 1
      countDialFailures(pool, data.attempts)
      return state
    },
    'dev.waybill.connection.closed.v1': (state, { event: { data } }) => {
      if (isOfAnotherNode(data)) return state
      const pool = poolOf(state, data.pool)
      for (const totals of [pool, backendOf(pool, data.backend)]) {
        totals.closed += 1
        totals.bytesToBackend += data.bytes_to_backend
        totals.bytesToClient += data.bytes_to_client
      }
      return state
    },
    'dev.waybill.connection.refused.v1': (state, { event: { data, time } }) => {
      state.since ??= time
      state.refused.set(data.because, (state.refused.get(data.because) ?? 0) + data.count)
      if (data.pool !== null && data.attempts.length > 0) countDialFailures(poolOf(state, data.pool), data.attempts)
      return state
    },
  },
}

/** Closed on record here when an operator retired the node that had opened it: that one's totals have it already. */
function isOfAnotherNode({ close }: ConnectionClosedData): boolean {
  return close.because === 'node_lost' && close.by === 'operator'
}

function countDialFailures(pool: PoolTraffic, attempts: readonly { readonly backend: string }[]): void {
  for (const attempt of attempts) backendOf(pool, attempt.backend).dialFailures += 1
}

function poolOf(state: Traffic, name: string): PoolTraffic {
  let pool = state.pools.get(name)
  if (pool === undefined) {
    pool = { backends: new Map(), opened: 0, closed: 0, bytesToBackend: 0, bytesToClient: 0 }
    state.pools.set(name, pool)
  }
  return pool
}

function backendOf(pool: PoolTraffic, id: string): BackendTraffic {
  let backend = pool.backends.get(id)
  if (backend === undefined) {
    backend = { opened: 0, closed: 0, bytesToBackend: 0, bytesToClient: 0, dialFailures: 0 }
    pool.backends.set(id, backend)
  }
  return backend
}
