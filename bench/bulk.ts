import { cpuSecondsOfTree } from './process-figures.ts'
import { Line, type Bench, type Measure, type Metric } from './measure.ts'
import type { Target } from './targets.ts'

/** Bytes over one connection, each way: how fast, and what they cost the proxy. */

const gib = 1024 ** 3
const ways = [
  { key: 'download', label: 'to the client', upload: false },
  { key: 'upload', label: 'to the backend', upload: true },
] as const
/** Lets a runtime compile what it will run, and sockets find their sizes. */
const warmUpBytes = 256 * 1024 ** 2

const metrics: readonly Metric[] = ways.flatMap((way) => [
  { key: `bulk.${way.key}.gbit`, label: `bulk ${way.label}, Gbit/s`, digits: 1, ratio: true },
  {
    key: `bulk.${way.key}.cpu`,
    label: `bulk ${way.label}, proxy CPU s/GiB`,
    digits: 3,
    ratio: true,
    aim: { text: 'at most 1.1 × HAProxy', met: (_value: number, ratio: number | null) => ratio !== null && ratio <= 1.1 },
  },
])

export const bulk: Measure = {
  name: 'bulk',
  metrics,
  run: async (bench) => {
    for (const target of bench.targets) await bench.attempt(target.name, () => one(bench, target))
  },
}

async function one(bench: Bench, target: Target): Promise<void> {
  const bytes = bench.options.bulkBytes
  await using line = await Line.open(bench, target)
  for (const way of ways) {
    await line.bulk(way.upload, Math.min(bytes, warmUpBytes))
    const { pid } = line.proxy
    const before = pid === null ? 0 : cpuSecondsOfTree(pid)
    const seconds = await line.bulk(way.upload, bytes)
    const gbit = (bytes * 8) / 1e9 / seconds
    bench.record(target.name, `bulk.${way.key}.gbit`, gbit)
    if (pid !== null) bench.record(target.name, `bulk.${way.key}.cpu`, (cpuSecondsOfTree(pid) - before) / (bytes / gib))
  }
  await line.finish()
}
