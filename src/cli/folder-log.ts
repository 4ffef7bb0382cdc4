import { Fault } from '../core/errors.ts'
import { systemClock } from '../core/system/clock.ts'
import { systemDisk } from '../core/system/disk.ts'
import type { EventLog } from '../log/event-log.ts'
import { StoppedLog } from '../log/file/stopped-log.ts'

/** A data folder that no server holds, opened to be read by a verb. */
export type FolderLog = Pick<EventLog, 'read'> & AsyncDisposable

/** Throws a `Fault` that says what to do: there is no log, somebody holds it, or it is damaged. */
export async function openFolderLog(folder: string): Promise<FolderLog> {
  try {
    return await StoppedLog.open({ clock: systemClock, disk: systemDisk, folder, holder: { pid: process.pid, verb: 'events' } })
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'no_log_here') throw error
    const message = `there is no log in ${folder}; say where it is with --data DIR (or start a server there)`
    throw new Fault('no_log', 'disk', message, { cause: error })
  }
}
