import { describe, expect, test } from 'vitest'
import { idempotencyMs } from '../../projections/idempotency.ts'
import { decideAddBackend, decideDrainBackend, decideRemoveBackend } from '../../src/commands/backend.ts'
import { decideCreatePool, type CreatePool } from '../../src/commands/create-pool.ts'
import type { Request } from '../../src/commands/decision.ts'
import { controlTexts, memory, nodeOn } from '../support/desks.ts'
import { ManualClock, settled } from '../support/manual-clock.ts'
import { request } from './decide.ts'
import { appBackend, backend, named, refusal } from './wishes.ts'

/** DESIGN.md 4: a repeat of an effective command with the same Idempotency-Key gets the first answer for 24 hours. */

const digest = (letter: string) => `${letter.repeat(43)}=`
const keyed = (key: string, letter = 'x'): Pick<Request, 'idempotency'> => ({ idempotency: { digest: digest(letter), key } })
const createPool = (name: string, more: Partial<Request> = {}): CreatePool => ({ ...request, ...named(name), ...more })
const somebodyElse: Partial<Request> = { actor: { authn: 'none', id: 'socket', type: 'local' } }

describe('a repeat', () => {
  test('gets the revision of the first answer, writes nothing, and is told from what happened since', async () => {
    await using log = memory()
    await using node = await nodeOn(log)
    const first = await node.desk.run(decideCreatePool, createPool('a', keyed('k')))
    await node.desk.run(decideCreatePool, createPool('b'))
    const id = first.kind === 'effective' ? first.id : ''
    const repeat = await node.desk.run(decideCreatePool, createPool('a', keyed('k')))
    expect(repeat).toMatchObject({ kind: 'repeated', first: { digest: digest('x'), id, revision: 1, type: 'dev.waybill.pool.created.v1' } })
    expect(await controlTexts(log)).toHaveLength(2)
  })

  test('at the same time waits for the first one: one record, one answer each', async () => {
    await using log = memory()
    await using node = await nodeOn(log)
    const answers = await Promise.all([1, 2, 3].map(() => node.desk.run(decideCreatePool, createPool('a', keyed('k')))))
    expect(answers.map(({ kind }) => kind)).toEqual(['effective', 'repeated', 'repeated'])
    expect(await controlTexts(log)).toHaveLength(1)
  })

  test('on another node at the same time: one takes effect, the other is void and then a repeat', async () => {
    await using log = memory()
    await using one = await nodeOn(log)
    await using other = await nodeOn(log)
    const answers = await Promise.all([one, other].map(({ desk }) => desk.run(decideCreatePool, createPool('a', keyed('k')))))
    expect(answers.map(({ kind }) => kind).toSorted()).toEqual(['effective', 'repeated'])
    await settled()
    expect(one.live.routing).toMatchObject({ revision: 1, voided: 1 })
  })

  test('is known to a node that started later', async () => {
    await using log = memory()
    await using node = await nodeOn(log)
    await node.desk.run(decideCreatePool, createPool('a', keyed('k')))
    await using fresh = await nodeOn(log)
    expect(await fresh.desk.run(decideCreatePool, createPool('a', keyed('k')))).toMatchObject({ kind: 'repeated', first: { revision: 1 } })
  })

  test('of a request whose object is gone by now is a repeat all the same', async () => {
    await using log = memory()
    await using node = await nodeOn(log)
    await node.desk.run(decideCreatePool, createPool('app'))
    await node.desk.run(decideAddBackend, { ...request, ...backend('app', 'a'), ...keyed('add') })
    await node.desk.run(decideDrainBackend, { ...request, ...appBackend, force: false, ...keyed('drain') })
    await node.desk.run(decideRemoveBackend, { ...request, ...appBackend, force: true, ...keyed('remove') })
    const again = await Promise.all([
      node.desk.run(decideAddBackend, { ...request, ...backend('app', 'a'), ...keyed('add') }),
      node.desk.run(decideDrainBackend, { ...request, ...appBackend, force: false, ...keyed('drain') }),
      node.desk.run(decideRemoveBackend, { ...request, ...appBackend, force: true, ...keyed('remove') }),
    ])
    expect(again.map((answer) => answer.kind === 'repeated' && answer.first.revision)).toEqual([2, 3, 4])
    expect(await controlTexts(log)).toHaveLength(4)
  })
})

