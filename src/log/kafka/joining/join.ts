import { streams, type Stream } from '../../../../events/define.ts'
import { sourceOf } from '../../../../events/envelope.ts'
import type { Clock } from '../../../core/clock.ts'
import { Fault } from '../../../core/errors.ts'
import type { Logger } from '../../../core/logger.ts'
import type { FileLog } from '../../file/file-log.ts'
import type { NodeWriter } from '../../node-log.ts'
import { isHopeless } from '../connection/broker-errors.ts'
import type { KafkaClient } from '../connection/client.ts'
import { compareWithOwn } from '../reading/own-log.ts'
import { findTail, ownRecords, type SourcePlace } from '../reading/own-records.ts'
import { endsOfTopic, messagesBetween } from '../reading/patient-reader.ts'
import type { ShippedPlaces } from '../shipping/shipped-places.ts'
import { TakingBack } from './taking-back.ts'

/**
 * Before a node writes its first record to a cluster: what its disk lost and the cluster has is taken back, and a log that
 * went another way than the cluster's memory of it is found out.
 */

export interface JoinParts {
  readonly client: KafkaClient
  readonly clock: Clock
  readonly file: FileLog
  readonly logger: Logger
  readonly places: ShippedPlaces
  readonly topics: Readonly<Record<Stream, string>>
  readonly partitionOf: (stream: Stream, node: string) => number
  /** Throws a `Fault` when a process lives that writes to the cluster as this node, of whatever epoch. */
  readonly refuseIfAlive: () => Promise<void>
}

/** What the cluster remembers of this log folder: the same, more (taken back by now), or something else. */
export type Reconciled = { readonly kind: 'same'; readonly takenBack: number } | { readonly kind: 'diverged'; readonly because: string }

export async function reconcile(parts: JoinParts): Promise<Reconciled> {
  let takenBack = 0
  for (const stream of streams) {
    const one = await reconcileStream(parts, stream)
    if (one.kind === 'diverged') return one
    takenBack += one.takenBack
  }
  return { kind: 'same', takenBack }
}

async function reconcileStream(parts: JoinParts, stream: Stream): Promise<Reconciled> {
  const { file, logger, places } = parts
  const known = places.of(stream, parts.topics[stream], parts.partitionOf(stream, file.writer.node))
  const end = file.end(stream)
  const place = placeOf(parts, stream)
  const { contradicted, last } = await findTail(place, known, file.beginning(stream).sequence)
  if (contradicted !== null) {
    await parts.refuseIfAlive()
    return { kind: 'diverged', because: `Kafka has different records ${contradicted} of ${stream}` }
  }
  if (last === null) {
    if (stream === 'control' && end.sequence > 0 && known === null) await refuseOtherHistory(parts)
    return { kind: 'same', takenBack: 0 }
  }
  if (last.sequence < end.sequence) {
    // What was cut here the cluster had: if its end lies in there, it lost the rest, which the shipper says.
    if ((await compareWithOwn(file, stream, last)) !== 'other') return { kind: 'same', takenBack: 0 }
    await parts.refuseIfAlive()
    return { kind: 'diverged', because: `record ${last.sequence} of ${stream} is another one in Kafka` }
  }
  // Whoever wrote what this folder does not have may be a process with another copy of it.
  await parts.refuseIfAlive()
  // What is missing comes after the known record, or before it, where the search begins at the beginning.
  const takenBack = await takeBack(parts, stream, known !== null && known.sequence < end.sequence ? known.offset : 0)
  const after = file.end(stream)
  if (after.sequence === last.sequence + 1 && after.prevhash === last.leafHash) {
    logger.warn(`${takenBack} records of the ${stream} stream that this disk had lost were taken back from Kafka`)
    return { kind: 'same', takenBack }
  }
  return { kind: 'diverged', because: `record ${after.sequence} of ${stream} in Kafka does not continue what is on this disk` }
}

/** Stores what continues the log here, up to the first record that does not. */
async function takeBack(parts: JoinParts, stream: Stream, from: number): Promise<number> {
  const { file } = parts
  const taking = new TakingBack(file, stream)
  let { prevhash, sequence } = file.end(stream)
  for await (const record of ownRecords(placeOf(parts, stream), from)) {
    // One that is ahead of its turn comes again in its turn, or the run ends here.
    if (record.sequence !== sequence) continue
    if (record.prevhash !== prevhash) break
    await taking.add(record)
    sequence += 1
    prevhash = record.leafHash
  }
  await taking.store()
  return taking.count
}

/** A folder with a configuration of its own can't join a cluster that has another: its changes would all be void. */
async function refuseOtherHistory({ client, clock, file, topics }: JoinParts): Promise<void> {
  if (messagesBetween(await endsOfTopic({ client, clock, topic: topics.control })) === 0) return
  throw new Fault(
    'log_not_of_this_cluster', 'settings',
    `the data folder of node "${file.writer.node}" has changes of its own, and ${topics.control} has those of a cluster that does not know them. ` +
      'Start this node with an empty data folder; its pools are then those of the cluster. The old folder can still be read (waybill events --data).',
  )
}

function placeOf({ client, clock, file, partitionOf, topics }: JoinParts, stream: Stream): SourcePlace {
  return {
    client, clock,
    // There is nobody yet who could be told: what may mend itself is waited for, the rest ends the start.
    onReachable: (problem) => {
      if (isHopeless(problem)) throw client.faultOf(problem)
    },
    partition: partitionOf(stream, file.writer.node),
    source: sourceIn(file.writer, stream),
    topic: topics[stream],
  }
}

export function sourceIn({ cluster, epoch, node }: Pick<NodeWriter, 'cluster' | 'epoch' | 'node'>, stream: Stream): string {
  return sourceOf(cluster, node, epoch, stream)
}
