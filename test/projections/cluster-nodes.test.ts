import { describe, expect, test } from 'vitest'
import type { EventDefinition } from '../../events/define.ts'
import { HealthChanged } from '../../events/health.ts'
import { NodeLost, NodeReported, NodeRetired, NodeStarted, NodeStopped } from '../../events/node.ts'
import { downKey, heldNodes, nodes, nodesMax, openLives, type NodeState } from '../../projections/nodes.ts'
import { fold } from '../../projections/projection.ts'
import { RecordChain, recorded } from '../support/records.ts'

const [run1, run2, run3] = ['a1', 'a2', 'a3'].map((end) => `0198c0de-0000-7000-8000-0000000000${end}`) as [string, string, string]
const time = (seconds: number): string => `2026-11-24T08:00:${String(seconds).padStart(2, '0')}.000Z`

interface Fact {
  readonly at: number
  readonly definition: EventDefinition
  readonly data: object
  readonly epoch: string
  readonly node: string
  readonly run: string
}

function life(run: string, epoch = 'e1', node = 'one') {
  const fact = (at: number, definition: EventDefinition, data: object): Fact => ({ at, definition, data, epoch, node, run })
  const [report] = NodeReported.examples
  const [pool] = report.pools
  return {
    started: (at: number) => fact(at, NodeStarted, NodeStarted.examples[0]),
    stopped: (at: number) => fact(at, NodeStopped, NodeStopped.examples[0]),
    reported: (at: number, fields: object = {}, pools: readonly object[] = []) =>
      fact(at, NodeReported, { ...report, started_at: time(0), ...fields, pools: pools.map((each) => ({ ...pool, ...each })) }),
    lost: (at: number, lost: { readonly epoch: string; readonly node?: string; readonly run: string }) =>
      fact(at, NodeLost, { connections_closed: 0, epoch: lost.epoch, node: lost.node ?? node, run: lost.run }),
    retired: (at: number, whom: string) => fact(at, NodeRetired, { ...NodeRetired.examples[0], node: whom }),
    health: (at: number, to: string, fields: object = {}) =>
      fact(at, HealthChanged, { ...HealthChanged.examples[0], backend: 'b:1', code: 'ECONNREFUSED', pool: 'app', to, ...fields }),
  }
}

function all(...facts: Fact[]): Map<string, NodeState> {
  const chains = new Map<string, RecordChain>()
  const records = facts.map(({ at, data, definition, epoch, node, run }) => {
    const key = `${node}/${epoch}`
    const chain = chains.get(key) ?? new RecordChain('operations', { node, epoch })
    chains.set(key, chain)
    return chain.make(definition, data, { run, time: time(at) })
  })
  return fold(nodes, records.map(recorded))
}

function one(...facts: Fact[]): NodeState | undefined {
  return all(...facts).get('one')
}

const first = life(run1)

describe('the life of a node', () => {
  test('runs, with what it reported last', () => {
    expect(one(first.started(1))).toMatchObject({ epoch: 'e1', run: run1, state: 'running', startedAt: time(1), version: '0.1.0', report: null })
    const reported = one(first.started(1), first.reported(2, { revision: 4 }), first.reported(3, { connections_open: 7, clock_skew_ms: -3, revision: 5 }))
    expect(reported).toMatchObject({ state: 'running', report: { at: time(3), connectionsOpen: 7, clockSkewMs: -3, revision: 5 } })
  })

  test('a report of a node whose start was not heard is enough', () => {
    expect(one(first.reported(5))).toMatchObject({ run: run1, startedAt: time(0), state: 'running', report: { at: time(5) } })
  })

  test('stopped in order; lost, as another node or its next life says; retired', () => {
    expect(one(first.started(1), first.stopped(2))).toMatchObject({ state: 'stopped' })
    expect(one(first.started(1), life(run2, 'e2', 'two').lost(2, { epoch: 'e1', node: 'one', run: run1 }))).toMatchObject({ state: 'lost' })
    expect(one(first.started(1), life(run2, 'e2', 'two').retired(2, 'one'))).toMatchObject({ state: 'retired' })
    // Of nobody that was heard of.
    expect(all(life(run2, 'e2', 'two').retired(2, 'one'), life(run2, 'e2', 'two').lost(2, { epoch: 'e1', node: 'one', run: run1 })).size).toBe(0)
  })

  test('whoever reports lives, whatever the others took it for', () => {
    expect(one(first.started(1), life(run2, 'e2', 'two').retired(2, 'one'), first.reported(3))).toMatchObject({ state: 'running' })
  })

  test('what an earlier life says does not concern the present one', () => {
    const second = life(run2)
    expect(one(first.started(1), second.started(5), first.stopped(6))).toMatchObject({ run: run2, state: 'running' })
    expect(one(first.started(1), second.started(5), first.reported(6, { started_at: time(1) }))).toMatchObject({ run: run2, report: null })
    expect(one(first.started(1), second.started(5), first.health(6, 'down'))?.down.size).toBe(0)
    // Its start was not heard.
    expect(one(first.started(1), second.reported(6, { started_at: time(5) }))).toMatchObject({ run: run2, startedAt: time(5) })
  })
})

