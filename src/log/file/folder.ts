import { readWhole, replaceFile, type Disk } from '../../core/disk.ts'
import { errnoOf, Fault, messageOf } from '../../core/errors.ts'
import type { MakeId } from '../../core/ids.ts'
import { LogDamaged } from '../event-log.ts'

/** The log's folder as a whole: who may use it now, whose it is, and whether its last use ended in order. */

/** Who asks for the folder, for whoever comes second. */
export interface Holder {
  readonly pid: number
  /** Verb of the command line: `serve`, `export`, ... */
  readonly verb: string
}

/** The names asked for; null means whatever the folder says. */
export interface Names {
  readonly cluster: string | null
  readonly node: string | null
  /** Name of a new folder's node when none was asked for. */
  readonly hostname: string
}

export interface Identity {
  readonly cluster: string
  readonly node: string
  readonly epoch: string
}

/** Where each stream ended, written by an orderly end and removed by the next start. */
export type EndMarker = Readonly<Record<string, { readonly records: number; readonly leaf_hash: string }>>

const holderName = 'holder.json'
const identityName = 'node.json'
const endMarkerName = 'clean.json'
const clusterOfNewFolders = 'default'
/** What a source may be made of; a host name is. Long names would not leave a closing record its size. */
const namePatterns = {
  cluster: /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/,
  node: /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?$/,
} as const

/** Takes the folder's lock, or says who has it. */
export async function takeFolder(
  disk: Disk,
  folder: string,
  waitMs: number,
  holder: Holder,
  since: string,
): Promise<Disposable> {
  const lock = await disk.lock(folder, waitMs)
  if (lock === null) throw await folderInUse(disk, folder)
  // Only information for people; the lock is what counts, also where this can't be written.
  await replaceFile(disk, folder, holderName, toJson({ pid: holder.pid, since, verb: holder.verb })).catch(() => {})
  return lock
}

/** Before the lock is let go: afterwards the file is somebody else's. */
export async function forgetHolder(disk: Disk, folder: string): Promise<void> {
  await disk.remove(`${folder}/${holderName}`).catch(() => {})
}

async function folderInUse(disk: Disk, folder: string): Promise<Fault> {
  const holder = await readJson(disk, folder, holderName).catch(() => null)
  const who =
    holder === null
      ? 'another process (it left no name)'
      : `process ${text(holder['pid'])} (waybill ${text(holder['verb'])}, since ${text(holder['since'])})`
  return new Fault(
    'folder_in_use',
    'log',
    `the log folder ${folder} is in use by ${who}. A folder has one user at a time: stop that process, wait for it to ` +
      'end, or choose another folder.',
    { canRetry: true },
  )
}

export async function readIdentity(disk: Disk, folder: string): Promise<Identity | null> {
  const path = `${folder}/${identityName}`
  const found = await readJson(disk, folder, identityName)
  if (found === null) return null
  const { cluster, node, epoch } = found
  if (typeof cluster === 'string' && typeof node === 'string' && typeof epoch === 'string') {
    return { cluster, node, epoch }
  }
  throw new LogDamaged(`${path}: it does not say cluster, node and epoch. Restore this file from a copy.`)
}

export async function makeIdentity(disk: Disk, folder: string, names: Names, makeId: MakeId): Promise<Identity> {
  const identity = {
    cluster: names.cluster ?? clusterOfNewFolders,
    epoch: makeId(),
    node: names.node ?? names.hostname,
  }
  for (const kind of ['cluster', 'node'] as const) {
    if (namePatterns[kind].test(identity[kind])) continue
    throw new Fault(
      'name_invalid',
      'settings',
      `the ${kind} name ${JSON.stringify(identity[kind])} can't be used: it may have letters, digits, ".", "_" and "-", ` +
        `at most ${kind === 'node' ? 100 : 63}. Set the ${kind} name in the settings.`,
    )
  }
  await writeIdentity(disk, folder, identity)
  return identity
}

/** Of a folder that is made, or made again from what others kept of it. */
export async function writeIdentity(disk: Disk, folder: string, { cluster, epoch, node }: Identity): Promise<void> {
  await replaceFile(disk, folder, identityName, toJson({ cluster, epoch, node }))
}

/** A folder belongs to one node for ever: records of two in one chain would be nobody's. */
export function checkNames(folder: string, identity: Identity, names: Names): void {
  for (const kind of ['cluster', 'node'] as const) {
    const asked = names[kind]
    if (asked === null || asked === identity[kind]) continue
    throw new Fault(
      'folder_of_another_node',
      'settings',
      `the log folder ${folder} belongs to ${kind} "${identity[kind]}", the settings say ${kind} "${asked}". ` +
        'Choose an empty folder for the new name, or leave the name as it was.',
    )
  }
}

export async function writeEndMarker(disk: Disk, folder: string, marker: EndMarker): Promise<void> {
  await replaceFile(disk, folder, endMarkerName, toJson(marker))
}

/** Null when the end was not orderly. An unreadable marker is none: then the tail is checked as after a crash. */
export async function readEndMarker(disk: Disk, folder: string): Promise<EndMarker | null> {
  try {
    return (await readJson(disk, folder, endMarkerName)) as EndMarker | null
  } catch (error) {
    if (error instanceof LogDamaged) return null
    throw error
  }
}

/** Durable before the first write: a marker that outlived its truth would call a good log damaged. */
export async function removeEndMarker(disk: Disk, folder: string): Promise<void> {
  await disk.remove(`${folder}/${endMarkerName}`)
  await disk.syncFolder(folder)
}

async function readJson(disk: Disk, folder: string, name: string): Promise<Record<string, unknown> | null> {
  const path = `${folder}/${name}`
  try {
    const value: unknown = JSON.parse((await readWhole(disk, path)).toString())
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null
    if (!(error instanceof SyntaxError)) throw error
    throw new LogDamaged(`${path}: it is not JSON (${messageOf(error)}). Restore this file from a copy.`, error)
  }
  throw new LogDamaged(`${path}: it is not a JSON object. Restore this file from a copy.`)
}

function toJson(value: object): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`)
}

function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : 'unknown'
}
