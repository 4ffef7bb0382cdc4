import { downKey, type DownBackend, type NodeReport, type NodeState, type PoolTotals } from '../../projections/nodes.ts'
import { rfc3339 } from '../core/clock.ts'
import type { ClusterView, NodeHeard } from './cluster-view.ts'
import type { OwnNode } from './own-node.ts'

/**
 * All nodes as this one knows them: itself as it is at this moment, and the others as they were last heard of. With a log
 * of its own there are no others; whoever asks need not know which it is.
 */

export interface NodeNow extends Pick<NodeState, 'epoch' | 'node' | 'run' | 'startedAt' | 'state' | 'version'> {
  /** The node that answers. */
  readonly isSelf: boolean
  /** It runs, as far as anybody said, and was silent for half a minute: its numbers are old. */
  readonly stale: boolean
  /** When the cluster stored its last sign of life, RFC 3339; null: it is the node that answers. */
  readonly seenAt: string | null
  /** Null: it has not reported yet. */
  readonly report: NodeReport | null
  /** Pools that it has numbers of, in code-unit order. */
  poolNames(): readonly string[]
  /** Null: it never had to do with the pool. */
  totalsOf(pool: string): PoolTotals | null
  /** Of these backends of a pool, those that it sees down. */
  downOf(pool: string, backends: Iterable<string>): readonly DownBackend[]
}

export interface NodesParts {
  readonly own: OwnNode
  /** Null: this node has its log to itself. */
  readonly view: ClusterView | null
}

export class Nodes {
  readonly #own: OwnNode
  readonly #view: ClusterView | null

  constructor({ own, view }: NodesParts) {
    this.#own = own
    this.#view = view
  }

  /** Name of this node. */
  get self(): string {
    return this.#own.writer.node
  }

  /** False while the others are being found out, after a start. */
  get caughtUp(): boolean {
    return this.#view === null || this.#view.caughtUp
  }

  /** By name. */
  all(): readonly NodeNow[] {
    const others = this.#view?.nodes().filter(({ node }) => node !== this.self).map(heardNode) ?? []
    return [ownNode(this.#own), ...others].toSorted((one, other) => (one.node < other.node ? -1 : 1))
  }

  one(name: string): NodeNow | null {
    if (name === this.self) return ownNode(this.#own)
    const heard = this.#view?.node(name) ?? null
    return heard === null ? null : heardNode(heard)
  }
}

function ownNode(own: OwnNode): NodeNow {
  const report = own.report()
  return {
    ...own.writer,
    isSelf: true,
    report,
    seenAt: null,
    stale: false,
    startedAt: own.startedAt,
    state: 'running',
    version: own.version,
    poolNames: () => [...own.poolNames()].toSorted(),
    totalsOf: (pool) => own.totalsOf(pool),
    downOf: (pool) => own.downOf(pool),
  }
}

function heardNode(heard: NodeHeard): NodeNow {
  const { down, epoch, heardMs, node, pools, report, run, stale, startedAt, state, version } = heard
  const isThere = state === 'running' && !stale
  return {
    epoch, node, report, run, stale, startedAt, state, version,
    isSelf: false,
    seenAt: rfc3339(heardMs),
    poolNames: () => [...pools.keys()].toSorted(),
    totalsOf: (pool) => {
      const totals = pools.get(pool)
      if (totals === undefined) return null
      // Whatever was open there, nobody can say that it is open now.
      return isThere ? totals : { ...totals, connectionsOpen: 0 }
    },
    downOf: (pool, backends) => [...backends].flatMap((backend) => down.get(downKey(pool, backend)) ?? []),
  }
}
