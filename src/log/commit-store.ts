import type { WrittenEvent } from './event-log.ts'

/** What a stream writer needs of the medium below it: one commit at a time, and the truth about what became of it. */

/** Records with their places in the chain, as one run of bytes: each record followed by a newline. */
export interface Batch {
  readonly firstSequence: number
  readonly bytes: Uint8Array
  /** Offset in `bytes` of each record's newline. */
  readonly ends: readonly number[]
  readonly leafHashes: readonly string[]
  /** What each record says; dropped once everybody who follows has had time to take it. */
  events: readonly WrittenEvent[] | null
}

export interface CommitFailure {
  /** errno name. */
  readonly code: string
  readonly syscall: string
  readonly cause?: unknown
}

export type CommitOutcome =
  | { readonly kind: 'durable' }
  /** Nothing of it is stored, nor will ever appear: its sequence numbers are free again. */
  | { readonly kind: 'not_written'; readonly failure: CommitFailure }
  /** It may be stored or not. Nothing else may be committed before `settle` made the same bytes durable. */
  | { readonly kind: 'unknown'; readonly failure: CommitFailure }

export interface CommitStore {
  commit(batch: Batch): Promise<CommitOutcome>
  /** Makes a batch durable, byte-equal, after its outcome was `unknown`. Answers `durable` or `unknown`. */
  settle(batch: Batch): Promise<CommitOutcome>
  /** Whether a commit would succeed now, found out without leaving anything behind. */
  probe(): Promise<CommitOutcome>
}
