import { randomUUID } from 'node:crypto'
import { FileLog, type FileLogOptions } from '../../src/log/file/file-log.ts'
import { ManualClock } from './manual-clock.ts'
import type { MemoryDisk } from './memory-disk.ts'

/** File logs as tests open them: in the folder `/data` of a memory disk, small enough that everything happens soon. */

export function fileLogOptions(disk: MemoryDisk, options: Partial<FileLogOptions> = {}): FileLogOptions {
  return {
    disk: disk.attach(),
    clock: new ManualClock(),
    folder: '/data',
    makeId: randomUUID,
    cluster: null,
    node: null,
    hostname: 'host',
    holder: { pid: 1, verb: 'test' },
    lockWaitMs: 0,
    reserveBytes: 64 * 1024,
    reserveMarginBytes: 64 * 1024,
    spaceLowBytes: 0,
    ...options,
  }
}

export function openMemoryLog(disk: MemoryDisk, options: Partial<FileLogOptions> = {}): Promise<FileLog> {
  return FileLog.open(fileLogOptions(disk, options))
}