describe('totals', () => {
  test('are those that were reported last, pool by pool', () => {
    const state = one(first.reported(1, {}, [{ pool: 'a', opened: 1 }, { pool: 'b', opened: 2 }]), first.reported(2, {}, [{ pool: 'a', opened: 3 }]))
    expect([...state!.pools].map(([name, { opened }]) => [name, opened])).toEqual([['b', 2], ['a', 3]])
  })

  test('go on over lives of the same folder, and begin anew with another one', () => {
    const pools = [{ pool: 'a', opened: 9 }]
    expect(one(first.reported(1, {}, pools), life(run2).started(2))?.pools.get('a')).toMatchObject({ opened: 9 })
    expect(one(first.reported(1, {}, pools), life(run2, 'e2').started(2))?.pools.size).toBe(0)
  })
})

test('backends that a life sees down, with what failed', () => {
  expect(one(first.started(1), first.health(2, 'down'))?.down.get(downKey('app', 'b:1'))).toEqual({
    pool: 'app', backend: 'b:1', since: time(2), code: 'ECONNREFUSED',
  })
  expect(one(first.started(1), first.health(2, 'down'), first.health(3, 'up'))?.down.size).toBe(0)
  expect(one(first.started(1), first.health(2, 'down'), life(run2).started(3))?.down.size).toBe(0)
})

describe('lives that may have left connections open', () => {
  const lives = (...facts: Fact[]) => openLives(one(...facts)!).map(({ epoch, run, since, clockSkewMs }) => [epoch, run, since, clockSkewMs])

  test('the one that runs: since its start, its last report, or the oldest that was open then', () => {
    expect(lives(first.started(1))).toEqual([['e1', run1, time(1), null]])
    expect(lives(first.started(1), first.reported(9, { clock_skew_ms: 4, oldest_open: null }))).toEqual([['e1', run1, time(9), 4]])
    expect(lives(first.started(1), first.reported(9, { clock_skew_ms: 4, oldest_open: time(3) }))).toEqual([['e1', run1, time(3), 4]])
  })

  test('none that ended in order, was lost or retired', () => {
    expect(lives(first.started(1), first.stopped(2))).toEqual([])
    expect(lives(first.started(1), life(run2).lost(2, { epoch: 'e1', run: run1 }))).toEqual([])
    expect(lives(first.started(1), first.stopped(2), life(run2).started(3), life(run2).stopped(4))).toEqual([])
  })

  test('earlier ones, until somebody has closed what they left', () => {
    const begun = [first.started(1), life(run2, 'e2').started(3)]
    expect(lives(...begun)).toEqual([['e1', run1, time(1), null], ['e2', run2, time(3), null]])
    expect(lives(...begun, life(run2, 'e2').lost(4, { epoch: 'e1', run: run1 }))).toEqual([['e2', run2, time(3), null]])
    // It was taken over, noticed, and ended by itself.
    expect(lives(...begun, first.stopped(4))).toEqual([['e2', run2, time(3), null]])
    // The next life of the second folder closes what is in that folder, and nothing else.
    const again = [...begun, life(run3, 'e2').started(5), life(run3, 'e2').lost(6, { epoch: 'e2', run: run2 })]
    expect(lives(...again)).toEqual([['e1', run1, time(1), null], ['e2', run3, time(5), null]])
    expect(lives(...again, life(run1, 'e9', 'two').retired(7, 'one'))).toEqual([])
  })

  test('are bounded, and the oldest is kept', () => {
    const starts = Array.from({ length: 30 }, (_, at) => life(run1, `e${at}`).started(at))
    const found = lives(...starts)
    expect(found).toHaveLength(9)
    expect([found[0]![0], found.at(-1)![0]]).toEqual(['e0', 'e29'])
  })
})

test('of more nodes than are kept, one that does not run is forgotten first', () => {
  const facts = Array.from({ length: nodesMax }, (_, at) => life(run1, 'e', `n${at}`).started(1))
  const state = all(...facts, life(run1, 'e', 'n7').stopped(2), life(run1, 'e', 'new').started(3))
  expect(state.size).toBe(nodesMax)
  expect([state.has('n7'), state.has('n0'), state.has('new')]).toEqual([false, true, true])
})

test('a snapshot stays as it was', () => {
  const state = all(first.started(1), first.reported(2, {}, [{ pool: 'a', opened: 1 }]), first.health(3, 'down'))
  const held = heldNodes(state)
  state.get('one')!.pools.clear()
  state.get('one')!.down.clear()
  state.clear()
  expect([held.get('one')!.pools.size, held.get('one')!.down.size]).toEqual([1, 1])
})
