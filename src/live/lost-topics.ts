import { LogTopicLost } from '../../events/log.ts'
import { within, type Clock } from '../core/clock.ts'
import type { Logger } from '../core/logger.ts'
import type { ClusterLog, TopicLost } from '../log/cluster-log.ts'
import type { Drafts } from '../log/drafts.ts'
import type { Notes } from '../log/notes.ts'
import type { ClusterView } from './cluster-view.ts'
import { lostSources } from './lost-sources.ts'

/** Puts on record, and tells whoever runs the node, what a topic that was deleted has taken with it. */

/** A start finds out at once that a topic is gone, and only later which nodes there are. */
const viewWaitMs = 30_000

export interface LostTopicsParts {
  readonly clock: Clock
  readonly drafts: Drafts
  readonly log: Pick<ClusterLog, 'onTopicLost' | 'writer'>
  readonly logger: Logger
  readonly notes: Pick<Notes, 'write'>
  readonly view: ClusterView
}

/** Until it is disposed. */
export function recordLostTopics(parts: LostTopicsParts): Disposable {
  let ended = false
  const subscription = parts.log.onTopicLost((lost) => void recordLost(parts, lost, () => ended))
  return {
    [Symbol.dispose]: () => {
      ended = true
      subscription[Symbol.dispose]()
    },
  }
}

async function recordLost({ clock, drafts, log, logger, notes, view }: LostTopicsParts, { lost, records, stream, topic }: TopicLost, ended: () => boolean): Promise<void> {
  await within(clock, viewWaitMs, view.start())
  if (ended()) return
  const { sources, truncated } = lostSources(view, log.writer, stream)
  if (sources.length > 0) logger.error(`nobody sends again what these logs had in ${topic}, unless their nodes are started on their folders`, { sources, truncated })
  const data = { lost, lost_sources: [...sources], lost_sources_truncated: truncated, records, stream, topic }
  notes.write('operations', `topic lost ${stream}`, drafts.make(LogTopicLost, `log/${stream}`, data))
}
