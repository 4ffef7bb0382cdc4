import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PoolChanged, PoolCreated } from '../../events/pool.ts'
import { exampleActor } from '../../events/values.ts'
import { answeredBefore, idempotency, idempotencyKeysMax, idempotencyMs, type Idempotency } from '../../projections/idempotency.ts'
import { apply, fold, type Recorded } from '../../projections/projection.ts'
import { movesOf, recordsOf } from '../support/histories.ts'
import { RecordChain, recorded, type Overrides } from '../support/records.ts'

const startMs = Date.parse('2026-11-24T08:00:00.000Z')
const digest = `${'x'.repeat(43)}=`
const at = (ms: number): string => new Date(startMs + ms).toISOString()

/** A change that came with this key, `ms` after the start. */
function change(chain: RecordChain, key: string | null, ms = 0, overrides: Overrides = {}): Recorded {
  const given = key === null ? null : { digest, key }
  return recorded(chain.make(PoolChanged, { ...PoolChanged.examples[0], idempotency: given }, { time: at(ms), ...overrides }))
}
const answer = (state: Idempotency, key: string, ms = 0) => answeredBefore(state, exampleActor, key, startMs + ms)

describe('what took effect', () => {
  test('is remembered with its revision, record and digest', () => {
    const chain = new RecordChain('control')
    const [example] = PoolCreated.examples
    const made = chain.make(PoolCreated, { ...example, idempotency: { digest, key: 'k' } })
    expect(answer(fold(idempotency, [recorded(made)]), 'k')).toEqual({
      revision: 1, id: made.event.id, type: PoolCreated.type, digest, time: made.event.time,
    })
  })

  test('without a key is not', () => {
    expect(fold(idempotency, [change(new RecordChain('control'), null)]).answered.size).toBe(0)
  })

  test('counts, what was void does not', () => {
    const chain = new RecordChain('control')
    const records = [change(chain, 'one'), change(chain, 'late', 0, { revision: 1, basis: digest }), change(chain, 'two')]
    const state = fold(idempotency, records)
    expect(['one', 'late', 'two'].map((key) => answer(state, key)?.revision)).toEqual([1, undefined, 2])
  })
})

describe('24 hours', () => {
  test('are counted from the record to the question', () => {
    const state = fold(idempotency, [change(new RecordChain('control'), 'k')])
    expect(answer(state, 'k', idempotencyMs - 1)).not.toBeNull()
    expect(answer(state, 'k', idempotencyMs)).toBeNull()
  })

  test('later, a newer change makes it forget, so that the memory does not grow with the log', () => {
    const chain = new RecordChain('control')
    const state = fold(idempotency, [change(chain, 'old'), change(chain, 'young', 1), change(chain, 'new', idempotencyMs)])
    expect([...state.answered.values()].map(({ revision }) => revision)).toEqual([2, 3])
  })

  test('later, a key may be given again, and then counts from there', () => {
    const chain = new RecordChain('control')
    const state = fold(idempotency, [change(chain, 'k'), change(chain, 'between', 1), change(chain, 'k', idempotencyMs)])
    expect(answer(state, 'k', 2 * idempotencyMs - 1)?.revision).toBe(3)
    // In the order of the changes, so that the oldest is forgotten first.
    expect([...state.answered.values()].map(({ revision }) => revision)).toEqual([2, 3])
  })

  test('do not end early where a clock was set back', () => {
    const chain = new RecordChain('control')
    const state = fold(idempotency, [change(chain, 'k'), change(chain, 'past', -60_000)])
    expect([answer(state, 'k', -60_000)?.revision, answer(state, 'past', -60_000)?.revision]).toEqual([1, 2])
  })
})

test(`never more than ${idempotencyKeysMax} keys: the oldest go first`, () => {
  const chain = new RecordChain('control')
  let state = idempotency.initial()
  for (let index = 0; index < idempotencyKeysMax + 3; index += 1) state = apply(idempotency, state, change(chain, `k${index}`))
  expect(state.answered.size).toBe(idempotencyKeysMax)
  expect([answer(state, 'k2'), answer(state, 'k3')?.revision]).toEqual([null, 4])
})

test('after any history: of each key the last effective change that came with it', () => {
  fc.assert(
    fc.property(movesOf('control'), (moves) => {
      const records = recordsOf('control', moves)
      const effective = records.filter((_, index) => moves[index]!.late === 0)
      const expected = new Map<string, number>()
      for (const [index, { event }] of effective.entries()) {
        const { idempotency: given } = event.data as { idempotency: { key: string } | null }
        if (given !== null) expected.set(given.key, index + 1)
      }
      const state = fold(idempotency, records.map(recorded))
      for (const key of ['k1', 'k2']) expect(answer(state, key)?.revision).toBe(expected.get(key))
    }),
    { numRuns: 200 },
  )
})
