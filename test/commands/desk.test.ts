import { describe, expect, test } from 'vitest'
import type { Draft } from '../../events/envelope.ts'
import { decideAddBackend, type AddBackend } from '../../src/commands/backend.ts'
import { commandsWaitingMax } from '../../src/commands/bounds.ts'
import { decideCreatePool, type CreatePool } from '../../src/commands/create-pool.ts'
import { Desk } from '../../src/commands/desk.ts'
import { idMaker } from '../../src/core/ids.ts'
import { decisionAttemptsMax } from '../../src/core/limits.ts'
import { systemClock } from '../../src/core/system/clock.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { Live } from '../../src/live/live.ts'
import { appendTimeoutMs, controlTexts, memory, nodeOn } from '../support/desks.ts'
import { ManualClock, settled } from '../support/manual-clock.ts'
import { request, rules } from './decide.ts'
import { backend, named } from './wishes.ts'

const createPool = (name: string): CreatePool => ({ ...request, ...named(name) })
const addBackend = (pool: string, host: string): AddBackend => ({ ...request, ...backend(pool, host) })

describe('one desk', () => {
  test('answers once its own fold has read the record, with the state right after it', async () => {
    await using log = memory()
    await using node = await nodeOn(log)
    const answer = await node.desk.run(decideCreatePool, createPool('a'))
    expect(answer).toMatchObject({ kind: 'effective', revision: 1, routing: { revision: 1 } })
    if (answer.kind === 'effective') expect(answer.routing.basis).toBe(node.live.routing.basis)
  })

  test('runs commands in the order of the calls, never against itself', async () => {
    await using log = memory()
    await using node = await nodeOn(log)
    const names = Array.from({ length: 20 }, (_, index) => `pool-${index}`)
    const answers = await Promise.all(names.map((name) => node.desk.run(decideCreatePool, createPool(name))))
    expect(answers.map((answer) => answer.kind === 'effective' && answer.revision)).toEqual(names.map((_, index) => index + 1))
    expect(node.live.routing.voided).toBe(0)
  })

  test('leaves no timer behind when it has its answer', async () => {
    const clock = new ManualClock()
    await using log = memory(clock)
    await using node = await nodeOn(log, clock)
    await node.desk.run(decideCreatePool, createPool('first'))
    const { pending } = clock
    for (const name of ['a', 'b', 'c']) await node.desk.run(decideCreatePool, createPool(name))
    expect(clock.pending).toBe(pending)
    // What is left is the log's own one timer for deadlines.
    expect(pending).toBeLessThanOrEqual(1)
  })

  test('a refusal writes nothing', async () => {
    await using log = memory()
    await using node = await nodeOn(log)
    const answer = await node.desk.run(decideAddBackend, addBackend('nowhere', 'x'))
    expect(answer).toMatchObject({ kind: 'refused', refusal: { code: 'pool_unknown' } })
    expect(log.head('control')).toBeNull()
  })

  test('a decision that changes nothing writes nothing', async () => {
    await using log = memory()
    await using node = await nodeOn(log)
    const answer = await node.desk.run(() => ({ unchanged: true }), createPool('a'))
    expect(answer).toMatchObject({ kind: 'unchanged', routing: { revision: 0 } })
    expect(log.head('control')).toBeNull()
  })

  test('more commands than may wait are turned away at once', async () => {
    await using log = memory()
    await using node = await nodeOn(log)
    const gate = log.stallCommits('control')
    const runs = Array.from({ length: commandsWaitingMax }, (_, index) => node.desk.run(decideCreatePool, createPool(`p-${index}`)))
    expect(await node.desk.run(decideCreatePool, createPool('late'))).toEqual({ kind: 'busy', waiting: commandsWaitingMax })
    gate[Symbol.dispose]()
    await Promise.all(runs)
    await node.desk.idle()
    expect(await node.desk.run(decideCreatePool, createPool('later'))).toMatchObject({ kind: 'effective' })
  })
})

describe('when the log fails', () => {
  test('a record that was not written: not applied; the next command finds the log down', async () => {
    await using log = memory()
    await using node = await nodeOn(log)
    using _broken = log.breakCommits('control', 'not_written', 'ENOSPC')
    expect(await node.desk.run(decideCreatePool, createPool('a'))).toMatchObject({ kind: 'not_applied' })
    expect(await node.desk.run(decideCreatePool, createPool('a'))).toEqual({
      kind: 'not_applied',
      because: expect.stringContaining('ENOSPC'),
    })
    expect(node.live.routing.revision).toBe(0)
  })

  test('a record that was handed over and not confirmed in time: unknown, with its id; it may still take effect', async () => {
    const clock = new ManualClock()
    await using log = memory(clock)
    await using node = await nodeOn(log, clock)
    const gate = log.stallCommits('control')
    const run = node.desk.run(decideCreatePool, createPool('a'))
    await clock.run(appendTimeoutMs)
    const answer = await run
    gate[Symbol.dispose]()
    await settled()
    expect(answer.kind).toBe('outcome_unknown')
    const [text] = await controlTexts(log)
    if (answer.kind === 'outcome_unknown') expect(text).toContain(answer.id)
    expect(node.live.routing.pools.has('a')).toBe(true)
  })

  test('a durable record that is not read back in time: unknown', async () => {
    const clock = new ManualClock()
    await using log = memory(clock)
    // Nobody follows, as when the follower is stuck.
    const live = new Live(log, () => {})
    const desk = new Desk({ live, log, clock, makeId: idMaker(clock, systemRandom), rules, appendTimeoutMs })
    const run = desk.run(decideCreatePool, createPool('a'))
    await clock.run(appendTimeoutMs)
    expect(await run).toMatchObject({ kind: 'outcome_unknown' })
    expect(log.head('control')).not.toBeNull()
    expect(clock.pending).toBe(0)
  })

  test('a node that no longer follows the configuration decides nothing', async () => {
    await using log = memory()
    await using node = await nodeOn(log)
    await log.append('control', [alien], { purpose: 'owed' })
    await settled()
    expect(await node.desk.run(decideCreatePool, createPool('a'))).toEqual({
      kind: 'frozen',
      because: expect.stringContaining('unknown_type'),
    })
  })
})

