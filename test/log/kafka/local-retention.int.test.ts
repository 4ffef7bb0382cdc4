import { expect, test, describe } from 'vitest'
import { ConnectionClosed, ConnectionOpened } from '../../../events/connection.ts'
import type { Clock } from '../../../src/core/clock.ts'
import { idMaker } from '../../../src/core/ids.ts'
import { silentLogger } from '../../../src/core/logger.ts'
import { systemClock } from '../../../src/core/system/clock.ts'
import { systemRandom } from '../../../src/core/system/random.ts'
import { Live, type LiveTrouble } from '../../../src/live/live.ts'
import { LocalRetention } from '../../../src/live/local-retention.ts'
import { SnapshotKeeper } from '../../../src/live/snapshots/keeper.ts'
import { Drafts } from '../../../src/log/drafts.ts'
import { readTrail } from '../../../src/live/read-trail.ts'
import type { KafkaLog } from '../../../src/log/kafka/kafka-log.ts'
import { readAll, textOf } from '../../support/drafts.ts'
import { freshPrefix, kafkaMissing, sharedBrokers } from '../../support/kafka/broker.ts'
import { openKafkaLog } from '../../support/kafka/logs.ts'
import { until } from '../../support/kafka/topic-checks.ts'
import { MemoryDisk } from '../../support/memory-disk.ts'

/** A node over days: its disk keeps what is young and what tells of open connections, and everything that is shown stays the same. */

const skipReason = kafkaMissing()
const skipped = skipReason === null ? '' : ` (skipped: ${skipReason})`
const dayMs = 86_400_000
const owed = { purpose: 'owed' } as const

/** Days go by as the test says; an hour of waiting is a moment. */
class Days implements Clock {
  now = (): number => systemClock.now() + this.days * dayMs
  monotonicMs = (): number => systemClock.monotonicMs()
  after: Clock['after'] = (ms, run) => systemClock.after(ms / 10_000, run)
  every: Clock['every'] = (ms, run) => systemClock.every(ms / 10_000, run)
  days = 0
}

class Node {
  readonly clock = new Days()
  readonly makeId = idMaker(systemClock, systemRandom)
  readonly drafts = new Drafts(this.clock, this.makeId, 'n1')
  readonly disk = new MemoryDisk()
  readonly prefix = freshPrefix()
  readonly troubles: LiveTrouble[] = []

  open(): Promise<KafkaLog> {
    return openKafkaLog({ brokers: sharedBrokers(), disk: this.disk, node: 'n1', options: { recentBytes: 1, segmentBytes: 4_000 }, prefix: this.prefix })
  }

  live(log: KafkaLog): Live {
    const snapshots = new SnapshotKeeper({ clock: systemClock, disk: this.disk.attach(), folder: '/data/snapshots', freeBytesMin: 0, log, logger: silentLogger })
    return new Live(log, (trouble) => void this.troubles.push(trouble), { snapshots })
  }

  async opened(log: KafkaLog): Promise<string> {
    const id = this.makeId()
    await log.append('connections', [this.drafts.make(ConnectionOpened, `connections/${id}`, { ...ConnectionOpened.examples[0], connection_id: id })], owed)
    return id
  }

  async closed(log: KafkaLog, id: string): Promise<void> {
    await log.append('connections', [this.drafts.make(ConnectionClosed, `connections/${id}`, { ...ConnectionClosed.examples[0], connection_id: id })], owed)
  }

  /** Some that come and go. */
  async day(log: KafkaLog, count: number): Promise<void> {
    for (let index = 0; index < count; index += 1) await this.closed(log, await this.opened(log))
    this.clock.days += 1
  }

  /** By the names of its files. */
  firstOnDisk(): number {
    return Number(this.disk.names('/data/connections').find((name) => /^\d/.test(name))!.slice(0, 20))
  }
}

function stateOf(live: Live): unknown {
  return structuredClone({ counts: live.count('connections'), open: live.openConnections, traffic: live.traffic })
}

describe.skipIf(skipReason !== null)(`local retention${skipped}`, () => {
  test('an open connection keeps its segment; a closed one does not; starts with and without snapshots see the same', { timeout: 30_000 }, async () => {
    const node = new Node()
    let log = await node.open()
    let live = node.live(log)
    await live.replay()
    live.follow()
    await node.day(log, 12)
    const first = await node.opened(log)
    for (let day = 0; day < 3; day += 1) await node.day(log, 12)
    await until(() => live.count('connections') === 97)
    const held = 24
    const retention = new LocalRetention({ clock: node.clock, drafts: node.drafts, live, log, logger: silentLogger, retentionMs: dayMs })
    await until(() => node.firstOnDisk() > 0)
    expect(node.firstOnDisk()).toBeLessThanOrEqual(held)
    await node.closed(log, first)
    await until(() => node.firstOnDisk() > held)
    retention[Symbol.dispose]()

    const pruned = (await readAll(log, 'operations')).map((record) => JSON.parse(textOf(record)) as { data: { first: number; last: number; leaf_hash: string }; type: string })
    expect(new Set(pruned.map(({ type }) => type))).toEqual(new Set(['dev.waybill.log.pruned.v1']))
    expect(pruned.map(({ data }) => data.first)).toEqual([0, ...pruned.slice(0, -1).map(({ data }) => data.last + 1)])
    expect(pruned.at(-1)!.data.last).toBe(node.firstOnDisk() - 1)
    const connections = await readAll(log, 'connections')
    expect(connections).toHaveLength(98)
    expect(connections[pruned[0]!.data.last]!.leafHash).toBe(pruned[0]!.data.leaf_hash)
    const { trail } = await readTrail(log, { kind: 'connection', id: first })
    const before = stateOf(live)
    await live.keepSnapshot()
    await live.stop()
    expect(await log.close(10_000)).toBe(true)

    for (const [snapshots, places] of [[true, true], [false, true], [false, false]]) {
      if (!snapshots) for (const name of node.disk.names('/data/snapshots')) await node.disk.attach().remove(`/data/snapshots/${name}`)
      if (!places) await node.disk.attach().remove('/data/kafka.json')
      log = await node.open()
      live = node.live(log)
      const { spared } = await live.replay()
      expect(spared > 0).toBe(snapshots)
      expect(stateOf(live)).toEqual(before)
      expect((await readTrail(log, { kind: 'connection', id: first })).trail).toEqual(trail)
      await live.stop()
      expect(await log.close(10_000)).toBe(true)
    }
    expect(node.troubles).toEqual([])
  })
})
