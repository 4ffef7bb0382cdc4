import { epochOf, nodeOf } from '../../events/envelope.ts'
import { heldNodes, nodes, type Nodes, type NodeState } from '../../projections/nodes.ts'
import { apply, type EventOfType, type EventType } from '../../projections/projection.ts'
import { sleep, type Clock } from '../core/clock.ts'
import { Fault } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import type { ClusterBatch, ClusterLog, ClusterPosition, ClusterReadOptions, ClusterRecord } from '../log/cluster-log.ts'
import { ClusterIntake } from './cluster-intake.ts'
import type { ClusterViewFile, ClusterViewState } from './snapshots/cluster-view-file.ts'

/**
 * What this node knows of all nodes of its cluster: follows everybody's operations in the background and folds them.
 * Nothing waits for it and nothing is routed by it.
 */

/** Three reports that did not come. */
export const silentAfterMs = 30_000
/**
 * How far back a node listens that has nothing kept: 7 days of reports of 50 nodes are read in a minute, and nodes that
 * run tell all of their totals every hour.
 */
const lookBackMs = 7 * 24 * 3_600_000
const retryMs = 5_000
/** A start after a crash reads the reports of so long again. */
const keepEveryMs = 300_000
const handledTypes = Object.keys(nodes.on) as (keyof typeof nodes.on)[]
type HandledEvent = EventOfType<(typeof handledTypes)[number]>

/** A node as it was last heard of. */
export interface NodeHeard extends NodeState {
  /** When the broker stored its last sign of life, by the broker's clock. */
  readonly heardMs: number
  /** It runs, as far as anybody said, and was silent for longer than `silentAfterMs`. */
  readonly stale: boolean
}

/** Another process that goes by the name of this node, and began after it; or one that said that this node never returns. */
export interface TakenOver {
  readonly epoch: string
  readonly run: string
  readonly startedAt: string
}

export interface ClusterViewOptions {
  readonly clock: Clock
  /** Where the state is kept over restarts; null: nowhere. */
  readonly file: ClusterViewFile | null
  readonly log: Pick<ClusterLog, 'brokerClock' | 'readAll' | 'writer'>
  readonly logger: Logger
  /** At most once: this process has to end, for the name is somebody else's now. */
  readonly onTakenOver: (by: TakenOver) => void
}

export class ClusterView {
  readonly #options: ClusterViewOptions
  readonly #stop = new AbortController()
  readonly #ready = Promise.withResolvers<void>()
  #intake: ClusterIntake
  #nodes: Nodes = nodes.initial()
  #heardMs = new Map<string, number>()
  #position: ClusterPosition | null = null
  #caughtUp = false
  #following: Promise<void> | null = null
  #keptAtMs: number
  /** This life's own `node.started` was read back: what comes after it is younger. */
  #hasBegun = false
  /** When another life of this node's own name was heard last, by the broker's clock. */
  #otherLifeHeardMs = 0
  #takenOver = false

  constructor(options: ClusterViewOptions) {
    this.#options = options
    this.#intake = this.#makeIntake()
    this.#keptAtMs = options.clock.monotonicMs()
  }

  /** It has read what there was when it began. */
  get caughtUp(): boolean {
    return this.#caughtUp
  }

  /** Records that were not readable, or of another cluster. */
  get malformed(): number {
    return this.#intake.malformed
  }

  /** Follows until `stop`. The promise resolves when it has caught up for the first time, or was stopped. */
  start(): Promise<void> {
    this.#following ??= this.#follow()
    return this.#ready.promise
  }

  nodes(): readonly NodeHeard[] {
    return [...this.#nodes.values()].map((state) => this.#heard(state))
  }

  node(name: string): NodeHeard | null {
    const state = this.#nodes.get(name)
    return state === undefined ? null : this.#heard(state)
  }

  /** Whether silence of others means anything: a node that does not hear itself has lost its hearing. */
  get hearsItself(): boolean {
    const { node, run } = this.#options.log.writer
    const own = this.node(node)
    return this.#caughtUp && own?.run === run && !own.stale
  }

  /** Whether every other life under this node's name has gone silent, as far as this node hears at all. */
  get aloneUnderItsName(): boolean {
    return this.hearsItself && this.#brokerNowMs() - this.#otherLifeHeardMs > silentAfterMs
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#following
    this.#ready.resolve()
    await this.#keep()
  }

  #heard(state: NodeState): NodeHeard {
    const heardMs = this.#heardMs.get(state.node) ?? 0
    return { ...state, heardMs, stale: state.state === 'running' && this.#brokerNowMs() - heardMs > silentAfterMs }
  }

  #brokerNowMs(): number {
    return this.#options.clock.now() - (this.#options.log.brokerClock.skewMs ?? 0)
  }