describe('when the clock is off', () => {
  test('what would be recorded is refused; what needs no record is answered as ever', async () => {
    await using log = memory()
    await using node = await nodeOn(log)
    const because = 'The clock is off.'
    const parts = { live: node.live, log, clock: systemClock, makeId: idMaker(systemClock, systemRandom), rules, appendTimeoutMs }
    const idempotency = { key: 'k', digest: 'x'.repeat(43) + '=' }
    const first = await node.desk.run(decideCreatePool, { ...createPool('a'), idempotency })
    const desk = new Desk({ ...parts, clockOff: () => because })
    expect(await desk.run(decideCreatePool, createPool('b'))).toEqual({ kind: 'clock_off', because })
    expect(await desk.run(decideCreatePool, createPool('a'))).toMatchObject({ kind: 'refused' })
    expect(await desk.run(() => ({ unchanged: true }), createPool('b'))).toMatchObject({ kind: 'unchanged' })
    expect(await desk.run(decideCreatePool, { ...createPool('a'), idempotency })).toMatchObject({ kind: 'repeated', first: { revision: 1 } })
    expect(desk.preview(decideCreatePool, createPool('b'))).toMatchObject({ kind: 'would_change' })
    expect(first).toMatchObject({ kind: 'effective' })
    expect(await controlTexts(log)).toHaveLength(1)
  })
})

const alien: Draft = {
  id: '0198c0de-0000-7000-8000-00000000000a', type: 'dev.waybill.pool.imagined.v9', subject: 'pools/a',
  time: '2026-11-24T08:00:00.000Z', partitionkey: 'control', data: {},
}

describe('two desks on one log', () => {
  test('both changes of a race take effect; the loser decides again and its void record stays visible', async () => {
    await using log = memory()
    await using one = await nodeOn(log)
    await using other = await nodeOn(log)
    expect(await one.desk.run(decideCreatePool, createPool('a'))).toMatchObject({ kind: 'effective', revision: 1 })
    await settled()

    const rounds = 20
    for (let round = 0; round < rounds; round += 1) {
      const answers = await Promise.all([
        one.desk.run(decideAddBackend, addBackend('a', `one-${round}`)),
        other.desk.run(decideAddBackend, addBackend('a', `other-${round}`)),
      ])
      expect(answers.map(({ kind }) => kind)).toEqual(['effective', 'effective'])
      await settled()
    }

    const { revision, voided, pools } = one.live.routing
    expect(pools.get('a')?.backends.size).toBe(2 * rounds)
    expect(revision).toBe(1 + 2 * rounds)
    expect(voided).toBe(rounds)
    expect(other.live.routing).toEqual(one.live.routing)
    await using fresh = await nodeOn(log)
    expect(fresh.live.routing).toEqual(one.live.routing)

    const stored = (await controlTexts(log)).map((text) => JSON.parse(text) as { revision: number })
    expect(stored).toHaveLength(revision + voided)
    const seen = new Set(stored.map((record) => record.revision))
    expect([...seen].sort((a, b) => a - b)).toEqual(Array.from({ length: revision }, (_, index) => index + 1))
  })

  test('of two that want the same name one is told by whom it was taken', async () => {
    await using log = memory()
    await using one = await nodeOn(log)
    await using other = await nodeOn(log)
    const answers = await Promise.all([
      one.desk.run(decideCreatePool, createPool('same')),
      other.desk.run(decideCreatePool, createPool('same')),
    ])
    expect(answers.map(({ kind }) => kind).sort()).toEqual(['effective', 'refused'])
    expect(answers).toContainEqual({ kind: 'refused', refusal: expect.objectContaining({ code: 'pool_exists' }) })
  })

  test('a command that loses every race ends', async () => {
    await using log = memory()
    await using victim = await nodeOn(log)
    const rival = idMaker(systemClock, systemRandom)
    let races = 0
    const answer = await victim.desk.run((state, command, byRules) => {
      races += 1
      const decision = decideCreatePool(state, { ...createPool(`rival-${races}`), recordId: rival(), time: command.time }, byRules)
      if ('record' in decision) {
        const draft = { ...decision.record, revision: state.revision + 1, basis: state.basis }
        void log.append('control', [draft], { purpose: 'admission' })
      }
      return decideCreatePool(state, command, byRules)
    }, createPool('victim'))
    expect(answer).toEqual({ kind: 'conflict_retry_exhausted', attempts: decisionAttemptsMax })
    expect(victim.live.routing).toMatchObject({ revision: decisionAttemptsMax, voided: decisionAttemptsMax })
  })
})
