import { streams, type Stream } from '../../../events/define.ts'
import { sourceOf } from '../../../events/envelope.ts'
import type { Clock } from '../../core/clock.ts'
import type { Disk } from '../../core/disk.ts'
import { Fault } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import type { FileLog } from '../file/file-log.ts'
import { positionOf } from '../recent-records.ts'
import type { NodeWriter } from '../node-log.ts'
import { isHopeless } from './broker-errors.ts'
import type { KafkaClient } from './client.ts'
import { readCluster, type ClusterTopic } from './cluster-reader.ts'
import { findTail, linkOf, ownRecords, type SourcePlace } from './own-records.ts'
import { endsOfTopic, messagesBetween } from './patient-reader.ts'
import { hasEnded } from './life-end.ts'
import { placesName, type ShippedPlaces } from './shipped-places.ts'
import { TakingBack } from './taking-back.ts'

/**
 * Before a node writes its first record to a cluster: what its disk lost and the cluster has is taken back, a log that
 * went another way than the cluster's memory of it is set aside, and a name that somebody else lives under is refused.
 */

/** A node that wrote something within this time lives. */
export const freshMs = 30_000

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
  const { contradicted, last } = await findTail(place, known)
  if (contradicted !== null) {
    await parts.refuseIfAlive()
    return { kind: 'diverged', because: `Kafka has different records ${contradicted} of ${stream}` }
  }
  if (last === null) {
    if (stream === 'control' && end.sequence > 0 && known === null) await refuseOtherHistory(parts)
    return { kind: 'same', takenBack: 0 }
  }
  if (last.sequence < end.sequence) {
    const ours = await hashAt(file, stream, last.sequence)
    if (ours === last.leafHash) return { kind: 'same', takenBack: 0 }
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

async function hashAt(file: FileLog, stream: Stream, sequence: number): Promise<string | null> {
  const after = sequence === 0 ? null : positionOf(sequence - 1)
  for await (const [record] of file.read(stream, { after, follow: false })) return record?.leafHash ?? null
  return null
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

/** Throws a `Fault` when somebody lives under this node's name, of any epoch but `own`. */
export async function refuseNameInUse(at: ClusterTopic, { cluster, node }: NodeWriter, own: string | null): Promise<void> {
  const nowMs = at.clock.now()
  const prefix = `/clusters/${cluster}/nodes/${node}/`
  const lives = new Map<string, { readonly storedMs: number; readonly ended: boolean }>()
  for await (const { records } of readCluster(at, { follow: false, from: { storedSinceMs: nowMs - 2 * freshMs }, node })) {
    for (const { bytes, storedMs } of records) {
      const source = linkOf(bytes)?.source
      if (source === undefined || !source.startsWith(prefix)) continue
      const its = source.slice(prefix.length, source.lastIndexOf('/'))
      if (its !== own) lives.set(its, { ended: hasEnded(bytes, lives.get(its)?.ended ?? false), storedMs })
    }
  }
  for (const [its, { ended, storedMs }] of lives) {
    if (ended || storedMs < nowMs - freshMs) continue
    throw new Fault(
      'node_name_in_use', 'log',
      `another process writes as node "${node}" of cluster "${cluster}": its log (epoch ${its}) was last heard of ${Math.max(0, Math.round((nowMs - storedMs) / 1_000))} s ago. ` +
        `Give this node another name (--node), stop the other one, wait ${freshMs / 1_000} s if it is dead, or take its name with --take-over true: then it ends.`,
      { canRetry: true },
    )
  }
}

/** Moves a log that can't be continued out of the way, whole, so that a new one begins in its folder. */
export async function setAside(disk: Disk, folder: string, epoch: string): Promise<string> {
  const to = `${folder}/earlier/${epoch}`
  await disk.makeFolder(to)
  const present = await disk.list(folder)
  // The identity first: whatever happens in between, no start continues half a log.
  for (const name of ['node.json', 'clean.json', placesName, ...streams, 'snapshots']) {
    if (present.includes(name)) await disk.rename(`${folder}/${name}`, `${to}/${name}`)
  }
  await disk.syncFolder(to)
  await disk.syncFolder(folder)
  return to
}
