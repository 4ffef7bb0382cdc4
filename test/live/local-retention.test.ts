import { expect, test } from 'vitest'
import { openConnections, type OpenConnections } from '../../projections/open-connections.ts'
import { idMaker } from '../../src/core/ids.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { Live } from '../../src/live/live.ts'
import { LocalRetention } from '../../src/live/local-retention.ts'
import type { CutLocalOptions, LocalCut } from '../../src/log/cluster-log.ts'
import { NotWritten } from '../../src/log/event-log.ts'
import { readAll, textOf } from '../support/drafts.ts'
import { ManualClock, settled } from '../support/manual-clock.ts'
import { MemoryCluster, type MemoryClusterLog } from '../support/memory-cluster.ts'
import { PlayedNode } from '../support/played-node.ts'

const dayMs = 86_400_000
const hourMs = 3_600_000
const minuteMs = 60_000
const cut: LocalCut = { first: 0, last: 41, leafHash: `${'A'.repeat(43)}=`, offset: 77, partition: 2, stream: 'connections', topic: 't.connections' }

interface Stand {
  readonly clock: ManualClock
  readonly node: PlayedNode
  readonly log: MemoryClusterLog
  readonly said: string[]
  readonly begin: (open?: OpenConnections, log?: Pick<MemoryClusterLog, 'append' | 'cutLocal' | 'writer'>) => LocalRetention
}

function stand(): Stand {
  const clock = new ManualClock()
  const makeId = idMaker(clock, systemRandom)
  const node = new PlayedNode(new MemoryCluster(clock, makeId), 'a', clock, makeId)
  const said: string[] = []
  const say = (sentence: string): void => void said.push(sentence)
  const logger = { debug: say, error: say, info: say, warn: say }
  return {
    clock, node, said,
    log: node.log,
    begin: (open = openConnections.initial(), log = node.log) => new LocalRetention({ clock, drafts: node.drafts, live: { openConnections: open }, log, logger, retentionMs: dayMs }),
  }
}

async function pruned(log: MemoryClusterLog): Promise<unknown[]> {
  const records = (await readAll(log, 'operations')).map((record) => JSON.parse(textOf(record)) as { data: unknown; subject: string; type: string })
  return records.filter(({ type }) => type === 'dev.waybill.log.pruned.v1').map(({ data, subject }) => ({ data, subject }))
}

test('some minutes after the start, and each hour, what is older than the retention goes, on record', async () => {
  const { begin, clock, log, said } = stand()
  log.toCut = [cut]
  using _retention = begin()
  const startMs = clock.now()
  await clock.run(9 * minuteMs)
  expect(log.cutsAsked).toEqual([])
  await clock.run(2 * minuteMs)
  await clock.run(2 * hourMs)
  expect(log.cutsAsked).toEqual([10 * minuteMs, hourMs, 2 * hourMs].map((ms) => startMs + ms - dayMs))
  const data = { because: 'in_kafka', first: 0, last: 41, leaf_hash: cut.leafHash, offset: 77, partition: 2, stream: 'connections', topic: 't.connections' }
  expect((await pruned(log))[0]).toEqual({ data, subject: 'log/connections' })
  expect(said).toContain('records of the connections stream that Kafka has were removed from this disk')
})

test('never what tells of a connection that is still open', async () => {
  const { begin, clock, node, log } = stand()
  const live = new Live(log, () => {})
  await live.replay()
  live.follow()
  const openedMs = clock.now()
  const first = await node.opened()
  await clock.run(3 * dayMs)
  const second = await node.opened()
  await settled()
  using _retention = begin(live.openConnections)
  await clock.run(10 * minuteMs)
  expect(log.cutsAsked).toEqual([openedMs])
  await node.closed(first)
  await clock.run(hourMs)
  expect(log.cutsAsked.at(-1)).toBeGreaterThan(openedMs + dayMs)
  await node.closed(second)
  await live.stop()
})

test('what an earlier run left open, and another node has closed on record, holds nothing back', async () => {
  const { begin, clock, node, log } = stand()
  const live = new Live(log, () => {})
  await live.replay()
  live.follow()
  await node.opened()
  await clock.run(3 * dayMs)
  await settled()
  const ofAnotherRun = new Map([...live.openConnections].map(([id, open]) => [id, { ...open, run: 'another' }]))
  using _retention = begin(ofAnotherRun)
  await clock.run(10 * minuteMs)
  expect(log.cutsAsked).toEqual([clock.now() - dayMs])
  await live.stop()
})

test('one at a time; what can\'t be put on record stays; a failure is told and tried again', async () => {
  const { begin, clock, log, said } = stand()
  const calls: CutLocalOptions[] = []
  const { promise, reject } = Promise.withResolvers<readonly LocalCut[]>()
  const refusing = {
    writer: log.writer,
    append: () => Promise.reject(new NotWritten('EIO', 'the log can\'t be written')),
    cutLocal: (options: CutLocalOptions) => (calls.push(options) === 1 ? promise : log.cutLocal(options)),
  }
  using _retention = begin(openConnections.initial(), refusing)
  await clock.run(3 * hourMs)
  expect(calls).toHaveLength(1)
  const failed = calls[0]!.record(cut)
  await expect(failed).rejects.toBeInstanceOf(NotWritten)
  reject(Object.assign(new Error('no room'), { code: 'ENOSPC' }))
  await settled()
  expect(said).toEqual(['what Kafka has could not be removed from this disk; the next try is within the hour'])
  await clock.run(hourMs)
  expect(calls).toHaveLength(2)
})

test('a node that stops removes nothing more', async () => {
  const { begin, clock, log, said } = stand()
  log.toCut = [cut]
  let options: CutLocalOptions | null = null
  const retention = begin(openConnections.initial(), { writer: log.writer, append: log.append.bind(log), cutLocal: (given) => ((options = given), log.cutLocal({ ...given, record: async () => {} })) })
  await clock.run(hourMs)
  retention[Symbol.dispose]()
  await expect(options!.record(cut)).rejects.toMatchObject({ code: 'closed' })
  expect(await pruned(log)).toEqual([])
  const asked = log.cutsAsked.length
  await clock.run(5 * hourMs)
  expect(log.cutsAsked).toHaveLength(asked)
  expect(said.filter((sentence) => sentence.includes('could not'))).toEqual([])
})
