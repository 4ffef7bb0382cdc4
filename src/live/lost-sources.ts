import type { Stream } from '../../events/define.ts'
import { sourceOf } from '../../events/envelope.ts'
import { lostSourcesMax } from '../../events/log.ts'
import type { ClusterLog } from '../log/cluster-log.ts'
import type { ClusterView, NodeHeard } from './cluster-view.ts'

/**
 * Whose records of a topic nobody sends again once it was deleted, as far as this node knows: those of nodes that don't run,
 * and of log folders that their nodes have no more.
 */

export interface LostSources {
  /** In code-unit order. */
  readonly sources: readonly string[]
  readonly truncated: boolean
}

export function lostSources(view: Pick<ClusterView, 'hearsItself' | 'nodes'>, { cluster, epoch, node }: ClusterLog['writer'], stream: Stream): LostSources {
  // Every node has all of control.
  if (stream === 'control') return { sources: [], truncated: false }
  const sources = new Set<string>()
  for (const heard of view.nodes()) {
    if (!isThere(heard, view.hearsItself)) sources.add(sourceOf(cluster, heard.node, heard.epoch, stream))
    // A node writes, and sends, one log at a time.
    for (const { epoch: earlier } of heard.leftOpen) if (earlier !== heard.epoch) sources.add(sourceOf(cluster, heard.node, earlier, stream))
  }
  // Whatever was heard of it.
  sources.delete(sourceOf(cluster, node, epoch, stream))
  const all = [...sources].toSorted()
  return { sources: all.slice(0, lostSourcesMax), truncated: all.length > lostSourcesMax }
}

/** Silence says nothing while this node does not hear itself. */
function isThere({ stale, state }: NodeHeard, hearsItself: boolean): boolean {
  return state === 'running' && !(stale && hearsItself)
}
