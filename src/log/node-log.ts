import type { Stream } from '../../events/define.ts'
import type { EventLog } from './event-log.ts'

/** What a node's own log (memory or file) tells its owner beyond the port: who writes, and what befell it. */
export interface NodeLog extends EventLog {
  readonly writer: NodeWriter
  /** What a crash had left unfinished and the start cut off; the owner appends one `log.recovered` for each. */
  readonly cuts: readonly Cut[]
  /** Calls back when free space falls below the threshold, once until it has recovered; at once if it already is. */
  onSpaceLow(listener: (space: SpaceLow) => void): Disposable
  /**
   * Takes no more appends, waits at most `timeoutMs` for those it has, then lets go of everything.
   * True when each of them is durable; false when some were not written.
   */
  close(timeoutMs: number): Promise<boolean>
}

export interface NodeWriter {
  readonly cluster: string
  readonly node: string
  readonly epoch: string
  /** One process life. */
  readonly run: string
  /** No stream holds a record yet: the owner appends `log.initialized`. */
  readonly isNew: boolean
}

export interface Cut {
  readonly stream: Stream
  /** File name within the stream's folder. */
  readonly segment: string
  readonly bytesCut: number
  /** What was wrong with the first line that was cut. */
  readonly problem: string
}

export interface SpaceLow {
  readonly freeBytes: number
  readonly thresholdBytes: number
  readonly totalBytes: number
}
