import { Fault } from '../../../core/errors.ts'
import { freshMs } from '../joining/name-in-use.ts'
import type { Author, Survey } from './topic-survey.ts'

/** Whose log comes out of the topics, or why none can. Pure. */

export interface CopyPlan {
  readonly author: Author
  /** Other log folders of this node, whose connections and operations stay behind. */
  readonly left: readonly Author[]
  /** All of control goes along, beside what the node wrote. */
  readonly withCopy: boolean
}

/** So many are named in a sentence. */
const namedMax = 10

/** `node` null: the topics hold one log, which can go on by itself. Throws a `Fault`. */
export function planCopy({ authors }: Survey, node: string | null, nowMs: number): CopyPlan {
  const [first, ...others] = authors
  if (first === undefined) throw new Fault('log_empty', 'log', 'the topics hold no records. Check --kafka and --topic-prefix.')
  if (node !== null) return planNode(authors, node)
  if (others.length > 0) {
    throw new Fault(
      'log_of_many_nodes', 'log',
      `the topics hold ${authors.length} logs: ${namesOf(authors)}. A folder that is served without Kafka has one. --node NAME copies the connections and ` +
        'operations of that node and all of control, into a folder that can be read, and served with Kafka.',
    )
  }
  if (!first.stopped && first.lastStoredMs > nowMs - freshMs) {
    throw new Fault(
      'node_is_running', 'log',
      `node "${first.node}" was heard of ${Math.max(0, Math.round((nowMs - first.lastStoredMs) / 1_000))} s ago: stop it first, or two go on with one log. ` +
        `If it is dead, wait until it was silent for ${freshMs / 1_000} s.`,
      { canRetry: true },
    )
  }
  return { author: first, left: [], withCopy: false }
}

function planNode(authors: readonly Author[], node: string): CopyPlan {
  const its = authors.filter((author) => author.node === node)
  // An epoch begins when the one before has ended; in operations all of a node are in one partition.
  const author = its.findLast(({ records }) => records.operations > 0) ?? its.at(-1)
  if (author === undefined) throw new Fault('node_unknown', 'settings', `the topics hold nothing of node "${node}", but: ${namesOf(authors)}`)
  return { author, left: its.filter((each) => each !== author), withCopy: true }
}

function namesOf(authors: readonly Author[]): string {
  const names = authors.slice(0, namedMax).map(({ epoch, node }) => `node "${node}" (epoch ${epoch})`)
  return [...names, ...(authors.length > namedMax ? [`and ${authors.length - namedMax} more`] : [])].join(', ')
}
