import { execFileSync } from 'node:child_process'
import { readFileSync, statfsSync } from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import type { Target } from './targets.ts'

/** Where a run was made: figures mean nothing without it. */

export type Facts = readonly (readonly [name: string, value: string])[]

const temporaryMemoryTypes: ReadonlySet<number> = new Set([0x0102_1994, 0x8584_58f6])

export function machineFacts(targets: readonly Target[], temporary: string, startedAt: Date, loadBefore: string): Facts {
  const versions = targets.filter(({ name }) => name !== 'direct').map((target) => `${target.label} ${target.version()}`)
  return [
    ['date', startedAt.toISOString()],
    ['cores', `${os.availableParallelism()} × ${os.cpus()[0]?.model.trim() ?? 'unknown'}`],
    ['memory', `${Math.round(os.totalmem() / 1024 ** 3)} GiB`],
    ['kernel', `${os.type()} ${os.release()}`],
    ['versions', [`Node ${process.version}`, ...versions].join(', ')],
    ['commit', commit()],
    ['temporary files', `${temporary} (${fileSystemOf(temporary)})`],
    ['load average (1, 5, 15 min)', `${loadBefore} before, ${loadAverage()} after`],
  ]
}

export function loadAverage(): string {
  return os
    .loadavg()
    .map((load) => load.toFixed(2))
    .join(' ')
}

/** The first usual folder for temporary files that is on a disk: a log in memory would flatter us. */
export function folderOnDisk(): string {
  const folder = [os.tmpdir(), '/var/tmp', process.cwd()].find((each) => {
    try {
      return !temporaryMemoryTypes.has(statfsSync(each).type)
    } catch {
      return false
    }
  })
  if (folder === undefined) throw new Error('every folder for temporary files is in memory: name one on a disk with --tmp')
  return folder
}

/** `ulimit -n`: Node raises its own soft limit to the hard one, and its children inherit that. */
export function descriptorsMax(): number {
  const limits = readFileSync('/proc/self/limits', 'latin1')
  return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 1_024)
}

function fileSystemOf(folder: string): string {
  const mounts = readFileSync('/proc/mounts', 'utf8').trim().split('\n')
  const fields = mounts
    .map((line) => line.split(' '))
    .filter(([, point]) => point === '/' || folder === point || folder.startsWith(`${point}/`))
    .toSorted((a, b) => a[1]!.length - b[1]!.length)
    .at(-1)
  return fields === undefined ? 'unknown file system' : `${fields[2]} on ${fields[0]}`
}

function commit(): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', args, { cwd: join(import.meta.dirname, '..'), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    const changed = git('status', '--porcelain').trim() === '' ? '' : ' with uncommitted changes'
    return git('rev-parse', '--short', 'HEAD').trim() + changed
  } catch {
    return 'unknown'
  }
}
