import type { Stream } from '../../../../events/define.ts'
import type { Clock } from '../../../core/clock.ts'
import type { Logger } from '../../../core/logger.ts'
import type { NodeStream } from '../../cluster-log.ts'
import type { CommitFailure } from '../../commit-store.ts'
import { naming } from '../../file/open-folder.ts'
import { FileLog, type FileLogOptions } from '../../file/file-log.ts'
import type { KafkaClient } from '../connection/client.ts'
import { patiently } from '../connection/patience.ts'
import type { ClusterTopic } from '../reading/cluster-reader.ts'
import { ControlCopy } from '../control/control-copy.ts'
import { reconcile, sourceIn } from './join.ts'
import { NameCheck } from './name-in-use.ts'
import { finishSettingAside, setAside, type SetAside } from './set-aside.ts'
import { Partitions } from '../topics/partitions.ts'
import { ShippedPlaces } from '../shipping/shipped-places.ts'

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
  const finished = await naming(folder, () => finishSettingAside(options))
  const places = await naming(folder, () => ShippedPlaces.read(disk, clock, folder))
  await using joining = new AsyncDisposableStack()
  const name = new NameCheck(topicOf(options, partitions, 'operations', new AbortController().signal), options.takeOver)
  const { aside, file, takenBack } = await openContinued(options, { name, partitions, places })
  joining.use(file)
  await name.refuseOthers(file.writer)
  const copy = await ControlCopy.open({ clock, disk, folder, onFailure: onCopyFailure, own: sourceIn(file.writer, 'control') })
  joining.move()
  return { copy, file, partitions, places, setAside: aside ?? finished, takenBack }
}

/** The folder's log where it continues what the cluster has of it, else a new one in its place. */
async function openContinued(
  options: JoinOptions,
  { name, partitions, places }: { readonly name: NameCheck; readonly partitions: Partitions; readonly places: ShippedPlaces },
): Promise<{ readonly aside: SetAside | null; readonly file: FileLog; readonly takenBack: number }> {
  const { logger } = options
  await using opening = new AsyncDisposableStack()
  const file = opening.use(await FileLog.open(options))
  const parts = { ...options, file, partitionOf: partitions.of, places, refuseIfAlive: () => name.refuseIfAlive(file.writer) }
  const found = await patiently(options, () => reconcile(parts))
  if (found.kind === 'same') {
    opening.move()
    return { aside: null, file, takenBack: found.takenBack }
  }
  const { because } = found
  const { cluster, epoch, node } = file.writer
  await file.close(0)
  const earlier = await naming(options.folder, () => setAside(options, { because, epoch }))
  logger.error('this log folder does not continue what Kafka has of it: a new epoch begins', { because, earlier, epoch })
  places.forget()
  return { aside: { because, epoch }, file: await FileLog.open({ ...options, cluster, node }), takenBack: 0 }
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
