import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Stream } from '../../events/define.ts'
import { definitions } from '../../events/catalog.ts'
import { health } from '../../projections/health.ts'
import { idempotency } from '../../projections/idempotency.ts'
import { nodes } from '../../projections/nodes.ts'
import { openConnections } from '../../projections/open-connections.ts'
import { fold, type EventType, type Projection } from '../../projections/projection.ts'
import { routing } from '../../projections/routing.ts'
import { runs } from '../../projections/runs.ts'
import { traffic } from '../../projections/traffic.ts'
import { deepFreeze } from '../support/freeze.ts'
import { movesOf, recordsOf } from '../support/histories.ts'
import { recorded } from '../support/records.ts'

interface Case {
  readonly projection: Projection<unknown>
  readonly stream: Stream
  /** False for owned accumulators, whose headers say so. */
  readonly copiesOnWrite: boolean
}

const cases: readonly Case[] = [
  { projection: asAny(routing), stream: 'control', copiesOnWrite: true },
  { projection: asAny(idempotency), stream: 'control', copiesOnWrite: false },
  { projection: asAny(health), stream: 'operations', copiesOnWrite: false },
  { projection: asAny(nodes), stream: 'operations', copiesOnWrite: false },
  { projection: asAny(runs), stream: 'operations', copiesOnWrite: true },
  { projection: asAny(openConnections), stream: 'connections', copiesOnWrite: false },
  { projection: asAny(traffic), stream: 'connections', copiesOnWrite: false },
]

describe.each(cases.map((each) => [each.projection.name, each] as const))('%s', (_name, { projection, stream, copiesOnWrite }) => {
  const log = movesOf(stream).map((moves) => recordsOf(stream, moves).map(recorded))

  test('folding on from a snapshot gives what folding everything gives', () => {
    fc.assert(
      fc.property(log, fc.nat(), (records, cut) => {
        const at = cut % (records.length + 1)
        const whole = fold(projection, records)
        const snapshot = fold(projection, records.slice(0, at))
        expect(fold(projection, records.slice(at), structuredClone(snapshot))).toEqual(whole)
        if (copiesOnWrite) {
          const before = structuredClone(snapshot)
          expect(fold(projection, records.slice(at), deepFreeze(snapshot))).toEqual(whole)
          expect(snapshot).toEqual(before)
        }
        // Not trivially: every replay starts from nothing of its own.
        expect(fold(projection, records)).toEqual(whole)
      }),
      { numRuns: 200 },
    )
  })

  test('leaves alone what it does not handle, and never changes an event', () => {
    const others = (['control', 'connections', 'operations'] as const).filter((other) => other !== stream)
    fc.assert(
      fc.property(fc.constantFrom(...others).chain((other) => movesOf(other, 5).map((moves) => recordsOf(other, moves).map(recorded))), (records) => {
        const state = projection.initial()
        expect(fold(projection, records, state)).toBe(state)
      }),
      { numRuns: 20 },
    )
    fc.assert(fc.property(log, (records) => void fold(projection, deepFreeze(records))), { numRuns: 50 })
  })

  test('handles only types that exist, of its own stream', () => {
    const types = Object.keys(projection.on)
    expect(types.length).toBeGreaterThan(0)
    for (const type of types) expect(definitions.find((definition) => definition.type === type)?.stream, type).toBe(stream)
    expect(projection.version).toBeGreaterThan(0)
  })
})

test.each([['routing', routing], ['idempotency', idempotency]] as const)('every change of the configuration is one that %s knows', (_name, { on }) => {
  const changing = definitions.filter(({ changes }) => changes).map(({ type }) => type)
  expect(Object.keys(on).toSorted()).toEqual(changing.toSorted())
})

test('routing and idempotency agree, after any history, on what took effect', () => {
  fc.assert(
    fc.property(movesOf('control'), (moves) => {
      const records = recordsOf('control', moves).map(recorded)
      const [one, other] = [fold(routing, records), fold(idempotency, records)]
      expect([other.revision, other.basis]).toEqual([one.revision, one.basis])
    }),
  )
})

function asAny<State, Type extends EventType>(projection: Projection<State, Type>): Projection<unknown> {
  return projection as unknown as Projection<unknown>
}
