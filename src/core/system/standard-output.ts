import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { errnoOf } from '../errors.ts'
import type { ByteSink } from '../logger.ts'

/** Standard output for a process that must not stand still when nobody reads it. */

const standardOutput = 1
/** Another description of what standard output leads to. */
const itself = `/proc/self/fd/${standardOutput}`

/**
 * A file is written as it is. A pipe, a socket or a terminal is written without waiting: what it does not take, the caller
 * keeps. The flag that says so belongs to the open description, which other processes may share; so a second description
 * is made where the system allows it.
 */
export function openStandardOutput(): ByteSink {
  const descriptor = unwaiting() ?? standardOutput
  return {
    write(bytes) {
      try {
        return writeSync(descriptor, bytes)
      } catch (error) {
        if (errnoOf(error) === 'EAGAIN') return 0
        throw error
      }
    },
  }
}

function unwaiting(): number | null {
  const kind = fstatSync(standardOutput)
  const isTerminal = isatty(standardOutput)
  if (!kind.isFIFO() && !kind.isSocket() && !isTerminal) return null
  try {
    const descriptor = openSync(itself, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
    // Between looking and opening nothing changes, unless the system has another idea of that path.
    if (fstatSync(descriptor).ino === kind.ino) return descriptor
    closeSync(descriptor)
  } catch {
    // Another user's pipe, a socket, or a system without /proc.
  }
  // Node makes the shared description of a pipe or socket one that does not wait, and puts it back when the process ends.
  if (!isTerminal) void process.stdout
  return null
}

const nothing = new Int32Array(new SharedArrayBuffer(4))

/** Holds up the whole process; only for its last moments. */
export function holdUpMs(ms: number): void {
  Atomics.wait(nothing, 0, 0, ms)
}
