import type { EventOf } from '../../../../events/define.ts'
import type { LogTopicObserved } from '../../../../events/log.ts'
import type { TopicFacts } from './topic-rules.ts'

/** What goes on record of a topic, within what a record may hold. */

export const topicSubject = (topic: string): string => `topics/${topic}`

const problemLengthMax = 1_000
const valueLengthMax = 200

export function topicObserved(facts: TopicFacts, problems: readonly string[]): EventOf<typeof LogTopicObserved>['data'] {
  const { partitions, replicas, settings, topic } = facts
  return {
    partitions,
    problems: problems.map((problem) => problem.slice(0, problemLengthMax)),
    replicas,
    // An empty list of policies is a value as well; a record has no empty texts.
    settings: settings.map(({ name, value }) => ({ name, value: value === '' ? 'none' : value.slice(0, valueLengthMax) })),
    topic,
  }
}
