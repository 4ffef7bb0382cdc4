import { constants } from 'node:fs'
import { access, readFile, stat, statfs } from 'node:fs/promises'
import { errnoOf } from '../errors.ts'

/** What a person would look up about a folder before trusting it with a log. */

export interface FolderFacts {
  readonly isFolder: boolean
  /** Permission bits, such as 0o700. */
  readonly mode: number
  readonly ownerId: number
  /** Whether this process may list it, and make files in it. */
  readonly readable: boolean
  readonly writable: boolean
  readonly freeBytes: number
  readonly freeInodes: number
  /** 0 where the file system has no such limit. */
  readonly totalInodes: number
  /** Such as `ext4`; the number of its kind in hexadecimal where that has no name here. */
  readonly fileSystem: string
}

/** Null when nothing is there. Rejects with an errno `code` when it can't be told. */
export async function folderFacts(path: string): Promise<FolderFacts | null> {
  let status: Awaited<ReturnType<typeof stat>>
  try {
    status = await stat(path)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null
    throw error
  }
  const { bavail, bsize, ffree, files, type } = await statfs(path)
  return {
    isFolder: status.isDirectory(),
    mode: status.mode & 0o777,
    ownerId: status.uid,
    readable: await allows(path, constants.R_OK | constants.X_OK),
    writable: await allows(path, constants.W_OK | constants.X_OK),
    freeBytes: bavail * bsize,
    freeInodes: ffree,
    totalInodes: files,
    fileSystem: fileSystems.get(type) ?? `0x${type.toString(16)}`,
  }
}

/** The text of a small file of the system; null when it is not there or not for us. */
export async function systemText(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch(() => null)
}

async function allows(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(() => true, () => false)
}

/** statfs(2), `f_type`. */
const fileSystems: ReadonlyMap<number, string> = new Map([
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x2fc12fc1, 'zfs'],
  [0xf2f52010, 'f2fs'],
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'ramfs'],
  [0x794c7630, 'overlay'],
  [0x6969, 'nfs'],
  [0xff534d42, 'cifs'],
  [0xfe534d42, 'smb2'],
  [0x65735546, 'fuse'],
  [0x01021997, '9p'],
  [0x00c36400, 'ceph'],
])
