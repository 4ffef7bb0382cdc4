import { readdirSync, readFileSync } from 'node:fs'

/**
 * What the kernel says of a process and its children (nginx and HAProxy may have workers): CPU time of all threads and
 * memory, from /proc. A clock tick is 10 ms: measure long enough.
 */

export interface ProcessFigures {
  /** User and system time so far. */
  readonly cpuSeconds: number
  readonly rssKib: number
  /** Proportional share: pages shared with other processes are divided among them. */
  readonly pssKib: number
}

/** The kernel reports times in USER_HZ, which is 100 on every Linux that Node runs on. */
const ticksPerSecond = 100

export function processFigures(pid: number): ProcessFigures {
  let cpuSeconds = 0
  let rssKib = 0
  let pssKib = 0
  for (const each of tree(pid)) {
    cpuSeconds += cpuSecondsOf(each)
    rssKib += kibAfter(readFileSync(`/proc/${each}/status`, 'latin1'), 'VmRSS:')
    pssKib += kibAfter(readFileSync(`/proc/${each}/smaps_rollup`, 'latin1'), 'Pss:')
  }
  return { cpuSeconds, rssKib, pssKib }
}

export function cpuSecondsOfTree(pid: number): number {
  return tree(pid).reduce((sum, each) => sum + cpuSecondsOf(each), 0)
}

function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The command name may hold spaces and parentheses; utime and stime are the 12th and 13th field after it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

function tree(pid: number): number[] {
  const pids = [pid]
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const children = readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').trim()
    if (children !== '') for (const child of children.split(' ')) pids.push(...tree(Number(child)))
  }
  return pids
}

function kibAfter(text: string, key: string): number {
  const at = text.indexOf(key)
  if (at < 0) throw new Error(`the kernel does not report ${key}`)
  return Number.parseInt(text.slice(at + key.length), 10)
}
