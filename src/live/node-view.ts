import type { ConnectionOpenedData } from '../../events/connection.ts'
import type { TlsFactsRecorded } from '../../events/tls.ts'
import type { Actor } from '../../events/values.ts'

/**
 * What this node knows of itself and is in no log yet: open connections, its own view of backends, its listeners.
 * The data path implements it, the API and the metrics read it.
 */

export interface OpenCount {
  readonly connections: number
  /** Of the open connections only. */
  readonly bytesToBackend: number
  readonly bytesToClient: number
}

/** A connection that is open on this node now. */
export interface OpenConnectionNow {
  readonly opened: ConnectionOpenedData
  /** RFC 3339, the time of its opened record. */
  readonly openedAt: string
  readonly bytesToBackend: number
  readonly bytesToClient: number
  /** As the record of its end would say it now. */
  readonly encrypted: boolean | null
  readonly tls: TlsFactsRecorded
}

export interface OpenConnectionsNow {
  /** In the order of their ids, which is that of opening, from the first one after `after`. */
  openConnections(after: string | null): Iterable<OpenConnectionNow>
  /** Null when no such connection is open on this node. */
  openConnection(id: string): OpenConnectionNow | null
  /** Ends it with RST to both sides; its closing record names the actor. False when it is not open on this node. */
  endConnection(id: string, actor: Actor): boolean
}

export interface ListenerNow {
  readonly listener: string
  /** Null: the shared listener. */
  readonly pool: string | null
  readonly address: string
  readonly state: 'bound' | 'failed'
  /** errno name of the failed bind. */
  readonly code: string | null
}

export interface ListenersNow {
  readonly listeners: readonly ListenerNow[]
}

export interface OpenCounters {
  /**
   * Open connections of a backend on this node. A connection counts from its opened record on and until its closing
   * record was handed to the log; then the traffic fold has its bytes. Zeroes for a backend that is not known.
   */
  openByBackend(pool: string, backend: string): OpenCount
  /** Open connections of a pool on this node, also to backends that left it. */
  openOfPool(pool: string): OpenCount
  /** All of this node, and when the oldest of them was opened (RFC 3339); null: none is open. */
  openInAll(): { readonly connections: number; readonly oldestAt: string | null }
  /** How this node sees a backend now; `new` until the first check or dial. `code` is what failed last, null if nothing. */
  healthOf(pool: string, backend: string): BackendHealthNow
}

/** Open connections of one backend on this node. */
export interface OpenOnBackend extends OpenCount {
  readonly pool: string
  readonly backend: string
}

/** The data path as a whole, for whoever measures it. */
export interface DataPathNow {
  /** Only backends with open connections, also those that left; one that was removed and added again may come twice. */
  openOnBackends(): Iterable<OpenOnBackend>
  /** Clients whose hello is being read. */
  readonly peeking: number
  /** Client connections that are taken at once. */
  readonly connectionsMax: number
}

export interface BackendHealthNow {
  readonly state: 'new' | 'up' | 'down'
  readonly code: string | null
  /** RFC 3339, the last check or dial that said something; null: none yet. */
  readonly checkedAt: string | null
}

/** Why the node should get no clients now, beyond what the log and the configuration say. */
export interface NotReady {
  readonly code: 'listener_not_bound' | 'shutting_down' | 'starting'
  readonly sentence: string
}

export interface NodeLife {
  /** Empty when clients are welcome. */
  notReady(): readonly NotReady[]
}