describe('the same key', () => {
  test('with another request is refused, and the first one is named', async () => {
    await using log = memory()
    await using node = await nodeOn(log)
    const first = await node.desk.run(decideCreatePool, createPool('a', keyed('k', 'x')))
    const other = await node.desk.run(decideCreatePool, createPool('b', keyed('k', 'y')))
    expect(other).toEqual({ kind: 'refused', ...refusal('idempotency_key_reused') })
    expect(other).toMatchObject({ refusal: { extra: { revision: 1, record_id: first.kind === 'effective' && first.id } } })
    expect(await controlTexts(log)).toHaveLength(1)
  })

  test('of another actor is another key', async () => {
    await using log = memory()
    await using node = await nodeOn(log)
    await node.desk.run(decideCreatePool, createPool('a', keyed('k', 'x')))
    expect(await node.desk.run(decideCreatePool, createPool('b', { ...keyed('k', 'y'), ...somebodyElse }))).toMatchObject({ kind: 'effective' })
  })

  test('of an actor whose name runs into the key is not taken for it', async () => {
    await using log = memory()
    await using node = await nodeOn(log)
    const by = (id: string): Partial<Request> => ({ actor: { authn: 'none', id, type: 'local' } })
    await node.desk.run(decideCreatePool, createPool('a', { ...keyed('c'), ...by('a b') }))
    expect(await node.desk.run(decideCreatePool, createPool('b', { ...keyed('b c'), ...by('a') }))).toMatchObject({ kind: 'effective' })
  })

  test('is free again after what took no effect', async () => {
    await using log = memory()
    await using node = await nodeOn(log)
    await node.desk.run(decideCreatePool, createPool('a'))
    expect(await node.desk.run(decideCreatePool, createPool('a', keyed('k')))).toMatchObject({ kind: 'refused' })
    expect(await node.desk.run(decideCreatePool, createPool('b', keyed('k', 'y')))).toMatchObject({ kind: 'effective' })
  })

  test('is decided anew after 24 hours, to the millisecond', async () => {
    const clock = new ManualClock()
    await using log = memory(clock)
    await using node = await nodeOn(log, clock)
    await node.desk.run(decideCreatePool, createPool('a', keyed('k')))
    await clock.run(idempotencyMs - 1)
    expect(await node.desk.run(decideCreatePool, createPool('a', keyed('k')))).toMatchObject({ kind: 'repeated' })
    await clock.run(1)
    expect(await node.desk.run(decideCreatePool, createPool('a', keyed('k')))).toEqual({ kind: 'refused', ...refusal('pool_exists') })
    expect(await node.desk.run(decideCreatePool, createPool('b', keyed('k', 'y')))).toMatchObject({ kind: 'effective', revision: 2 })
    expect(await node.desk.run(decideCreatePool, createPool('b', keyed('k', 'y')))).toMatchObject({ kind: 'repeated', first: { revision: 2 } })
  })

  test('does not matter when none is given', async () => {
    await using log = memory()
    await using node = await nodeOn(log)
    await node.desk.run(decideCreatePool, createPool('a'))
    expect(await node.desk.run(decideCreatePool, createPool('a'))).toMatchObject({ kind: 'refused' })
  })
})

test('a first answer that nobody knows: the repeat is answered by the record once it is there', async () => {
  const clock = new ManualClock()
  await using log = memory(clock)
  await using node = await nodeOn(log, clock)
  const gate = log.stallCommits('control')
  const run = node.desk.run(decideCreatePool, createPool('a', keyed('k')))
  await clock.run(10_000)
  const first = await run
  expect(first.kind).toBe('outcome_unknown')
  gate[Symbol.dispose]()
  await settled()
  const repeat = await node.desk.run(decideCreatePool, createPool('a', keyed('k')))
  expect(repeat).toMatchObject({ kind: 'repeated', first: { id: first.kind === 'outcome_unknown' && first.id, revision: 1 } })
  expect(await controlTexts(log)).toHaveLength(1)
})
