import { streams, type Stream } from '../../events/define.ts'
import { rfc3339 } from '../core/clock.ts'
import { Fault } from '../core/errors.ts'
import { systemClock } from '../core/system/clock.ts'
import { systemDisk } from '../core/system/disk.ts'
import type { EventLog, ReadOptions, StoredRecord } from '../log/event-log.ts'
import { forgetHolder, readEndMarker, readIdentity, takeFolder, type Identity } from '../log/file/folder.ts'
import { naming, sourcesOf, streamFolder } from '../log/file/open-folder.ts'
import { examineStream } from '../log/file/recovery.ts'
import { readStream } from '../log/file/stream-reader.ts'
import { RecentRecords } from '../log/recent-records.ts'

/** A data folder that no server holds, opened to be read: nothing in it is changed, and it is held no longer than that. */
export type FolderLog = Pick<EventLog, 'read'> & AsyncDisposable

/** A server that starts or stops right now holds the folder no longer than this without answering on its socket. */
const lockWaitMs = 5_000

/** Throws a `Fault` that says what to do: there is no log, somebody holds it, or it is damaged. */
export async function openFolderLog(folder: string): Promise<FolderLog> {
  return naming(folder, async () => {
    // Before the lock is taken, which makes a file: a folder that holds no log must not be touched by looking at it.
    const identity = await readIdentity(systemDisk, folder)
    if (identity === null) throw noLog(folder)
    await using stack = new AsyncDisposableStack()
    stack.use(await takeFolder(systemDisk, folder, lockWaitMs, { pid: process.pid, verb: 'events' }, rfc3339(systemClock.now())))
    stack.defer(() => forgetHolder(systemDisk, folder))
    const read = await readers(folder, identity)
    const held = stack.move()
    return { read: (stream, options) => read[stream](options), [Symbol.asyncDispose]: () => held.disposeAsync() }
  })
}

type Read = (options: ReadOptions) => AsyncIterable<readonly StoredRecord[]>

async function readers(folder: string, identity: Identity): Promise<Record<Stream, Read>> {
  const sources = sourcesOf(identity)
  const endedInOrder = (await readEndMarker(systemDisk, folder)) !== null
  const read = {} as Record<Stream, Read>
  for (const stream of streams) {
    const place = { disk: systemDisk, folder: streamFolder(folder, stream), source: sources[stream] }
    const found = await examineStream({ ...place, stream, endedInOrder })
    read[stream] = (options) =>
      found === null
        ? nothing()
        : readStream({ ...place, segments: found.segments, recent: new RecentRecords(0, found.head.sequence) }, options)
  }
  return read
}

async function* nothing(): AsyncGenerator<readonly StoredRecord[]> {}

function noLog(folder: string): Fault {
  return new Fault('no_log', 'disk', `there is no log in ${folder}; say where it is with --data DIR (or start a server there)`)
}
