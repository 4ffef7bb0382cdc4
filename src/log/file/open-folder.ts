import { dirname, resolve } from 'node:path'
import { streams, type Stream } from '../../../events/define.ts'
import { sourceOf } from '../../../events/envelope.ts'
import { rfc3339, type Clock } from '../../core/clock.ts'
import type { Disk } from '../../core/disk.ts'
import { errnoOf, Fault, messageOf } from '../../core/errors.ts'
import type { MakeId } from '../../core/ids.ts'
import { LogDamaged } from '../event-log.ts'
import {
  checkNames, forgetHolder, makeIdentity, readEndMarker, readIdentity, removeEndMarker, takeFolder,
  type EndMarker, type Holder, type Identity, type Names,
} from './folder.ts'
import { recoverStream, type RecoveredStream } from './recovery.ts'

/** Takes a log folder and brings it into order, up to the point where records may be written to it. */

export interface FolderOptions extends Names {
  readonly disk: Disk
  readonly clock: Clock
  readonly folder: string
  readonly holder: Holder
  readonly makeId: MakeId
  /** How long another process may still hold the folder: a command line that reads lets go within that time. */
  readonly lockWaitMs?: number
}

/** The part that taking the lock needs. */
export type LockOptions = Pick<FolderOptions, 'clock' | 'disk' | 'folder' | 'holder' | 'lockWaitMs'>

export const lockWaitMsDefault = 5_000
/** Beside the streams, in the folder of a cluster's node: control as the cluster has it. */
export const controlCopyName = 'control-copy'

export interface OpenedFolder {
  /** Gives the folder back. */
  readonly lock: AsyncDisposable
  readonly identity: Identity
  readonly recovered: Readonly<Record<Stream, RecoveredStream>>
}

/** Throws `LogDamaged`, or a `Fault` that says what to do; then the folder is as free as before. */
export async function openFolder(options: FolderOptions): Promise<OpenedFolder> {
  const { folder } = options
  return naming(folder, async () => {
    await options.disk.makeFolder(folder)
    await using lock = await lockFolder(options)
    const identity = await identityOf(options)
    const marker = await readEndMarker(options.disk, folder)
    const recovered = await withRoom(options, () => recoverAll(options, identity, marker))
    // Only now: had the start failed, the next one must still know that nothing can be torn.
    await removeEndMarker(options.disk, folder)
    return { lock: lock.handOver(), identity, recovered }
  })
}

/** `stream`: or what else is kept as a stream is. */
export function streamFolder(folder: string, stream: string): string {
  return `${folder}/${stream}`
}

export function sourcesOf({ cluster, node, epoch }: Identity): Readonly<Record<Stream, string>> {
  const of = (stream: Stream): string => sourceOf(cluster, node, epoch, stream)
  return { control: of('control'), connections: of('connections'), operations: of('operations') }
}

/** The folder's lock with its holder's name; given back when it goes out of scope, unless handed over. */
export async function lockFolder(
  options: LockOptions,
): Promise<AsyncDisposable & { handOver(): AsyncDisposable }> {
  const { disk, folder, holder, clock, lockWaitMs = lockWaitMsDefault } = options
  const lock = await takeFolder(disk, folder, lockWaitMs, holder, rfc3339(clock.now()))
  let ours = true
  const giveBack = async (): Promise<void> => {
    await forgetHolder(disk, folder)
    lock[Symbol.dispose]()
  }
  return {
    handOver: () => {
      ours = false
      return { [Symbol.asyncDispose]: giveBack }
    },
    [Symbol.asyncDispose]: async () => {
      if (ours) await giveBack()
    },
  }
}

/** Everything that the file system says no to becomes a fault that names the folder. */
export async function naming<Result>(folder: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Error) || error instanceof Fault || errnoOf(error) === 'EUNKNOWN') throw error
    throw new Fault(
      'log_folder_unusable',
      'disk',
      `the log folder ${folder} can't be used: ${messageOf(error)}. ` +
        'Waybill needs to read and write there, and room on the disk; then start again.',
      { canRetry: true, cause: error },
    )
  }
}

async function identityOf({ disk, folder, makeId, ...names }: FolderOptions): Promise<Identity> {
  const found = await readIdentity(disk, folder)
  if (found !== null) {
    checkNames(folder, found, names)
    return found
  }
  const present = await disk.list(folder)
  const orphan = streams.find((stream) => present.includes(stream))
  if (orphan !== undefined) {
    const problem = `${folder}/node.json is missing, but there are records in ${orphan}/`
    throw new LogDamaged(`${problem}. Restore the file from a copy.`)
  }
  const identity = await makeIdentity(disk, folder, names, makeId)
  await syncParents(disk, folder)
  return identity
}

/** The folder may be new itself: its name has to be as durable as what it will hold. Not all parents let us. */
export async function syncParents(disk: Disk, folder: string): Promise<void> {
  for (let at = dirname(resolve(folder)); ; at = dirname(at)) {
    await disk.syncFolder(at).catch(() => {})
    if (at === dirname(at)) return
  }
}

async function recoverAll(
  { disk, folder }: FolderOptions,
  identity: Identity,
  marker: EndMarker | null,
): Promise<Readonly<Record<Stream, RecoveredStream>>> {
  const sources = sourcesOf(identity)
  const one = async (stream: Stream): Promise<RecoveredStream> => {
    const path = streamFolder(folder, stream)
    const recovered = await recoverStream({
      disk, stream, folder: path, source: sources[stream], endedInOrder: marker !== null,
    })
    checkEnd(path, marker?.[stream], recovered)
    return recovered
  }
  const recovered = {
    control: await one('control'),
    connections: await one('connections'),
    operations: await one('operations'),
  }
  await disk.syncFolder(folder)
  return recovered
}

function checkEnd(path: string, ended: EndMarker[string] | undefined, { head }: RecoveredStream): void {
  if (ended === undefined || (ended.records === head.sequence && ended.leaf_hash === head.prevhash)) return
  throw new LogDamaged(
    `${path}: it was closed in order with ${ended.records} records and now ends after ${head.sequence}, ` +
      'or with another one. Restore the folder from a copy.',
  )
}

/** A start after a crash has to write its tail again; on a full disk the reserve makes room for that. */
async function withRoom<Result>({ disk, folder }: FolderOptions, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (errnoOf(error) !== 'ENOSPC') throw error
    await disk.remove(`${folder}/reserve`)
    return work()
  }
}
