import { describe, expect, test } from 'vitest'
import { NodeReported, type NodeReportedData } from '../../events/node.ts'
import { health } from '../../projections/health.ts'
import { routing } from '../../projections/routing.ts'
import { traffic, type PoolTraffic } from '../../projections/traffic.ts'
import { idMaker } from '../../src/core/ids.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import type { OpenCount } from '../../src/live/node-view.ts'
import { OwnNode } from '../../src/live/own-node.ts'
import { Reporter } from '../../src/live/reporter.ts'
import { Drafts } from '../../src/log/drafts.ts'
import { readAll, textOf } from '../support/drafts.ts'
import { ManualClock, settled } from '../support/manual-clock.ts'
import { MemoryCluster } from '../support/memory-cluster.ts'

const none: OpenCount = { connections: 0, bytesToBackend: 0, bytesToClient: 0 }

class Stand {
  readonly clock = new ManualClock()
  readonly makeId = idMaker(this.clock, systemRandom)
  readonly log = new MemoryCluster(this.clock, this.makeId).node('a')
  readonly traffic = traffic.initial()
  readonly open = new Map<string, OpenCount>()
  owedMs = 0
  readonly own = new OwnNode({
    clock: this.clock,
    live: { health: health.initial(), routing: { ...routing.initial(), revision: 7 }, traffic: this.traffic },
    open: {
      healthOf: () => ({ state: 'up', code: null, checkedAt: null }),
      openByBackend: () => none,
      openInAll: () => ({ connections: 3, oldestAt: '2026-11-24T07:00:00.000Z' }),
      openOfPool: (pool) => this.open.get(pool) ?? none,
    },
    skewMs: () => 12.7,
    version: '1.2.3',
    writer: this.log.writer,
  })

  begin(): Reporter {
    const { clock, log, makeId, own } = this
    const backlog = () => ({ records: 0, oldestMs: this.owedMs })
    const reading = { append: log.append.bind(log), availability: log.availability.bind(log), backlog }
    return new Reporter({ clock, drafts: new Drafts(clock, makeId, 'a'), log: reading, own })
  }

  pool(name: string, fields: Partial<PoolTraffic>): void {
    this.traffic.pools.set(name, { opened: 0, closed: 0, bytesToBackend: 0, bytesToClient: 0, backends: new Map(), ...fields })
  }

  async reports(): Promise<NodeReportedData[]> {
    const records = (await readAll(this.log, 'operations')).map((record) => JSON.parse(textOf(record)) as { type: string; data: NodeReportedData })
    return records.map(({ data }) => NodeReported.data.parse(data))
  }
}

const told = (reports: readonly NodeReportedData[]) => reports.map(({ pools }) => pools.map(({ pool }) => pool).join(' '))

describe('reports', () => {
  test('say at once and every 10 s that the node is there, with its totals and what is open', async () => {
    const stand = new Stand()
    stand.traffic.since = '2026-11-01T08:00:00.000Z'
    stand.traffic.refused.set('no_sni', 2).set('not_tls', 3)
    const backends = new Map([['x:1', { opened: 4, closed: 3, bytesToBackend: 5, bytesToClient: 6, dialFailures: 7 }]])
    stand.pool('app', { opened: 4, closed: 3, bytesToBackend: 5, bytesToClient: 6, backends })
    stand.open.set('app', { connections: 1, bytesToBackend: 100, bytesToClient: 200 })
    await using _reporter = stand.begin()
    await settled()
    expect(await stand.reports()).toEqual([
      {
        clock_skew_ms: 13, connections_open: 3, oldest_open: '2026-11-24T07:00:00.000Z', refused: 5, revision: 7,
        since: '2026-11-01T08:00:00.000Z', started_at: '2026-11-24T08:00:00.000Z', version: '1.2.3',
        pools: [
          {
            pool: 'app', backends_down: 0, bytes_to_backend: 105, bytes_to_client: 206, closed: 3, connections_open: 1, dial_failures: 7, opened: 4,
          },
        ],
      },
    ])
    await stand.clock.run(30_000)
    expect(await stand.reports()).toHaveLength(4)
  })

  test('name the pools whose numbers changed, and all of them once an hour', async () => {
    const stand = new Stand()
    stand.pool('a', { opened: 1 })
    stand.pool('b', { opened: 1 })
    await using _reporter = stand.begin()
    await stand.clock.run(10_000)
    stand.pool('b', { opened: 2 })
    await stand.clock.run(10_000)
    stand.open.set('a', { ...none, bytesToClient: 1 })
    await stand.clock.run(10_000)
    expect(told(await stand.reports())).toEqual(['a b', '', 'b', 'a'])
    await stand.clock.run(3_600_000)
    expect(told(await stand.reports()).filter((each) => each === 'a b')).toHaveLength(2)
  })

  test('of very many pools are several records, each as large as one may be', async () => {
    const stand = new Stand()
    const names = Array.from({ length: 200 }, (_, index) => `p${index}`)
    for (const name of names) stand.pool(name, { opened: 1 })
    await using _reporter = stand.begin()
    await settled()
    const reports = await stand.reports()
    expect(reports.map(({ pools }) => pools.length)).toEqual([90, 90, 20])
    expect(reports.flatMap(({ pools }) => pools.map(({ pool }) => pool))).toEqual(names)
  })
})

describe('while the log takes no records', () => {
  test('there are none, and the next one has what changed meanwhile', async () => {
    const stand = new Stand()
    stand.pool('a', { opened: 1 })
    await using _reporter = stand.begin()
    await settled()
    {
      using _broken = stand.log.breakCommits('operations', 'not_written')
      stand.pool('a', { opened: 2 })
      await stand.clock.run(60_000)
      expect(told(await stand.reports())).toEqual(['a'])
    }
    await stand.clock.run(30_000)
    expect(told(await stand.reports()).slice(0, 2)).toEqual(['a', 'a'])
  })

  test('or owes the cluster older ones, there are none either', async () => {
    const stand = new Stand()
    await using _reporter = stand.begin()
    await settled()
    stand.owedMs = 10_001
    await stand.clock.run(60_000)
    expect(await stand.reports()).toHaveLength(1)
    stand.owedMs = 0
    await stand.clock.run(10_000)
    expect(await stand.reports()).toHaveLength(2)
  })

  test('no second report waits behind the first', async () => {
    const stand = new Stand()
    const stalled = stand.log.stallCommits('operations')
    const reporter = stand.begin()
    await stand.clock.run(10_000)
    expect(stand.log.commits('operations')).toBe(1)
    stalled[Symbol.dispose]()
    await settled()
    expect(await stand.reports()).toHaveLength(1)
    await reporter[Symbol.asyncDispose]()
  })
})

test('the last report has the totals of the end, and is the last', async () => {
  const stand = new Stand()
  const reporter = stand.begin()
  await settled()
  stand.pool('a', { opened: 9 })
  await reporter[Symbol.asyncDispose]()
  await reporter[Symbol.asyncDispose]()
  await stand.clock.run(60_000)
  expect(told(await stand.reports())).toEqual(['', 'a'])
})
