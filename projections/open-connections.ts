import type { ConnectionOpenedData } from '../events/connection.ts'
import type { TlsFactsRecorded } from '../events/tls.ts'
import { nodeOf } from '../events/envelope.ts'
import type { Projection } from './projection.ts'

/**
 * Connections that were opened and not yet closed: what a start after a crash closes on record.
 * An owned accumulator: steps change the map in place, because every connection goes in and out of it. What it holds
 * is replaced, never changed, so that a copy of the map is a snapshot.
 */
export interface OpenConnection {
  readonly node: string
  readonly run: string
  readonly openedAt: string
  readonly opened: ConnectionOpenedData
  /** Of the last progress record. */
  readonly bytesToBackend: number
  readonly bytesToClient: number
  readonly encrypted: boolean | null
  readonly tls: TlsFactsRecorded
}

export type OpenConnections = Map<string, OpenConnection>

export const openConnections: Projection<
  OpenConnections,
  'dev.waybill.connection.opened.v1' | 'dev.waybill.connection.progress.v1' | 'dev.waybill.connection.closed.v1'
> = {
  name: 'open-connections',
  version: 2,
  initial: () => new Map(),
  on: {
    'dev.waybill.connection.opened.v1': (state, { event }) =>
      state.set(event.data.connection_id, {
        node: nodeOf(event.source),
        run: event.run,
        openedAt: event.time,
        opened: event.data,
        bytesToBackend: 0,
        bytesToClient: 0,
        encrypted: event.data.encrypted,
        tls: null,
      }),
    'dev.waybill.connection.progress.v1': (state, { event }) => {
      const { bytes_to_backend: bytesToBackend, bytes_to_client: bytesToClient, connection_id: id, encrypted, tls } = event.data
      const open = state.get(id)
      if (open) state.set(id, { ...open, bytesToBackend, bytesToClient, encrypted, tls })
      return state
    },
    'dev.waybill.connection.closed.v1': (state, { event }) => {
      state.delete(event.data.connection_id)
      return state
    },
  },
}
