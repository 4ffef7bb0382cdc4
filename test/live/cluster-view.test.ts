import { describe, expect, test } from 'vitest'
import type { Disk } from '../../src/core/disk.ts'
import { Fault } from '../../src/core/errors.ts'
import { idMaker } from '../../src/core/ids.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { ClusterView, silentAfterMs, type TakenOver } from '../../src/live/cluster-view.ts'
import { ClusterViewFile } from '../../src/live/snapshots/cluster-view-file.ts'
import type { ClusterLog, ClusterPosition } from '../../src/log/cluster-log.ts'
import { ManualClock, settled } from '../support/manual-clock.ts'
import { MemoryCluster } from '../support/memory-cluster.ts'
import { MemoryDisk } from '../support/memory-disk.ts'
import { PlayedNode } from '../support/played-node.ts'

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

class World {
  readonly clock = new ManualClock()
  readonly makeId = idMaker(this.clock, systemRandom)
  readonly cluster = new MemoryCluster(this.clock, this.makeId)
  readonly warnings: string[] = []

  node(name: string): PlayedNode {
    return new PlayedNode(this.cluster, name, this.clock, this.makeId)
  }

  view(of: PlayedNode, options: Partial<ConstructorParameters<typeof ClusterView>[0]> = {}): Viewing {
    const takenOver: TakenOver[] = []
    const logger = { ...quiet, warn: (sentence: string) => void this.warnings.push(sentence) }
    const view = new ClusterView({ clock: this.clock, file: null, log: of.log, logger, onTakenOver: (by) => takenOver.push(by), ...options })
    return { view, takenOver, [Symbol.asyncDispose]: () => view.stop() }
  }

  file(disk: Disk, origin = 'one'): ClusterViewFile {
    const logger = { ...quiet, warn: (sentence: string) => void this.warnings.push(sentence) }
    return new ClusterViewFile({ disk, folder: '/data/snapshots', freeBytesMin: 0, logger, origin })
  }
}

interface Viewing extends AsyncDisposable {
  readonly view: ClusterView
  readonly takenOver: readonly TakenOver[]
}

describe('what is known of the others', () => {
  test('is read from what there was, then as it comes', async () => {
    const world = new World()
    const [a, b] = [world.node('a'), world.node('b')]
    await a.started()
    await a.reported({ revision: 4 })
    await using watching = world.view(b)
    const { view } = watching
    expect([view.caughtUp, view.nodes()]).toEqual([false, []])
    await view.start()
    expect(view.caughtUp).toBe(true)
    expect(view.nodes()).toMatchObject([{ node: 'a', state: 'running', stale: false, report: { revision: 4 }, heardMs: world.clock.now() }])
    await b.started()
    await a.reported({ revision: 5 })
    await settled()
    expect(view.node('a')).toMatchObject({ report: { revision: 5 } })
    expect(view.node('b')).toMatchObject({ run: b.log.writer.run, report: null })
    expect(view.node('c')).toBeNull()
  })

  test('a node that is silent for half a minute by the clock of the broker is stale, one that ended is not', async () => {
    const world = new World()
    const [a, b, c] = [world.node('a'), world.node('b'), world.node('c')]
    await a.reported()
    await b.reported()
    await b.started()
    await b.stopped()
    await using watching = world.view(c)
    await watching.view.start()
    const stale = () => watching.view.nodes().map(({ node, stale: is }) => [node, is])
    world.clock.advance(silentAfterMs)
    expect(stale()).toEqual([['a', false], ['b', false]])
    world.clock.advance(1)
    expect(stale()).toEqual([['a', true], ['b', false]])
    // This clock is ahead: the broker says that it is not so late.
    c.log.clockNow.skewMs = 5_000
    expect(stale()).toEqual([['a', false], ['b', false]])
    await a.reported()
    await settled()
    world.clock.advance(silentAfterMs)
    expect(stale()).toEqual([['a', false], ['b', false]])
  })

  test('a node hears itself once it has read its own records, and not while nothing comes', async () => {
    const world = new World()
    const a = world.node('a')
    await using watching = world.view(a)
    await watching.view.start()
    expect(watching.view.hearsItself).toBe(false)
    await a.started()
    await settled()
    expect(watching.view.hearsItself).toBe(true)
    world.clock.advance(silentAfterMs + 1)
    expect(watching.view.hearsItself).toBe(false)
  })

  test('repeats, other types, other clusters and what is no record change nothing', async () => {
    const world = new World()
    const [a, b] = [world.node('a'), world.node('b')]
    await a.started()
    await a.reported({ revision: 4 })
    await a.reported({ revision: 5 })
    await using watching = world.view(b)
    const { view } = watching
    await view.start()
    const before = view.nodes()
    world.clock.advance(1_000)
    world.cluster.repeat('operations', 2)
    world.cluster.put('operations', Buffer.from('not a record'))
    world.cluster.put('operations', Buffer.from('{"subject":"x","time":"2026-11-24T08:00:00.000Z","type":"dev.waybill.imagined.thing.v1"}'))
    world.cluster.put('operations', Buffer.from('{"subject":"x","time":"2026-11-24T08:00:00.000Z","type":"dev.waybill.node.reported.v1"}'))
    const other = new PlayedNode(new MemoryCluster(world.clock, world.makeId), 'a', world.clock, world.makeId)
    await other.reported()
    for await (const batch of other.log.read('operations', { after: null, follow: false })) {
      for (const { bytes } of batch) world.cluster.put('operations', Buffer.from(Buffer.from(bytes).toString().replace('/clusters/test/', '/clusters/else/')))
    }
    await settled()
    expect(view.nodes()).toEqual(before)
    expect(view.malformed).toBe(3)
  })

  test('a read that fails is begun again where it was', async () => {
    const world = new World()
    const [a, b] = [world.node('a'), world.node('b')]
    await a.reported({ revision: 4 })
    let failures = 1
    const log: Pick<ClusterLog, 'brokerClock' | 'readAll' | 'writer'> = {
      writer: b.log.writer,
      brokerClock: b.log.brokerClock,
      readAll: (stream, options) => {
        if (options.follow && failures-- > 0) throw new Fault('broker_gone', 'network', 'the broker is gone')
        return b.log.readAll(stream, options)
      },
    }
    await using watching = world.view(b, { log })
    await watching.view.start()
    await settled()
    expect(world.warnings).toHaveLength(1)
    await a.reported({ revision: 5 })
    expect(watching.view.node('a')).toMatchObject({ report: { revision: 4 } })
    await world.clock.run(5_000)
    expect(watching.view.node('a')).toMatchObject({ report: { revision: 5 } })
    expect(world.cluster.reads.at(-1)).toMatchObject({ options: { from: { after: '2' }, follow: true } })
  })
})

