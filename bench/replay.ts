import { cpSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { TemporaryFolder, Worker } from './children.ts'
import type { Bench, Measure } from './measure.ts'
import type { Replayed } from './workers/replay.ts'

/**
 * How long a start takes with a million records behind it: from starting a fresh process to the replayed state, with
 * closed segments as they are written and compressed. Files are in the page cache.
 */

/** A million in 15 s. */
const recordsPerSecondMin = 1_000_000 / 15
const longMs = 600_000
const kinds = ['raw', 'compressed'] as const

/** Made once for all rounds; gone with the process. */
interface Folders {
  readonly raw: string
  readonly compressed: string
  readonly bytesToClient: number
}
let made: Folders | undefined

export const replay: Measure = {
  name: 'replay',
  metrics: kinds.flatMap((kind) => [
    {
      key: `replay.${kind}.seconds`,
      label: `replay of ${kind} segments, s`,
      digits: 2,
      ratio: false,
    },
    {
      key: `replay.${kind}.rate`,
      label: '… records/s',
      digits: 0,
      ratio: false,
      aim: {
        text: `at least ${Math.round(recordsPerSecondMin)} (a million in 15 s)`,
        met: (value: number) => value >= recordsPerSecondMin,
      },
    },
    { key: `replay.${kind}.cpu`, label: '… CPU s', digits: 2, ratio: false },
    { key: `replay.${kind}.mib`, label: '… size on disk, MiB', digits: 0, ratio: false },
    { key: `replay.${kind}.rss`, label: '… largest RSS, MiB', digits: 0, ratio: false },
  ]),
  run: async (bench) => {
    if (!bench.options.targets.includes('waybill')) return
    await bench.attempt('waybill', async () => {
      made ??= await makeFolders(bench)
      for (const kind of kinds) await one(bench, made, kind)
    })
  },
}

async function makeFolders(bench: Bench): Promise<Folders> {
  const records = bench.options.replayRecords
  bench.say(`  writing ${records} records`)
  const parent = new TemporaryFolder(bench.temporary)
  const folders = { raw: join(parent.path, 'raw'), compressed: join(parent.path, 'compressed') }
  const bytesToClient = await asked<number>('generate', { folder: folders.raw, records })
  cpSync(folders.raw, folders.compressed, { recursive: true })
  await asked('compress', { folder: folders.compressed })
  return { ...folders, bytesToClient }
}

async function one(bench: Bench, folders: Folders, kind: (typeof kinds)[number]): Promise<void> {
  const records = bench.options.replayRecords
  const folder = folders[kind]
  const startedAt = performance.now()
  const replayed = await asked<Replayed>('replay', { folder, raw: kind === 'raw' })
  const seconds = (performance.now() - startedAt) / 1000
  const right =
    replayed.records === records && replayed.open === 0 && replayed.troubles === 0 &&
    replayed.bytesToClient === folders.bytesToClient
  if (!right) throw new Error(`replay of ${records} records ended with ${JSON.stringify(replayed)}`)
  bench.record('waybill', `replay.${kind}.seconds`, seconds)
  bench.record('waybill', `replay.${kind}.rate`, records / seconds)
  bench.record('waybill', `replay.${kind}.cpu`, replayed.cpuSeconds)
  bench.record('waybill', `replay.${kind}.mib`, sizeOnDisk(join(folder, 'connections'), kind) / 1024 ** 2)
  bench.record('waybill', `replay.${kind}.rss`, replayed.maxRssKib / 1024)
}

/** Also makes sure that the segments are what the row says; the last one is always raw. */
function sizeOnDisk(folder: string, kind: (typeof kinds)[number]): number {
  const names = readdirSync(folder).filter((name) => /\.jsonl(?:\.zst)?$/.test(name))
  const compressed = names.filter((name) => name.endsWith('.zst')).length
  const expected = kind === 'raw' ? 0 : names.length - 1
  if (compressed !== expected) throw new Error(`${compressed} of ${names.length} segments are compressed, not ${expected}`)
  return names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
}

/** Each question in a process of its own, so that nothing is warm but the disk. */
async function asked<Answer>(question: string, parameters: object): Promise<Answer> {
  await using worker = new Worker('replay.ts')
  return await worker.ask<Answer>(question, parameters, longMs)
}
