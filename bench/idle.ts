import { setTimeout as delay } from 'node:timers/promises'
import { Line, type Bench, type Measure } from './measure.ts'
import { processFigures } from './process-figures.ts'
import { connectionsMax, type Target } from './targets.ts'

/**
 * What an open connection that carries nothing keeps in memory, kernel buffers not counted. `warm`: after as many
 * short connections, so that what a runtime grows by mere use is not counted, but then connections also fit into heap that
 * was freed; `cold`: a process that just started, which counts both. The truth lies between.
 */

const kibPerConnectionMax = 20
const aim = { text: `at most ${kibPerConnectionMax} KiB`, met: (value: number) => value <= kibPerConnectionMax }

export const idle: Measure = {
  name: 'idle',
  metrics: [
    {
      key: 'idle.warm.rss',
      label: 'idle connection, RSS KiB (after a warm-up)',
      digits: 1,
      ratio: true,
      aim,
    },
    { key: 'idle.warm.pss', label: '… Pss KiB', digits: 1, ratio: false },
    { key: 'idle.cold.rss', label: 'idle connection, RSS KiB (fresh process)', digits: 1, ratio: true, aim },
    { key: 'idle.base.rss', label: 'fresh process without connections, RSS MiB', digits: 1, ratio: false },
  ],
  run: async (bench) => {
    const { idleConnections } = bench.options
    if (idleConnections > connectionsMax) {
      throw new Error(`ulimit -n is too low for ${idleConnections} idle connections: raise it, or lower --idle`)
    }
    for (const target of bench.targets) {
      if (target.name === 'direct') continue
      await bench.attempt(target.name, () => one(bench, target, 'cold'))
      await bench.attempt(target.name, () => one(bench, target, 'warm'))
    }
  },
}

async function one(bench: Bench, target: Target, kind: 'cold' | 'warm'): Promise<void> {
  const { idleConnections: count, parallel, settleMs } = bench.options
  await using line = await Line.open(bench, target)
  const { pid } = line.proxy
  if (pid === null) throw new Error('there is no process to look at')
  if (kind === 'warm') await line.short(count, parallel)
  await delay(settleMs)
  const before = processFigures(pid)
  await line.openIdle(count, parallel)
  await delay(settleMs)
  const after = processFigures(pid)
  const state = await line.client.ask<{ open: number; lost: number }>('idleState')
  if (state.open !== count || state.lost !== 0) throw new Error(`${state.open} open and ${state.lost} lost of ${count}`)
  bench.record(target.name, `idle.${kind}.rss`, (after.rssKib - before.rssKib) / count)
  if (kind === 'warm') bench.record(target.name, 'idle.warm.pss', (after.pssKib - before.pssKib) / count)
  else bench.record(target.name, 'idle.base.rss', before.rssKib / 1024)
  await line.client.ask('closeIdle')
  await delay(settleMs)
  await line.finish()
}
