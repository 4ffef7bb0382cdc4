import { streams, type Stream } from '../../../events/define.ts'
import type { StoredRecord } from '../event-log.ts'
import { sourcesOf } from '../file/open-folder.ts'
import type { StoppedLog } from '../file/stopped-log.ts'
import { positionOf } from '../recent-records.ts'
import { linkOf } from './own-records.ts'

/**
 * What a stopped node's folder has for the topics, in the order in which they get it. Of a cluster's node that is all of
 * control as the cluster has it, and behind it the changes that this node had not got there yet.
 */

export interface FolderStream {
  readonly count: number
  /** From the record with this number on, counted from 0. */
  read(from: number): AsyncIterable<readonly StoredRecord[]>
}

export async function folderStreams(log: StoppedLog): Promise<Readonly<Record<Stream, FolderStream>>> {
  const own = Object.fromEntries(streams.map((stream) => [stream, ownStream(log, stream)])) as Record<Stream, FolderStream>
  if (!log.readsCopy) return own
  const known = await ownInCopy(log)
  const owed = Math.max(0, own.control.count - known)
  const inCopy = log.count('control')
  const control: FolderStream = {
    count: inCopy + owed,
    read: async function* (from) {
      if (from < inCopy) yield* log.read('control', { after: before(from), follow: false })
      if (owed > 0) yield* own.control.read(known + Math.max(0, from - inCopy))
    },
  }
  return { ...own, control }
}

function ownStream(log: StoppedLog, stream: Stream): FolderStream {
  return { count: log.countOwn(stream), read: (from) => log.readOwn(stream, { after: before(from), follow: false }) }
}

/** How many of this node's own changes the copy has. */
async function ownInCopy(log: StoppedLog): Promise<number> {
  const { control } = sourcesOf(log.identity)
  let known = 0
  for await (const batch of log.read('control', { after: null, follow: false })) {
    for (const { bytes } of batch) {
      const link = linkOf(bytes)
      if (link?.source === control) known = Math.max(known, link.sequence + 1)
    }
  }
  return known
}

function before(sequence: number): ReturnType<typeof positionOf> | null {
  return sequence === 0 ? null : positionOf(sequence - 1)
}
