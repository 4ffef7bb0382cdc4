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

export interface OpenCounters {
  /**
   * Open connections of a backend on this node. A connection counts from its opened record on and until its closing
   * record was handed to the log; then the traffic fold has its bytes. Zeroes for a backend that is not known.
   */
  openByBackend(pool: string, backend: string): OpenCount
  /** How this node sees a backend now; `new` until the first check or dial. `code` is what failed last, null if nothing. */
  healthOf(pool: string, backend: string): BackendHealthNow
}

export interface BackendHealthNow {
  readonly state: 'new' | 'up' | 'down'
  readonly code: string | null
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
