import { LogContradicted, LogSpaceLow, LogTopicObserved } from '../../events/log.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/logger.ts'
import type { LiveTrouble } from '../live/live.ts'
import type { Drafts } from '../log/drafts.ts'
import { topicObserved, topicSubject } from '../log/kafka/topics/topic-record.ts'
import type { TopicFacts } from '../log/kafka/topics/topic-rules.ts'
import { TopicWatch } from '../log/kafka/topics/topic-watch.ts'
import type { NodeLog } from '../log/node-log.ts'
import type { Notes } from '../log/notes.ts'
import { recordOutages } from '../log/outages.ts'
import type { ObservedTopics } from './open-log.ts'

/** Puts on record, and tells whoever runs the node, what befalls its log. */

interface NoteParts {
  readonly drafts: Drafts
  readonly logger: Logger
  readonly notes: Pick<Notes, 'takeDropped' | 'write'>
}

/** What is wrong with records that were read. */
export function tellTrouble({ drafts, logger, notes }: NoteParts, trouble: LiveTrouble): void {
  logger.error('the log holds what it should not', { ...trouble })
  const { detail, kind, stream } = trouble
  if (kind !== 'contradiction') return
  const data = { contradiction: detail.slice(0, contradictionLengthMax), stream }
  notes.write('operations', `contradicted ${detail}`, drafts.make(LogContradicted, `log/${stream}`, data))
}

const contradictionLengthMax = 400

export interface WatchParts extends NoteParts {
  readonly clock: Clock
  readonly log: NodeLog
  /** Null: the log is this node's own. */
  readonly topics: ObservedTopics | null
}

/** Until the stack is disposed. */
export function watchLog(stack: AsyncDisposableStack, { clock, drafts, log, logger, notes, topics }: WatchParts): void {
  stack.use(
    recordOutages({
      clock, drafts, log,
      takeDropped: () => notes.takeDropped(),
      tell: (stream, now) => {
        if (now.available) logger.warn(`the ${stream} stream is written again`)
        else logger.error(`the ${stream} stream can't be written: new clients are refused`, { code: now.code, syscall: now.syscall })
      },
    }),
  )
  if (topics !== null) watchTopics(stack, { clock, drafts, logger, notes }, topics)
  stack.use(
    log.onSpaceLow(({ freeBytes, thresholdBytes, totalBytes }) => {
      logger.warn('the disk that holds the log is nearly full', { free_bytes: freeBytes })
      const data = { free_bytes: freeBytes, threshold_bytes: thresholdBytes, total_bytes: totalBytes }
      notes.write('operations', 'space low', drafts.make(LogSpaceLow, 'log', data))
    }),
  )
}

function watchTopics(stack: AsyncDisposableStack, { clock, drafts, logger, notes }: NoteParts & { readonly clock: Clock }, topics: ObservedTopics): void {
  const record = (facts: TopicFacts, problems: readonly string[]): void => {
    notes.write('operations', `topic ${facts.topic}`, drafts.make(LogTopicObserved, topicSubject(facts.topic), topicObserved(facts, problems)))
  }
  for (const facts of topics.facts) record(facts, [])
  stack.use(
    new TopicWatch({
      ...topics, clock,
      onChanged: (facts, problems) => {
        record(facts, problems)
        if (problems.length === 0) logger.warn(`the settings of the topic ${facts.topic} were changed`)
        for (const problem of problems) logger.error(problem)
      },
      onFailure: (fault) => logger.warn('the topics could not be looked at', { because: fault.message }),
    }),
  )
}
