import type { Stream } from '../../events/define.ts'
import { Fault } from '../core/errors.ts'
import { systemClock } from '../core/system/clock.ts'
import { systemDisk } from '../core/system/disk.ts'
import { HistoryFolder, type RoutingHistory } from '../live/snapshots/history.ts'
import { snapshotsFolder } from '../live/snapshots/keeper.ts'
import type { EventLog } from '../log/event-log.ts'
import { StoppedLog } from '../log/file/stopped-log.ts'

/** A data folder that no server holds, opened to be read by a verb. */
export interface FolderLog extends Pick<EventLog, 'read'>, AsyncDisposable {
  /** Configurations that were kept on the way, so that one of the past is near. */
  readonly history: RoutingHistory
  /** How many records a stream has here. */
  count(stream: Stream): number
}

/** Throws a `Fault` that says what to do: there is no log, somebody holds it, or it is damaged. */
export async function openFolderLog(folder: string, verb: string): Promise<FolderLog> {
  let log: StoppedLog
  try {
    log = await StoppedLog.open({ clock: systemClock, disk: systemDisk, folder, holder: { pid: process.pid, verb } })
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'no_log_here') throw error
    const message = `there is no log in ${folder}; say where it is with --data DIR (or start a server there)`
    throw new Fault('no_log', 'disk', message, { cause: error })
  }
  return {
    history: new HistoryFolder(systemDisk, snapshotsFolder(folder)),
    count: (stream) => log.count(stream),
    read: (stream, options) => log.read(stream, options),
    [Symbol.asyncDispose]: () => log[Symbol.asyncDispose](),
  }
}