  async #follow(): Promise<void> {
    const { clock } = this.#options
    await this.#restore()
    while (!this.#stop.signal.aborted) {
      try {
        await this.#readOn(false)
        this.#caughtUp = true
        this.#ready.resolve()
        await this.#readOn(true)
      } catch (error) {
        if (!(error instanceof Fault)) throw error
        this.#options.logger.warn('the other nodes are not heard; what is shown of them gets old', { error: error.message })
        // Kept by another version: from the look back on; repeats are dropped.
        if (error.code === 'position_invalid') this.#position = null
      }
      if (!this.#stop.signal.aborted) await sleep(clock, retryMs, this.#stop.signal)
    }
  }

  async #readOn(follow: boolean): Promise<void> {
    const from = this.#position === null ? { storedSinceMs: this.#options.clock.now() - lookBackMs } : { after: this.#position }
    const options: ClusterReadOptions = { from, follow, signal: this.#stop.signal }
    for await (const batch of this.#options.log.readAll('operations', options)) {
      this.#take(batch)
      await this.#keepNowAndThen()
    }
  }

  #take({ position, records }: ClusterBatch): void {
    for (const record of records) this.#takeOne(record)
    this.#position = position
  }

  #takeOne(record: ClusterRecord): void {
    const recorded = this.#intake.take<HandledEvent>(record)
    if (recorded === null) return
    const { event } = recorded
    this.#nodes = apply(nodes, this.#nodes, recorded)
    const name = nodeOf(event.source)
    const state = this.#nodes.get(name)
    // What an earlier life of the name still says is no sign of life of this one.
    if (state?.run === event.run) this.#heardMs.set(name, record.storedMs)
    if (this.#heardMs.size > 2 * this.#nodes.size + 16) this.#forgetHeard()
    this.#lookAtOwnName(event, name, record.storedMs)
  }

  #lookAtOwnName(event: HandledEvent, name: string, storedMs: number): void {
    const { node, run } = this.#options.log.writer
    if (name === node && event.run !== run && event.type !== 'dev.waybill.node.stopped.v1') this.#otherLifeHeardMs = storedMs
    if (event.type === 'dev.waybill.node.started.v1' && name === node) this.#someoneBegan(event)
    // Whoever said so has closed on record what is open here.
    if (event.type === 'dev.waybill.node.retired.v1' && event.data.node === node && this.#hasBegun) this.#takenOverBy(event)
  }

  #someoneBegan({ run, source, time }: EventOfType<'dev.waybill.node.started.v1'>): void {
    if (run === this.#options.log.writer.run) this.#hasBegun = true
    else if (this.#hasBegun) this.#takenOverBy({ run, source, time })
  }

  #takenOverBy({ run, source, time }: Pick<HandledEvent, 'run' | 'source' | 'time'>): void {
    if (this.#takenOver) return
    this.#takenOver = true
    this.#options.onTakenOver({ epoch: epochOf(source), run, startedAt: time })
  }

  #forgetHeard(): void {
    for (const name of this.#heardMs.keys()) if (!this.#nodes.has(name)) this.#heardMs.delete(name)
  }

  async #restore(): Promise<void> {
    const kept = await this.#options.file?.load()
    if (kept === undefined || kept === null) return
    this.#nodes = kept.nodes
    this.#heardMs = new Map(kept.heardMs)
    this.#position = kept.position
    this.#intake = this.#makeIntake(kept)
  }

  async #keepNowAndThen(): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs()
    if (nowMs - this.#keptAtMs < keepEveryMs) return
    this.#keptAtMs = nowMs
    await this.#keep()
  }

  async #keep(): Promise<void> {
    if (this.#position === null) return
    const state: ClusterViewState = {
      heads: this.#intake.heads(), heardMs: new Map(this.#heardMs), nodes: heldNodes(this.#nodes), position: this.#position,
    }
    await this.#options.file?.save(state)
  }

  #makeIntake(kept?: ClusterViewState): ClusterIntake {
    const types: readonly EventType[] = handledTypes
    return new ClusterIntake(this.#options.log.writer.cluster, 'operations', types, kept?.heads)
  }
}
