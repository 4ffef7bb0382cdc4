import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { TemporaryFolder, Worker } from './children.ts'
import type { Bench, Measure } from './measure.ts'
import type { LookedBack, Started } from './workers/start.ts'

/**
 * How long a start takes with millions of records behind it, with and without snapshots, and how long it takes to look
 * up the configuration of the past. Each in a fresh process; files are in the page cache.
 */

const changes = 100_000
const pools = 500
const longMs = 3_600_000
/** What `replay` folds in a second, of which a start after a crash has to fold what came after the last snapshot. */
const startSecondsMax = 10
const lookBackMsMax = 2_000

/** Made once for all rounds; gone with the process. */
let made: { readonly folder: string; readonly bytesToClient: number } | undefined

export const start: Measure = {
  name: 'start',
  metrics: [
    { key: 'start.stopped', label: 'start after an orderly stop, s', digits: 2, ratio: false, aim: secondsAim() },
    { key: 'start.crashed', label: 'start after a crash, s', digits: 2, ratio: false, aim: secondsAim() },
    { key: 'start.crashed.folded', label: '… records after the snapshot', digits: 0, ratio: false },
    { key: 'start.without', label: 'start without snapshots, s', digits: 2, ratio: false },
    { key: 'start.stopped.rss', label: 'start after an orderly stop, largest RSS, MiB', digits: 0, ratio: false },
    { key: 'start.without.rss', label: 'start without snapshots, largest RSS, MiB', digits: 0, ratio: false },
    {
      key: 'start.past',
      label: 'configuration of the past from a stopped folder, worst of 20, ms',
      digits: 0,
      ratio: false,
      aim: { text: `at most ${lookBackMsMax}`, met: (value) => value <= lookBackMsMax },
    },
    { key: 'start.past.fold', label: '… as a running node answers it, ms', digits: 0, ratio: false },
    { key: 'start.past.without', label: '… without kept configurations, ms', digits: 0, ratio: false },
  ],
  run: async (bench) => {
    if (!bench.options.targets.includes('waybill')) return
    await bench.attempt('waybill', async () => {
      made ??= await makeFolder(bench)
      const { folder } = made
      await measureStart(bench, 'without')
      await measureStart(bench, 'stopped')
      await lookBack(bench, folder)
      // What a crash leaves: the snapshot before the one that an orderly end writes.
      rmSync(join(folder, 'snapshots', newestSnapshot(folder)))
      await measureStart(bench, 'crashed')
      await asked('keep', { folder })
    })
  },
}

async function makeFolder(bench: Bench): Promise<NonNullable<typeof made>> {
  const records = bench.options.startRecords
  bench.say(`  writing ${records} connection records and ${changes} changes`)
  const { path } = new TemporaryFolder(bench.temporary)
  const folder = join(path, 'data')
  const bytesToClient = await asked<number>('generate', { changes, folder, pools, records })
  bench.say('  folding them once, to have snapshots')
  await asked('keep', { folder })
  return { folder, bytesToClient }
}

async function measureStart(bench: Bench, kind: 'crashed' | 'stopped' | 'without'): Promise<void> {
  const { folder, bytesToClient } = made!
  const startedAt = performance.now()
  const started = await asked<Started>('start', { folder, snapshots: kind !== 'without' })
  const seconds = (performance.now() - startedAt) / 1000
  const total = started.connectionRecords + changes
  const right =
    total === bench.options.startRecords + changes && started.open === 0 && started.troubles === 0 &&
    started.bytesToClient === bytesToClient && started.revision === changes && (kind === 'without') === (started.spared === 0)
  if (!right) throw new Error(`a start (${kind}) ended with ${JSON.stringify(started)}`)
  bench.record('waybill', `start.${kind}`, seconds)
  if (kind === 'crashed') bench.record('waybill', 'start.crashed.folded', total - started.spared)
  else bench.record('waybill', `start.${kind}.rss`, started.maxRssKib / 1024)
}

async function lookBack(bench: Bench, folder: string): Promise<void> {
  let worst: LookedBack | undefined
  for (let revision = 4_999; revision <= changes; revision += 5_000) {
    const found = await asked<LookedBack>('lookBack', { folder, history: true, moment: { revision } })
    if (found.revision !== revision || found.pools !== pools) throw new Error(`looking back gave ${JSON.stringify(found)}`)
    if (worst === undefined || found.ms > worst.ms) worst = found
  }
  const without = await asked<LookedBack>('lookBack', { folder, history: false, moment: { revision: changes } })
  bench.record('waybill', 'start.past', worst!.ms)
  bench.record('waybill', 'start.past.fold', worst!.foldMs)
  bench.record('waybill', 'start.past.without', without.ms)
}

function newestSnapshot(folder: string): string {
  const names = readdirSync(join(folder, 'snapshots')).filter((name) => name.startsWith('live-'))
  if (names.length < 2) throw new Error(`${names.length} snapshots are there, not two`)
  return names.toSorted().at(-1)!
}

function secondsAim(): { text: string; met: (value: number) => boolean } {
  return { text: `at most ${startSecondsMax}`, met: (value) => value <= startSecondsMax }
}

/** Each question in a process of its own, so that nothing is warm but the disk. */
async function asked<Answer>(question: string, parameters: object): Promise<Answer> {
  await using worker = new Worker('start.ts')
  return await worker.ask<Answer>(question, parameters, longMs)
}
