import { streams, type Stream } from '../../../../events/define.ts'
import { Fault } from '../../../core/errors.ts'
import type { StoredRecord } from '../../event-log.ts'
import { sourcesOf } from '../../file/open-folder.ts'
import type { StoppedLog } from '../../file/stopped-log.ts'
import { positionOf } from '../../recent-records.ts'
import { linkOf } from '../reading/own-records.ts'

/**
 * What a stopped node's folder has for the topics, in the order in which they get it. Of a cluster's node that is all of
 * control as the cluster has it, and behind it the changes that this node had not got there yet.
 */

export interface FolderStream {
  readonly count: number
  /** From the record with this number on, counted from 0. */
  read(from: number): AsyncIterable<readonly StoredRecord[]>
}

/** Throws a `Fault` (`records_missing`) for a folder that does not have its streams from the first record on. */
export async function folderStreams(log: StoppedLog): Promise<Readonly<Record<Stream, FolderStream>>> {
  for (const stream of streams) refuseCut(stream, log.beginning(stream).sequence)
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

function refuseCut(stream: Stream, begin: number): void {
  if (begin === 0) return
  throw new Fault(
    'records_missing', 'log',
    `the folder has the ${stream} stream from record ${begin} on: what was before it was removed there, since Kafka has it (kafka_local_retention_days). ` +
      'Copy from those topics instead: waybill log copy --to DIR --node NAME makes a whole folder out of them.',
  )
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
