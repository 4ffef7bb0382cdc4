import { dirname } from 'node:path'
import { socketName, socketPathBytesMax } from '../../api/socket.ts'
import type { Settings } from '../../config/settings.ts'
import type { Clock } from '../../core/clock.ts'
import { writeFully, type Disk } from '../../core/disk.ts'
import { errnoOf, Fault } from '../../core/errors.ts'
import { folderFacts, type FolderFacts } from '../../core/system/folder-facts.ts'
import { StoppedLog } from '../../log/file/stopped-log.ts'
import { bytesText } from '../table.ts'
import { ok, problem, unknown, warning, type Finding } from './finding.ts'

/** What the log needs of its folder: that it is there, ours, on a disk that keeps what it was given, with room, and fast. */

type Space = Pick<Settings, 'data' | 'spaceLowBytes'>

/** `ownId`: the user that this process runs as; null where there is no such thing. */
export async function checkFolder({ data, spaceLowBytes }: Space, ownId: number | null): Promise<Finding[]> {
  let facts: FolderFacts | null
  try {
    facts = await folderFacts(data)
  } catch (error) {
    return [problem('folder', `${data} can't be looked at: ${errnoOf(error)}.`, 'Let the user that runs this program reach it.')]
  }
  if (facts === null) return [await missingFolder(data)]
  return [accessFinding(data, facts, ownId), spaceFinding(data, facts, spaceLowBytes), fileSystemFinding(data, facts.fileSystem)]
}

/** A start makes the folder, if it may. */
async function missingFolder(data: string): Promise<Finding> {
  const parent = await nearestFolder(dirname(data))
  if (parent?.facts.writable === true) return ok('folder', `${data} does not exist yet; the first start makes it.`)
  return problem('folder', `${data} does not exist, and this user can't make it in ${parent?.path ?? dirname(data)}.`, `Make it: install -d -m 700 -o USER ${data}`)
}

async function nearestFolder(path: string): Promise<{ readonly path: string; readonly facts: FolderFacts } | null> {
  for (let at = path; ; at = dirname(at)) {
    const facts = await folderFacts(at).catch(() => null)
    if (facts !== null) return { path: at, facts }
    if (at === dirname(at)) return null
  }
}

function accessFinding(data: string, facts: FolderFacts, ownId: number | null): Finding {
  const mode = facts.mode.toString(8).padStart(3, '0')
  if (!facts.isFolder) return problem('folder', `${data} is no folder.`, 'Name a folder with --data DIR.')
  if (!facts.readable || !facts.writable) {
    return problem('folder', `This user may not write to ${data} (mode ${mode}, owner ${facts.ownerId}).`, `Give it to the user that runs the server: chown USER ${data}`)
  }
  if (ownId !== null && ownId !== 0 && facts.ownerId !== ownId) {
    return warning('folder', `${data} belongs to user ${facts.ownerId}, and this is user ${ownId}.`, `Give it to the user that runs the server: chown USER ${data}`)
  }
  if ((facts.mode & 0o077) !== 0) {
    return warning('folder', `Others may look into ${data} (mode ${mode}): records name clients.`, `Close it: chmod 700 ${data}`)
  }
  return ok('folder', `${data} is ours alone (mode ${mode}).`)
}

/** A segment, its compressed copy and a few small files; far fewer are a full disk. */
const inodesLow = 1_000

function spaceFinding(data: string, { freeBytes, freeInodes, totalInodes }: FolderFacts, spaceLowBytes: number): Finding {
  const free = bytesText(freeBytes)
  const action = 'Make room, or move the folder to a larger disk: when it is full, new clients are refused.'
  if (freeBytes < spaceLowBytes) return problem('space', `${free} are free at ${data}, less than space_low_bytes (${bytesText(spaceLowBytes)}).`, action)
  if (totalInodes > 0 && freeInodes < inodesLow) return problem('space', `${freeInodes} inodes are free at ${data}.`, action)
  return ok('space', `${free} are free at ${data}.`)
}

