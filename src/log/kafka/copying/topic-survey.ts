import { streams, type Stream } from '../../../../events/define.ts'
import type { Clock } from '../../../core/clock.ts'
import { Fault } from '../../../core/errors.ts'
import type { Identity } from '../../file/folder.ts'
import type { KafkaClient } from '../connection/client.ts'
import type { CopyProgress } from './copy-into-topics.ts'
import type { FetchedMessage } from '../connection/fetch-client.ts'
import { hasEnded } from '../joining/life-end.ts'
import { linkOf } from '../reading/own-records.ts'
import { endsOfTopic, messagesBetween, readPatiently } from '../reading/patient-reader.ts'

/** Who wrote what is in the topics: looked at as a whole before anything of it is copied. */

export interface TopicParts {
  readonly client: KafkaClient
  readonly clock: Clock
  readonly topics: Readonly<Record<Stream, string>>
  readonly progress: CopyProgress
}

/** One log folder of one node, as far as it is in the topics. */
export interface Author extends Identity {
  /** Records of each stream, repeats included. */
  readonly records: Record<Stream, number>
  /** When the broker stored its newest operations record, milliseconds since the epoch. */
  lastStoredMs: number
  /** Its newest operations record says that the node stopped. */
  stopped: boolean
}

export interface Survey {
  /** In the order in which they appear, operations first. */
  readonly authors: readonly Author[]
  /** Messages that are no records. */
  readonly foreign: number
}

/** More log folders than any cluster had. */
const authorsMax = 10_000
const order = ['operations', 'connections', 'control'] as const satisfies readonly Stream[]

/** Throws a `Fault` that says why the topics can't be read. */
export async function surveyTopics({ client, clock, progress, topics }: TopicParts): Promise<Survey> {
  const authors = new Map<string, Author>()
  let foreign = 0
  for (const stream of order) {
    const at = { client, clock, topic: topics[stream] }
    const ends = await endsOfTopic(at)
    using shown = progress('messages looked at', messagesBetween(ends))
    for await (const { messages } of readPatiently(at, ends.earliest)) {
      for (const message of messages) if (!count(authors, stream, message)) foreign += 1
      shown.add(messages.length)
    }
  }
  return { authors: [...authors.values()], foreign }
}

/** False: it is no record of this stream. */
function count(authors: Map<string, Author>, stream: Stream, { storedMs, value }: FetchedMessage): boolean {
  const identity = value === null ? null : identityIn(linkOf(value)?.source ?? '', stream)
  if (value === null || identity === null) return false
  const { cluster, epoch, node } = identity
  const key = `${cluster}/${node}/${epoch}`
  let author = authors.get(key)
  if (author === undefined) {
    if (authors.size === authorsMax) throw new Fault('log_too_many_nodes', 'log', `the topics have records of more than ${authorsMax} log folders, which no cluster of Waybill has`)
    author = { ...identity, lastStoredMs: 0, records: Object.fromEntries(streams.map((each) => [each, 0])) as Record<Stream, number>, stopped: false }
    authors.set(key, author)
  }
  author.records[stream] += 1
  if (stream === 'operations') {
    author.lastStoredMs = Math.max(author.lastStoredMs, storedMs)
    author.stopped = hasEnded(value, author.stopped)
  }
  return true
}

function identityIn(source: string, stream: Stream): Identity | null {
  const [, cluster, node, epoch, its] = /^\/clusters\/([^/]+)\/nodes\/([^/]+)\/([^/]+)\/([a-z]+)$/.exec(source) ?? []
  if (cluster === undefined || node === undefined || epoch === undefined || its !== stream) return null
  return { cluster, epoch, node }
}
