import { execFileSync } from 'node:child_process'
import { closeSync, openSync, writeSync } from 'node:fs'

/** Disks that are small enough to fill. */

/** A file system of so many MiB at a folder. Null: mounting takes privileges that are not given here. */
export function mountSmall(path: string, mebibytes: number): Disposable | null {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=700`, 'tmpfs', path], { stdio: 'ignore' })
  } catch {
    return null
  }
  return { [Symbol.dispose]: () => execFileSync('umount', ['-l', path]) }
}

/** Writes a file until the disk takes no more. */
export function fill(path: string): void {
  const file = openSync(path, 'w')
  const block = Buffer.alloc(4_096, 1)
  try {
    for (;;) writeSync(file, block)
  } catch {
    closeSync(file)
  }
}
