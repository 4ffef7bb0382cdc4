import { NodeRetired } from '../../events/node.ts'
import type { Actor, Change, Origin } from '../../events/values.ts'
import type { Clock } from '../core/clock.ts'
import type { ClusterView, NodeHeard } from '../live/cluster-view.ts'
import { leftOpenOf, lostDrafts, type LeftOpen } from '../live/left-open.ts'
import { closeLost } from '../live/lost-records.ts'
import type { ClusterLog } from '../log/cluster-log.ts'
import type { Drafts } from '../log/drafts.ts'
import { NotWritten, Unsettled } from '../log/event-log.ts'
import { Queue } from './queue.ts'

/**
 * Retires a node that never returns: what it left open is closed on record, and who said so. No change of the
 * configuration: it has no revision, and is a fact of this node's operations.
 */

/** One reads a whole partition; somebody who waits for more than this many has a script that runs wild. */
const retiringMax = 8
/** How often a read is asked whether it still makes sense. */
const watchEveryMs = 1_000

export interface Retirement {
  readonly actor: Actor
  readonly change: Change
  readonly node: string
  readonly origin: Origin
  /** The trace that the request is part of (W3C Trace Context). */
  readonly traceparent?: string
}

export type RetireAnswer =
  /** `repeated`: it was retired before, and nothing was open: no record. */
  | { readonly kind: 'retired'; readonly connectionsClosed: number; readonly epoch: string; readonly repeated: boolean }
  | { readonly kind: 'refused'; readonly because: 'node_is_running' | 'node_is_self' | 'node_unknown'; readonly seenMs: number | null }
  /** Silence of others means nothing while this node does not hear itself. */
  | { readonly kind: 'not_followed' }
  /** Some may be closed on record; the same again closes the rest. */
  | { readonly kind: 'not_applied'; readonly because: string }
  | { readonly kind: 'outcome_unknown' }
  | { readonly kind: 'busy'; readonly waiting: number }

/** What it would do. */
export type RetirePreview = Extract<RetireAnswer, { kind: 'not_followed' | 'refused' }> | { readonly kind: 'would_close'; readonly connections: number; readonly changes: boolean }

export interface RetireParts {
  readonly appendTimeoutMs: number
  readonly clock: Clock
  readonly drafts: Drafts
  /** Name of this node. */
  readonly self: string
  /** Null: this node has its log to itself. */
  readonly cluster: { readonly log: Pick<ClusterLog, 'append' | 'readAll' | 'writer'>; readonly view: Pick<ClusterView, 'caughtUp' | 'hearsItself' | 'node'> } | null
  /** Aborts when the node ends. */
  readonly signal: AbortSignal
}

export class Retiring {
  readonly #parts: RetireParts
  readonly #queue = new Queue(retiringMax)

  constructor(parts: RetireParts) {
    this.#parts = parts
  }

  /** One after the other. Rejects with a `Fault` when the cluster can't be read. */
  run(retirement: Retirement): Promise<RetireAnswer> {
    const answer = this.#queue.run(() => this.#retire(retirement))
    return answer ?? Promise.resolve({ kind: 'busy', waiting: this.#queue.waiting })
  }

  /** Reads what it would close and records nothing. */
  async preview(name: string): Promise<RetirePreview> {
    const found = this.#find(name)
    if ('kind' in found) return found
    const left = await this.#leftOpen(found)
    if (left === null) return { kind: 'not_followed' }
    return { kind: 'would_close', connections: left.length, changes: left.length > 0 || found.state !== 'retired' }
  }

  async #retire(retirement: Retirement): Promise<RetireAnswer> {
    const found = this.#find(retirement.node)
    if ('kind' in found) return found
    const left = await this.#leftOpen(found)
    if (left === null) return { kind: 'not_followed' }
    // Reading took its time, and the node may be back.
    const again = this.#find(retirement.node)
    if ('kind' in again) return again
    const { epoch } = again
    if (again.state === 'retired' && left.length === 0) return { kind: 'retired', connectionsClosed: 0, epoch, repeated: true }
    try {
      await this.#record(again, left, retirement)
    } catch (error) {
      if (error instanceof NotWritten) return { kind: 'not_applied', because: error.message }
      if (error instanceof Unsettled) return { kind: 'outcome_unknown' }
      throw error
    }
    return { kind: 'retired', connectionsClosed: left.length, epoch, repeated: false }
  }

  #find(name: string): NodeHeard | Extract<RetireAnswer, { kind: 'not_followed' | 'refused' }> {
    const { cluster, self } = this.#parts
    if (name === self) return { kind: 'refused', because: 'node_is_self', seenMs: null }
    if (cluster === null) return { kind: 'refused', because: 'node_unknown', seenMs: null }
    if (!cluster.view.hearsItself) return { kind: 'not_followed' }
    const found = cluster.view.node(name)
    if (found === null) return { kind: 'refused', because: 'node_unknown', seenMs: null }
    if (found.state === 'running' && !found.stale) return { kind: 'refused', because: 'node_is_running', seenMs: found.heardMs }
    return found
  }

  /** Null: it was not read to its end, because the cluster fell silent or this node ends. */
  async #leftOpen(found: NodeHeard): Promise<readonly LeftOpen[] | null> {
    const { clock, cluster, signal } = this.#parts
    if (cluster === null) return []
    const silence = new AbortController()
    using _watch = clock.every(watchEveryMs, () => {
      if (!cluster.view.hearsItself) silence.abort()
    })
    const until = AbortSignal.any([signal, silence.signal])
    const left = await leftOpenOf({ log: cluster.log, signal: until }, found, null)
    return until.aborted ? null : left
  }

  async #record(found: NodeHeard, left: readonly LeftOpen[], retirement: Retirement): Promise<void> {
    const { appendTimeoutMs, cluster, drafts } = this.#parts
    const { actor, change, node, origin, traceparent } = retirement
    if (cluster === null) return
    const options = { purpose: 'admission', timeoutMs: appendTimeoutMs } as const
    await closeLost({ drafts, log: cluster.log }, left, actor, options)
    const data = { actor, change, connections_closed: left.length, epoch: found.epoch, node, origin }
    const retired = drafts.make(NodeRetired, `nodes/${node}`, data, traceparent === undefined ? {} : { traceparent })
    const [first, ...others] = [...lostDrafts(drafts, found, left, null), retired]
    await cluster.log.append('operations', [first ?? retired, ...others], options)
  }
}
