import { zeroHash } from './chain.ts'
import type { ChainLink } from './envelope.ts'

/** What a record is to a reader that has seen the source so far. */
export type ChainVerdict =
  | 'next'
  /** Seen before, same bytes: drop it. */
  | 'duplicate'
  /** A number already taken by other bytes, or a next one that builds on others: somebody rewrote or forked the source. */
  | 'contradiction'
  /** Records before this one are missing. */
  | 'gap'
  /** One that was missing, after later ones: out of its place, so it is not folded. */
  | 'late'

interface SourceState {
  nextSequence: number
  lastHash: string
  /** Hashes of the latest records, so that a repeat can be told from a contradiction. */
  readonly recent: Map<number, string>
  /** Where records are known to be missing, from the first gap to the last one. */
  missingFrom: number
  missingBefore: number
}

/** What a check knows, by source: another one made from it judges as it would. `missingFrom` null: nothing is missing. */
export type ChainState = ReadonlyMap<string, Readonly<Omit<SourceState, 'missingFrom'> & { missingFrom: number | null }>>

/** A repeat older than this many records is taken for a duplicate without comparing bytes. */
const recentPerSource = 1_024

/** Follows the chain of every source in a stream and says what each record is. Nothing is folded before it is asked. */
export class ChainCheck {
  readonly #sources = new Map<string, SourceState>()

  constructor(from: ChainState = new Map()) {
    for (const [source, state] of from) {
      this.#sources.set(source, { ...state, recent: new Map(state.recent), missingFrom: state.missingFrom ?? Infinity })
    }
  }

  /** Sequence behind the newest record of the source. */
  next(source: string): number {
    return this.#sources.get(source)?.nextSequence ?? 0
  }

  /**
   * The source is not kept from its first record on, but from this one. What is before it is missing for a reason; it is no gap
   * in a source that was not seen before.
   */
  begin({ prevhash, sequence, source }: ChainLink): void {
    if (this.#sources.has(source)) return
    this.#sources.set(source, { nextSequence: sequence, lastHash: prevhash, recent: new Map(), missingFrom: 0, missingBefore: sequence })
  }

  judge(link: ChainLink, leafHash: string): ChainVerdict {
    const state = this.#stateOf(link.source)
    if (link.sequence < state.nextSequence) return seenBefore(state, link.sequence, leafHash)
    const verdict = link.sequence > state.nextSequence ? 'gap' : link.prevhash === state.lastHash ? 'next' : 'contradiction'
    if (verdict === 'contradiction') return verdict
    if (verdict === 'gap') noteGap(state, link.sequence)
    state.nextSequence = link.sequence + 1
    state.lastHash = leafHash
    state.recent.set(link.sequence, leafHash)
    state.recent.delete(link.sequence - recentPerSource)
    return verdict
  }

  /** As it is now: what is judged later changes nothing in it. */
  state(): ChainState {
    const copies = [...this.#sources].map(([source, state]) => {
      const missingFrom = state.missingFrom === Infinity ? null : state.missingFrom
      return [source, { ...state, recent: new Map(state.recent), missingFrom }] as const
    })
    return new Map(copies)
  }

  #stateOf(source: string): SourceState {
    let state = this.#sources.get(source)
    if (state === undefined) {
      state = { nextSequence: 0, lastHash: zeroHash, recent: new Map(), missingFrom: Infinity, missingBefore: 0 }
      this.#sources.set(source, state)
    }
    return state
  }
}

/** A number behind the newest: never silently dropped where it was known to be missing. */
function seenBefore(state: SourceState, sequence: number, leafHash: string): ChainVerdict {
  const seen = state.recent.get(sequence)
  if (seen !== undefined) return seen === leafHash ? 'duplicate' : 'contradiction'
  return sequence >= state.missingFrom && sequence < state.missingBefore ? 'late' : 'duplicate'
}

function noteGap(state: SourceState, sequence: number): void {
  state.missingFrom = Math.min(state.missingFrom, state.nextSequence)
  state.missingBefore = sequence
  for (const old of state.recent.keys()) if (old <= sequence - recentPerSource) state.recent.delete(old)
}
