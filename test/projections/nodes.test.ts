import { describe, expect, test } from 'vitest'
import type { EventDefinition } from '../../events/define.ts'
import { HealthChanged } from '../../events/health.ts'
import { NodeLost, NodeStarted, NodeStopped } from '../../events/node.ts'
import { health, healthKey } from '../../projections/health.ts'
import { fold } from '../../projections/projection.ts'
import { runs } from '../../projections/runs.ts'
import { exampleEpoch, RecordChain, recorded, type MadeRecord } from '../support/records.ts'

interface Fact {
  readonly definition: EventDefinition
  readonly data: object
  readonly node: string
  readonly run: string
  readonly time: string
}

const first = '0198c0de-0000-7000-8000-0000000000a1'
const second = '0198c0de-0000-7000-8000-0000000000a2'

function records(...facts: Fact[]): MadeRecord[] {
  const chains = new Map(facts.map(({ node }) => [node, new RecordChain('operations', { node })]))
  return facts.map(({ definition, data, node, run, time }) => chains.get(node)!.make(definition, data, { run, time }))
}

function at(seconds: number, node: string, run: string, definition: EventDefinition, data: object): Fact {
  return { definition, data, node, run, time: `2026-11-24T08:00:0${seconds}.000Z` }
}

describe('health: how each node last saw each backend', () => {
  const seen = (seconds: number, node: string, to: 'down' | 'up', fields: object = {}): Fact =>
    at(seconds, node, first, HealthChanged, { ...HealthChanged.examples[0], backend: 'b:1', code: 'ECONNREFUSED', pool: 'app', to, ...fields })
  const of = (...facts: Fact[]) => fold(health, records(...facts).map(recorded))

  test('down with what failed, up without, since when', () => {
    const key = healthKey('one', 'app', 'b:1')
    expect(of(seen(1, 'one', 'down')).get(key)).toEqual({
      node: 'one', pool: 'app', backend: 'b:1', up: false, since: '2026-11-24T08:00:01.000Z', code: 'ECONNREFUSED',
    })
    expect(of(seen(1, 'one', 'down'), seen(2, 'one', 'up')).get(key)).toMatchObject({ up: true, since: '2026-11-24T08:00:02.000Z', code: null })
  })

  test('nodes, pools and backends are told apart', () => {
    const state = of(seen(1, 'one', 'down'), seen(2, 'two', 'up'), seen(3, 'one', 'up', { pool: 'other' }), seen(4, 'one', 'up', { backend: 'b:2' }))
    expect([...state.values()].map(({ node, pool, backend, up }) => [node, pool, backend, up])).toEqual([
      ['one', 'app', 'b:1', false], ['two', 'app', 'b:1', true], ['one', 'other', 'b:1', true], ['one', 'app', 'b:2', true],
    ])
  })
})

describe('runs: the last process life of each node', () => {
  const started = (seconds: number, node: string, run: string) => at(seconds, node, run, NodeStarted, NodeStarted.examples[0])
  const stopped = (seconds: number, node: string, run: string) => at(seconds, node, run, NodeStopped, NodeStopped.examples[0])
  const lost = (seconds: number, node: string, run: string, whose: string, whom = node) =>
    at(seconds, node, run, NodeLost, { connections_closed: 0, epoch: exampleEpoch, node: whom, run: whose })
  const of = (...facts: Fact[]) => fold(runs, records(...facts).map(recorded)).get('one')

  test('runs, then stopped', () => {
    expect(of(started(1, 'one', first))).toEqual({ run: first, startedAt: '2026-11-24T08:00:01.000Z', ended: null })
    expect(of(started(1, 'one', first), stopped(2, 'one', first))).toMatchObject({ ended: 'stopped' })
  })

  test('lost, as its next life or another node says of it later', () => {
    expect(of(started(1, 'one', first), lost(2, 'one', second, first))).toMatchObject({ run: first, ended: 'lost' })
    expect(of(started(1, 'one', first), lost(2, 'two', second, first, 'one'))).toMatchObject({ run: first, ended: 'lost' })
  })

  test('what is said of an earlier life does not concern the present one', () => {
    expect(of(started(1, 'one', first), started(2, 'one', second), lost(3, 'one', second, first))).toMatchObject({ run: second, ended: null })
    expect(of(started(1, 'one', first), started(2, 'one', second), stopped(3, 'one', first))).toMatchObject({ run: second, ended: null })
  })

  test('what another node says of itself does not either, and an end without a beginning says nothing', () => {
    expect(of(started(1, 'one', first), stopped(2, 'two', first))).toMatchObject({ ended: null })
    expect(of(stopped(1, 'one', first))).toBeUndefined()
  })
})
