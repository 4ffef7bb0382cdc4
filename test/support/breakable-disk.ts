import { streams, type Stream } from '../../events/define.ts'
import type { DiskCall, MemoryDisk } from './memory-disk.ts'

/** What the contract of logs asks of a medium, for logs that write to a disk in memory. */
export interface BreakableDisk {
  breakWrites(stream: Stream): Disposable
  breakConfirmations(stream: Stream): Disposable
  stall(): Disposable
  /** How often the stream was synced. */
  commits(stream: Stream): number
}

/** Counts from now on. */
export function breakable(disk: MemoryDisk): BreakableDisk {
  const broken = new Set<string>()
  const syncs = new Map<string, number>(streams.map((stream) => [stream, 0]))
  const streamOf = ({ path }: DiskCall): string => path.split('/')[2] ?? ''
  disk.plan = (call) => {
    const stream = streamOf(call)
    if (call.kind === 'sync') syncs.set(stream, (syncs.get(stream) ?? 0) + 1)
    return broken.has(`${call.kind} ${stream}`) ? { code: 'EIO' } : null
  }
  const fail = (what: string): Disposable => {
    broken.add(what)
    return { [Symbol.dispose]: () => void broken.delete(what) }
  }
  return {
    breakWrites: (stream) => fail(`write ${stream}`),
    breakConfirmations: (stream) => fail(`sync ${stream}`),
    stall: () => {
      const { promise, resolve } = Promise.withResolvers<void>()
      disk.gate = promise
      return { [Symbol.dispose]: () => ((disk.gate = null), resolve()) }
    },
    commits: (stream) => syncs.get(stream) ?? 0,
  }
}