/** What each of these does to a record that was called durable. */
const doubtful: ReadonlyMap<string, string> = new Map([
  ['tmpfs', 'is memory: every record is gone with the next boot'],
  ['ramfs', 'is memory: every record is gone with the next boot'],
  ['overlay', 'is the layer of a container: every record is gone with the container'],
  ['nfs', 'is on the network: locks and fdatasync are only as good as the server, and slow'],
  ['cifs', 'is on the network: locks and fdatasync are only as good as the server, and slow'],
  ['smb2', 'is on the network: locks and fdatasync are only as good as the server, and slow'],
  ['fuse', 'is made by another program: locks and fdatasync are only as good as that'],
  ['9p', 'is shared from a host: locks and fdatasync are only as good as that'],
])

function fileSystemFinding(data: string, fileSystem: string): Finding {
  const doubt = doubtful.get(fileSystem)
  if (doubt === undefined) return ok('file system', `${data} is on ${fileSystem}.`)
  return warning('file system', `${data} is on ${fileSystem}, which ${doubt}.`, 'Keep the log on a local disk, in a container on a volume.')
}

export function checkSocketPath({ data }: Pick<Settings, 'data'>): Finding {
  const path = `${data}/${socketName}`
  const bytes = Buffer.byteLength(path)
  if (bytes <= socketPathBytesMax) return ok('socket', `${path} is short enough for a socket.`)
  return problem('socket', `${path} has ${bytes} bytes, and the path of a socket at most ${socketPathBytesMax}.`, 'Choose a shorter path, or start inside of the folder with a relative one.')
}

const writesMeasured = 32
/** As large as a busy commit. */
const writeBytes = 4_096
const slowMs = 10

/** How long a record takes to be on the medium: every new connection waits that long. */
export async function checkSync({ data }: Pick<Settings, 'data'>, disk: Disk, clock: Clock, processId: number): Promise<Finding> {
  const path = `${data}/doctor-${processId}.tmp`
  const tookMs: number[] = []
  try {
    await using file = await disk.create(path)
    for (let index = 0; index < writesMeasured; index += 1) {
      const startedMs = clock.monotonicMs()
      await writeFully(file, new Uint8Array(writeBytes), index * writeBytes)
      await file.sync()
      tookMs.push(clock.monotonicMs() - startedMs)
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return unknown('fdatasync', 'There is no folder to measure in yet.', 'Look again after the first start.')
    return problem('fdatasync', `Writing to ${data} failed: ${errnoOf(error)}.`, 'The log could not be written either: look at the disk and at who owns the folder.')
  } finally {
    await disk.remove(path).catch(() => {})
  }
  const medianMs = tookMs.toSorted((one, other) => one - other)[writesMeasured / 2]!
  const sentence = `A write is on the medium after ${medianMs.toFixed(2)} ms (median of ${writesMeasured}), and every new connection waits for one.`
  if (medianMs <= slowMs) return ok('fdatasync', sentence)
  return warning('fdatasync', sentence, 'Keep the log on a faster disk: an SSD with protection against power loss takes well under a millisecond.')
}

/** Opens the log as a reader does, which looks at its newest segments. Not for a folder that a server holds. */
export async function checkLog({ data }: Pick<Settings, 'data'>, disk: Disk, clock: Clock, processId: number): Promise<Finding> {
  try {
    await using log = await StoppedLog.open({ clock, disk, folder: data, holder: { pid: processId, verb: 'doctor' }, lockWaitMs: 0 })
    const counts = (['control', 'connections', 'operations'] as const).map((stream) => `${log.count(stream)} of ${stream}`).join(', ')
    return ok('log', `The log of node ${log.identity.node} is in order where a start looks: ${counts}. Older segments were not read.`)
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    if (error.code === 'no_log_here') return ok('log', `There is no log in ${data} yet; the first start makes it.`)
    if (error.code === 'folder_in_use') return warning('log', error.message, 'A server that holds the folder answers on its socket; this one does not.')
    return problem('log', error.message, 'See "when things break" in docs/operating.md before anything is written there.')
  }
}