describe('a name that somebody else takes over', () => {
  test('is told once, by who began after this life, whatever the folder', async () => {
    const world = new World()
    const [old, own, younger] = [world.node('a'), world.node('a'), world.node('a')]
    await old.started()
    await using watching = world.view(own)
    await watching.view.start()
    await old.started()
    await own.started()
    await old.reported()
    await world.node('b').started()
    await settled()
    expect(watching.takenOver).toEqual([])
    await younger.started()
    await younger.started()
    const heardMs = world.clock.now()
    world.clock.advance(1_000)
    await own.stopped()
    await settled()
    // That is no sign of life of the younger one.
    expect(watching.view.node('a')).toMatchObject({ heardMs })
    const { epoch, run } = younger.log.writer
    expect(watching.takenOver).toEqual([{ epoch, run, startedAt: '2026-11-24T08:00:00.000Z' }])
    expect(watching.view.hearsItself).toBe(false)
  })
})

describe('what is kept over restarts', () => {
  async function kept(world: World, disk: Disk): Promise<void> {
    const [a, b] = [world.node('a'), world.node('b')]
    await a.started()
    await a.reported({ revision: 4 })
    await using watching = world.view(b, { file: world.file(disk) })
    await watching.view.start()
  }

  test('is gone on from, and nothing is counted twice', async () => {
    const [world, disk] = [new World(), new MemoryDisk().attach()]
    await kept(world, disk)
    const before = world.cluster.reads.length
    const heardMs = world.clock.now()
    world.clock.advance(1_000)
    world.cluster.repeat('operations', 2)
    await using watching = world.view(world.node('b'), { file: world.file(disk) })
    await watching.view.start()
    expect(world.cluster.reads[before]).toMatchObject({ options: { from: { after: '2' }, follow: false } })
    expect(watching.view.node('a')).toMatchObject({ report: { revision: 4 }, heardMs, stale: false })
    expect(watching.view.node('a')?.pools.get('app')).toMatchObject({ opened: 40_338 })
  })

  test('is not used when it is of another log', async () => {
    const [world, disk] = [new World(), new MemoryDisk().attach()]
    await kept(world, disk)
    await using other = world.view(world.node('c'), { file: world.file(disk, 'another') })
    await other.view.start()
    expect(world.warnings).toEqual([expect.stringContaining('not used')])
    expect(world.cluster.reads.at(-2)).toMatchObject({ options: { from: { storedSinceMs: world.clock.now() - 7 * 86_400_000 } } })
  })

  test('with a position that the log can not read, the last week is listened to', async () => {
    const [world, disk] = [new World(), new MemoryDisk().attach()]
    await kept(world, disk)
    const b = world.node('b')
    const log: Pick<ClusterLog, 'brokerClock' | 'readAll' | 'writer'> = {
      writer: b.log.writer,
      brokerClock: b.log.brokerClock,
      readAll: (stream, options) => {
        if (typeof options.from === 'object' && 'after' in options.from && options.from.after === '2') throw new Fault('position_invalid', 'settings', 'no such position')
        return b.log.readAll(stream, options)
      },
    }
    await world.node('a').reported({ revision: 7 })
    await using watching = world.view(b, { file: world.file(disk), log })
    const ready = watching.view.start()
    await world.clock.run(5_000)
    await ready
    expect(watching.view.node('a')).toMatchObject({ report: { revision: 4 } })
  })

  test('is written now and then, so that a crash costs little', async () => {
    const [world, disk] = [new World(), new MemoryDisk().attach()]
    const [a, b] = [world.node('a'), world.node('b')]
    await using watching = world.view(b, { file: world.file(disk) })
    await watching.view.start()
    await world.clock.run(300_000)
    await a.reported({ revision: 9 })
    await settled()
    const state = await world.file(disk).load()
    expect(state).toMatchObject({ position: '1' as ClusterPosition })
    expect(state?.nodes.get('a')).toMatchObject({ report: { revision: 9 } })
  })
})
