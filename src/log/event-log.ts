import type { Stream } from '../../events/define.ts'
import type { Draft, Writer } from '../../events/envelope.ts'
import { Fault } from '../core/errors.ts'

declare const position: unique symbol
/** Where a record lies in its stream. Opaque: only the log that issued it can say what comes after it. */
export type Position = string & { readonly [position]: true }

/** What a record says, as whoever wrote it had it: equal to what its bytes parse to. */
export type WrittenEvent = Draft & Writer & { readonly sequence: string; readonly prevhash: string }

export interface StoredRecord {
  readonly position: Position
  /** The exact bytes, without the newline. */
  readonly bytes: Uint8Array
  /** RFC 6962 leaf hash of `bytes`, base64. */
  readonly leafHash: string
  /** There when this process wrote the record a moment ago: spares those who follow the parsing. */
  readonly written?: WrittenEvent | undefined
  /** What was before it in the stream is not kept any more: the read goes on here. */
  readonly begins?: true
}

/** Where an appended record went. */
export interface Appended {
  readonly position: Position
  readonly leafHash: string
}

/**
 * What the log may do with an append while it can't write:
 * - `admission`: refuse it at once. For what has not happened yet and need not: new connections, changes.
 * - `owed`: keep it until it is written, and use the reserve when the disk is full. For what has happened and has to
 *   be on record: closing records, shutdown. Bounded by its callers: one per open connection.
 */
export type AppendPurpose = 'admission' | 'owed'

export interface AppendOptions {
  readonly purpose: AppendPurpose
  /** After this many milliseconds the promise settles as `not_written` or `unsettled`. Default: it waits. */
  readonly timeoutMs?: number
}

/** Never in the log: the sequence is free again. `code` is the errno name or reason that kept it out. */
export class NotWritten extends Fault {
  override readonly name = 'NotWritten'
  readonly because: string
  constructor(because: string, message: string, cause?: unknown) {
    super('not_written', 'log', message, { canRetry: true, cause })
    this.because = because
  }
}

/** Handed to the log and not confirmed: it will appear, byte-equal, unless the process ends first. */
export class Unsettled extends Fault {
  override readonly name = 'Unsettled'
  constructor(message: string, cause?: unknown) {
    super('unsettled', 'log', message, { canRetry: false, cause })
  }
}

/** Stored bytes that are not what was written. Stops the start; `message` names file, line and byte. */
export class LogDamaged extends Fault {
  override readonly name = 'LogDamaged'
  constructor(message: string, cause?: unknown) {
    super('log_damaged', 'log', message, { cause })
  }
}

/** One stream's ability to take records. */
export type Availability =
  | { readonly available: true }
  | {
      readonly available: false
      /** errno name of the call that failed. */
      readonly code: string
      readonly syscall: string
      /** Wall time, milliseconds since the epoch. */
      readonly sinceMs: number
    }

export interface ReadOptions {
  /** Only records after this one; null: from the first. Where those are not kept any more it begins with the first that is. */
  readonly after: Position | null
  /** At the head, wait for more instead of ending. */
  readonly follow: boolean
  readonly signal?: AbortSignal
}

/** The one place facts are kept. Adapters: memory (tests, simulation), file (one node), Kafka (many nodes). */
export interface EventLog extends AsyncDisposable {
  /**
   * Gives the drafts their places in the chain and stores them, in the given order. Resolves only when all are
   * durable, with one entry for each. Appends to one stream are stored in the order of the calls; those that arrive
   * while a commit runs share the next one. All drafts of one call are in the same commit: all or none.
   * Rejects with `NotWritten` or `Unsettled`, nothing else. A draft larger than its stream allows is a violation.
   */
  append(stream: Stream, drafts: readonly [Draft, ...Draft[]], options: AppendOptions): Promise<readonly Appended[]>

  /**
   * Durable records in order, in batches as they come to hand (never empty). Ends at the head, unless `follow` is
   * set; ends quietly when `signal` aborts or the log is closed. Throws `LogDamaged` where the chain does not hold.
   */
  read(stream: Stream, options: ReadOptions): AsyncIterable<readonly StoredRecord[]>

  /** The newest durable position, or null for an empty stream. */
  head(stream: Stream): Position | null

  /** Whether records are taken now; the worst of the streams when none is named. */
  availability(stream?: Stream): Availability

  /** Calls back, after the fact, whenever a stream's availability changes. */
  onAvailability(listener: (stream: Stream, now: Availability) => void): Disposable
}
