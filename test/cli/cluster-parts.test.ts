import { expect, test } from 'vitest'
import { startClusterParts, type ClusterParts } from '../../src/cli/cluster-parts.ts'
import { idMaker } from '../../src/core/ids.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { Live } from '../../src/live/live.ts'
import { MemoryLog } from '../../src/log/memory.ts'
import type { NodeLog } from '../../src/log/node-log.ts'
import { Drafts } from '../../src/log/drafts.ts'
import { Notes } from '../../src/log/notes.ts'
import { ManualClock, settled } from '../support/manual-clock.ts'
import { MemoryCluster } from '../support/memory-cluster.ts'
import { MemoryDisk } from '../support/memory-disk.ts'
import { PlayedNode } from '../support/played-node.ts'
import { readAll, textOf } from '../support/drafts.ts'

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const dayMs = 86_400_000
const none = { connections: 0, bytesToBackend: 0, bytesToClient: 0 }

function partsOf(log: NodeLog, clock: ManualClock, drafts: Drafts): ClusterParts {
  return startClusterParts({
    clock, disk: new MemoryDisk().attach(), drafts, folder: '/data/snapshots', freeBytesMin: 0, live: new Live(log, () => {}), log, logger: quiet,
    localRetentionMs: dayMs, notes: new Notes(log),
    onTakenOver: () => {}, origin: 'test', version: '1.2.3',
    open: {
      healthOf: () => ({ state: 'new', code: null, checkedAt: null }),
      openByBackend: () => none,
      openInAll: () => ({ connections: 0, oldestAt: null }),
      openOfPool: () => none,
    },
  })
}

async function types(log: NodeLog, stream: 'connections' | 'operations'): Promise<string[]> {
  return (await readAll(log, stream)).map((record) => (JSON.parse(textOf(record)) as { type: string }).type.replace(/^dev\.waybill\.|\.v1$/g, ''))
}

test('with a log of its own a node knows itself, and writes nothing', async () => {
  const clock = new ManualClock()
  const log = new MemoryLog({ clock, makeId: idMaker(clock, systemRandom), node: 'a' })
  await using parts = partsOf(log, clock, new Drafts(clock, idMaker(clock, systemRandom), 'a'))
  await clock.run(120_000)
  expect(parts.cluster).toBeNull()
  expect(parts.nodes.all()).toMatchObject([{ node: 'a', isSelf: true, version: '1.2.3' }])
  expect(await types(log, 'operations')).toEqual([])
})

test('in a cluster it reports, hears the others, and closes what an earlier folder of its name left open, once that is silent', async () => {
  const clock = new ManualClock()
  const makeId = idMaker(clock, systemRandom)
  const cluster = new MemoryCluster(clock, makeId)
  const [before, other, own] = [new PlayedNode(cluster, 'a', clock, makeId), new PlayedNode(cluster, 'b', clock, makeId), new PlayedNode(cluster, 'a', clock, makeId)]
  await before.started()
  await before.opened()
  await other.reported()
  await own.started()
  const parts = partsOf(own.log, clock, own.drafts)
  await settled()
  expect(parts.nodes.all().map(({ node, isSelf }) => [node, isSelf])).toEqual([['a', true], ['b', false]])
  // A life that was taken over ends its connections itself, however long it drains.
  for (let round = 0; round < 6; round += 1) {
    await clock.run(25_000)
    await before.reported({ connections_open: 1 })
  }
  await clock.run(25_000)
  expect(await types(own.log, 'connections')).toEqual([])
  await clock.run(12_000)
  expect(await types(own.log, 'connections')).toEqual(['connection.closed'])
  expect((await types(own.log, 'operations')).filter((type) => type !== 'node.reported')).toEqual(['node.started', 'node.lost'])
  await parts[Symbol.asyncDispose]()
  const reports = (await types(own.log, 'operations')).length
  await clock.run(60_000)
  expect(await types(own.log, 'operations')).toHaveLength(reports)
})

test('one that ends before that leaves it to the next start', async () => {
  const clock = new ManualClock()
  const makeId = idMaker(clock, systemRandom)
  const cluster = new MemoryCluster(clock, makeId)
  const [before, own] = [new PlayedNode(cluster, 'a', clock, makeId), new PlayedNode(cluster, 'a', clock, makeId)]
  await before.started()
  await before.opened()
  await own.started()
  const parts = partsOf(own.log, clock, own.drafts)
  await settled()
  await parts[Symbol.asyncDispose]()
  await clock.run(120_000)
  expect(await types(own.log, 'connections')).toEqual([])
})
