import { describe, expect, test } from 'vitest'
import { readRecord, type WaybillEvent } from '../../events/catalog.ts'
import { exampleActor } from '../../events/values.ts'
import { fold } from '../../projections/projection.ts'
import { traffic } from '../../projections/traffic.ts'
import { idMaker } from '../../src/core/ids.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { ClusterView, type NodeHeard } from '../../src/live/cluster-view.ts'
import { closeLeftOpenOf, leftOpenOf } from '../../src/live/left-open.ts'
import { closeLost } from '../../src/live/lost-records.ts'
import { readAll } from '../support/drafts.ts'
import { ManualClock, settled } from '../support/manual-clock.ts'
import { MemoryCluster, type MemoryClusterLog } from '../support/memory-cluster.ts'
import { PlayedNode } from '../support/played-node.ts'

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

class World {
  readonly clock = new ManualClock()
  readonly makeId = idMaker(this.clock, systemRandom)
  readonly cluster = new MemoryCluster(this.clock, this.makeId)

  node(name: string): PlayedNode {
    return new PlayedNode(this.cluster, name, this.clock, this.makeId)
  }

  /** As a node that listens has it. */
  async heard(name: string): Promise<NodeHeard> {
    const view = new ClusterView({ clock: this.clock, file: null, log: this.node('listener').log, logger: quiet, onTakenOver: () => {} })
    await view.start()
    const heard = view.node(name)
    await view.stop()
    return heard!
  }
}

async function events(log: MemoryClusterLog, stream: 'connections' | 'operations'): Promise<WaybillEvent[]> {
  return (await readAll(log, stream)).map(({ bytes }) => {
    const reading = readRecord(bytes)
    if (reading.kind !== 'event') throw new Error(JSON.stringify(reading))
    return reading.event
  })
}

const ids = (left: readonly { readonly opened: { readonly connection_id: string } }[]) => left.map(({ opened }) => opened.connection_id)

describe('what a node left open', () => {
  test('is what it opened and did not close, with the bytes that it last said', async () => {
    const world = new World()
    const [a, b] = [world.node('a'), world.node('b')]
    await a.started()
    const [one, two, three] = [await a.opened(), await a.opened(), await a.opened()]
    await b.opened()
    await a.progressed(one, 10)
    await a.closed(two)
    // A send that was repeated, and somebody's nonsense.
    world.cluster.repeat('connections', 5)
    world.cluster.put('connections', Buffer.from('nonsense'))
    const left = await leftOpenOf({ log: b.log }, await world.heard('a'), null)
    expect(ids(left)).toEqual([one, three])
    expect(left[0]).toMatchObject({ epoch: a.log.writer.epoch, run: a.log.writer.run, bytesToBackend: 10, bytesToClient: 20 })
  })

  test('is looked for from the oldest connection that it had open, by the clock of the broker', async () => {
    const world = new World()
    const a = world.node('a')
    const from = async () => {
      await leftOpenOf({ log: world.node('b').log }, await world.heard('a'), null)
      const read = world.cluster.reads.findLast(({ stream }) => stream === 'connections')
      return { node: read?.options.node, from: read?.options.from }
    }
    const atMs = world.clock.now()
    await a.started()
    expect(await from()).toEqual({ node: 'a', from: { storedSinceMs: atMs - 3_600_000 } })
    await a.reported({ clock_skew_ms: null })
    expect(await from()).toEqual({ node: 'a', from: { storedSinceMs: atMs - 3_600_000 } })
    await a.reported({ clock_skew_ms: 4_000 })
    expect(await from()).toEqual({ node: 'a', from: { storedSinceMs: atMs - 64_000 } })
    await a.reported({ clock_skew_ms: -4_000, oldest_open: new Date(atMs - 500_000).toISOString() })
    expect(await from()).toEqual({ node: 'a', from: { storedSinceMs: atMs - 556_000 } })
  })

  test('is nothing, and nothing is read, once it stopped in order or was lost', async () => {
    const world = new World()
    const [a, b] = [world.node('a'), world.node('b')]
    await a.started()
    await a.opened()
    await b.lost(a.log.writer)
    expect(await leftOpenOf({ log: b.log }, await world.heard('a'), null)).toEqual([])
    expect(world.cluster.reads.filter(({ stream }) => stream === 'connections')).toEqual([])
  })
})

describe('a newcomer of the same name', () => {
  test('closes what the folders before its own left open, and says so once', async () => {
    const world = new World()
    const [old, older, own] = [world.node('a'), world.node('a'), world.node('a')]
    await older.started()
    const one = await older.opened()
    await old.started()
    await own.started()
    const mine = await own.opened()
    const options = { purpose: 'owed' } as const
    const close = async () => closeLeftOpenOf({ drafts: own.drafts, log: own.log, lost: await world.heard('a'), options })
    expect(await close()).toBe(1)
    const closing = (await events(own.log, 'connections')).filter(({ type }) => type === 'dev.waybill.connection.closed.v1')
    expect(closing).toMatchObject([{ data: { connection_id: one, bytes_quality: 'at_least', close: { because: 'node_lost', by: 'proxy', actor: null }, timings: null } }])
    expect((await events(own.log, 'operations')).slice(1)).toMatchObject([
      { type: 'dev.waybill.node.lost.v1', data: { node: 'a', epoch: older.log.writer.epoch, run: older.log.writer.run, connections_closed: 1 } },
      { type: 'dev.waybill.node.lost.v1', data: { node: 'a', epoch: old.log.writer.epoch, run: old.log.writer.run, connections_closed: 0 } },
    ])
    expect(await close()).toBe(0)
    expect(await events(own.log, 'operations')).toHaveLength(3)
    expect(ids(await leftOpenOf({ log: own.log }, await world.heard('a'), null))).toContain(mine)
  })

  test('closes nothing when it was told to end while it read', async () => {
    const world = new World()
    const [old, own] = [world.node('a'), world.node('a')]
    await old.started()
    await old.opened()
    await own.started()
    const lost = await world.heard('a')
    const ending = new AbortController()
    using _silence = world.cluster.silence()
    const closing = closeLeftOpenOf({ drafts: own.drafts, log: own.log, lost, options: { purpose: 'owed' }, signal: ending.signal })
    await settled()
    ending.abort()
    expect(await closing).toBe(0)
    expect(await events(own.log, 'operations')).toHaveLength(1)
  })
})

test('connections of a node that an operator retired are not among the totals of the one that closed them', async () => {
  const world = new World()
  const [a, b] = [world.node('a'), world.node('b')]
  await a.started()
  await a.opened()
  const left = await leftOpenOf({ log: b.log }, await world.heard('a'), null)
  await closeLost({ drafts: b.drafts, log: b.log }, left, exampleActor, { purpose: 'owed' })
  const closings = await events(b.log, 'connections')
  expect(closings).toMatchObject([{ data: { close: { because: 'node_lost', by: 'operator', actor: exampleActor } } }])
  expect(fold(traffic, closings.map((event) => ({ event, leafHash: '' })))).toEqual(traffic.initial())
})
