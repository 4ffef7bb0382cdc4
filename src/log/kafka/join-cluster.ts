import type { Stream } from '../../../events/define.ts'
import { sleep, type Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/logger.ts'
import type { NodeStream } from '../cluster-log.ts'
import type { CommitFailure } from '../commit-store.ts'
import { FileLog, type FileLogOptions } from '../file/file-log.ts'
import type { NodeWriter } from '../node-log.ts'
import { isClientError } from './broker-errors.ts'
import type { KafkaClient } from './client.ts'
import type { ClusterTopic } from './cluster-reader.ts'
import { ControlCopy } from './control-copy.ts'
import { reconcile, refuseNameInUse, setAside, sourceIn } from './join.ts'
import { Partitions } from './partitions.ts'
import { ShippedPlaces } from './shipped-places.ts'

/** Takes a node's folder and brings it to where it may write to the cluster, in order; or gives everything back and says why not. */

export interface JoinOptions extends FileLogOptions {
  readonly client: KafkaClient
  readonly logger: Logger
  readonly topics: Readonly<Record<Stream, string>>
  /** Makes the topics what they have to be, or throws a `Fault`; answers how many partitions each has. */
  readonly prepareTopics: () => Promise<Readonly<Record<Stream, number>>>
  /** Start although the name is in use. */
  readonly takeOver: boolean
}

const triesMax = 10
const againMs = 500

/** A log folder that could not be continued. */
export interface SetAside {
  readonly epoch: string
  readonly because: string
}

export interface Joined {
  readonly copy: ControlCopy
  readonly file: FileLog
  readonly partitions: Partitions
  readonly places: ShippedPlaces
  readonly setAside: SetAside | null
  /** Records that the disk had lost. */
  readonly takenBack: number
}

/** Throws as `FileLog.open`, and `Fault`s that say why this node can't join. */
export async function joinCluster(options: JoinOptions, onCopyFailure: (failure: CommitFailure | null) => void): Promise<Joined> {
  const { clock, disk, folder } = options
  const partitions = new Partitions(await options.prepareTopics())
  const places = await ShippedPlaces.read(disk, clock, folder)
  await using joining = new AsyncDisposableStack()
  const { aside, file, takenBack } = await openContinued(options, partitions, places)
  joining.use(file)
  await refuseIfAlive(options, partitions, file.writer, file.writer.epoch)
  const copy = await ControlCopy.open({ clock, disk, folder, onFailure: onCopyFailure, own: sourceIn(file.writer, 'control') })
  joining.move()
  return { copy, file, partitions, places, setAside: aside, takenBack }
}

/** The folder's log where it continues what the cluster has of it, else a new one in its place. */
async function openContinued(
  options: JoinOptions,
  partitions: Partitions,
  places: ShippedPlaces,
): Promise<{ readonly aside: SetAside | null; readonly file: FileLog; readonly takenBack: number }> {
  const { disk, folder, logger } = options
  await using opening = new AsyncDisposableStack()
  const file = opening.use(await FileLog.open(options))
  const parts = { ...options, file, partitionOf: partitions.of, places, refuseIfAlive: () => refuseIfAlive(options, partitions, file.writer, null) }
  const found = await patiently(options, () => reconcile(parts))
  if (found.kind === 'same') {
    opening.move()
    return { aside: null, file, takenBack: found.takenBack }
  }
  const { because } = found
  const { cluster, epoch, node } = file.writer
  await file.close(0)
  const earlier = await setAside(disk, folder, epoch)
  logger.error('this log folder does not continue what Kafka has of it: a new epoch begins', { because, earlier, epoch })
  places.forget()
  return { aside: { because, epoch }, file: await FileLog.open({ ...options, cluster, node }), takenBack: 0 }
}

/** A topic that was made a moment ago, or a leader that moves, answers at the next try. */
async function patiently<Result>({ client, clock }: JoinOptions, ask: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask()
    } catch (error) {
      if (!isClientError(error)) throw error
      if (tries >= triesMax) throw client.faultOf(error)
    }
    await sleep(clock, againMs)
  }
}

async function refuseIfAlive(options: JoinOptions, partitions: Partitions, writer: NodeWriter, own: string | null): Promise<void> {
  const never = new AbortController().signal
  if (!options.takeOver) await refuseNameInUse(topicOf(options, partitions, 'operations', never), writer, own)
}

/** A topic as those who read all nodes have it. */
export function topicOf(
  { client, clock, topics }: { readonly client: KafkaClient; readonly clock: Clock; readonly topics: Readonly<Record<Stream, string>> },
  partitions: Partitions,
  stream: NodeStream,
  closed: AbortSignal,
): ClusterTopic {
  return { client, clock, closed, partitionOf: (node) => partitions.of(stream, node), topic: topics[stream] }
}
