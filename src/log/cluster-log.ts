import type { EventLog } from './event-log.ts'
import type { NodeLog } from './node-log.ts'

/** What a log that many nodes share can do beyond a node's own: show everybody's records, and the clock they agree on. */

declare const clusterPosition: unique symbol
/** How far a read of everybody's records came. Opaque; may be kept over restarts and handed back. */
export type ClusterPosition = string & { readonly [clusterPosition]: true }

/** Streams that are ordered by node; control is one order for all and is read as any log's. */
export type NodeStream = 'connections' | 'operations'

export interface ClusterRecord {
  /** The exact bytes, without a newline. Whoever may write to the topic may have put anything here. */
  readonly bytes: Uint8Array
  /** RFC 6962 leaf hash of `bytes`, base64. */
  readonly leafHash: string
  /** When the broker stored it, by the broker's clock, milliseconds since the epoch. */
  readonly storedMs: number
}

export interface ClusterBatch {
  readonly records: readonly ClusterRecord[]
  /** Behind the last record: where to read on. */
  readonly position: ClusterPosition
}

export interface ClusterReadOptions {
  readonly from: 'beginning' | { readonly storedSinceMs: number } | { readonly after: ClusterPosition }
  /** Only where the records of this node are; those of others may be among them. */
  readonly node?: string
  /** At the head of now: wait for more instead of ending. */
  readonly follow: boolean
  readonly signal?: AbortSignal
}

/** This node's clock beside the broker's. */
export interface BrokerClock {
  /** Milliseconds that this node's clock is ahead (negative: behind); null while nothing was measured. */
  readonly skewMs: number | null
  /** Half of the shortest round trip that `skewMs` comes from: it may be wrong by so much. */
  readonly uncertaintyMs: number | null
  /** Calls back after each new estimate. */
  onEstimate(listener: () => void): Disposable
}

export interface ClusterReader {
  /**
   * Records of all nodes in the order in which each partition has them; each node's own are in its order, with repeats
   * where a send was repeated (same source and sequence: drop them). Never holds more than some fetches in memory. Waits
   * out a broker that does not answer; ends quietly when `signal` aborts or the log is closed. Throws a `Fault` when it
   * does not follow and the topic is deleted meanwhile, or for a position that is none.
   */
  readAll(stream: NodeStream, options: ClusterReadOptions): AsyncIterable<ClusterBatch>
}

export interface ClusterLog extends NodeLog, ClusterReader {
  readonly brokerClock: BrokerClock
  /** What this node has written and the cluster has not acknowledged. */
  backlog(): Backlog
}

export interface Backlog {
  readonly records: number
  /** Age of the oldest such record; 0 when there is none. */
  readonly oldestMs: number
}

/** Whether a log is one that many nodes share. */
export function isClusterLog(log: EventLog): log is ClusterLog {
  return 'readAll' in log
}
