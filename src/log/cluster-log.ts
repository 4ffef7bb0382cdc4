import type { Stream } from '../../events/define.ts'
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

/** Oldest records of a stream that were removed from this node's disk, since the cluster has them. */
export interface LocalCut {
  readonly stream: NodeStream
  /** Sequence of the first and of the last of them. */
  readonly first: number
  readonly last: number
  /** Of the last one. */
  readonly leafHash: string
  /** Where the last one was seen a moment before. */
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

export interface CutLocalOptions {
  /** Only records that are older, by their own time, milliseconds since the epoch. */
  readonly beforeMs: number
  /** Has to put the cut on record; what it rejects with keeps the records here. */
  readonly record: (cut: LocalCut) => Promise<void>
}

/** Sequences of a node's own records. */
export interface LostRange {
  readonly first: number
  readonly last: number
}

/** What the cluster has lost of a topic that was deleted, made anew or cut, as far as this node can tell. */
export interface TopicLost {
  /** Records that this node has of it and sends again. */
  readonly records: number
  /** Sequences of this node's own records that nobody has any more: they were removed here, since the cluster had them. */
  readonly lost: LostRange | null
  readonly stream: Stream
  readonly topic: string
}

export interface ClusterLog extends NodeLog, ClusterReader {
  readonly brokerClock: BrokerClock
  /** What this node has written and the cluster has not acknowledged. */
  backlog(): Backlog
  /**
   * Removes from this node's disk what the cluster has and is old enough; reading goes on as before, only from farther away.
   * Resolves with what was removed. Rejects as `record`, with a `Fault` when the cluster can't be asked, and as the disk does.
   */
  cutLocal(options: CutLocalOptions): Promise<readonly LocalCut[]>
  /** Calls back for each topic that has to be filled again; at once for those of this process's start. */
  onTopicLost(listener: (lost: TopicLost) => void): Disposable
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
