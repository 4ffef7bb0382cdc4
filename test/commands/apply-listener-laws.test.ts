import fc from 'fast-check'
import { expect, test } from 'vitest'
import { listenerCases, type ListenerAnswer, type ListenerCase } from '../../events/values.ts'
import { hasListener } from '../../projections/listeners.ts'
import type { Routing } from '../../projections/routing.ts'
import type { DeclaredListeners } from '../../src/commands/apply-listeners.ts'
import type { DeclaredPool } from '../../src/commands/apply-targets.ts'
import { decideChangeListener } from '../../src/commands/change-listener.ts'
import { rehearse } from '../../src/commands/rehearsal.ts'
import { given, recorded, rules, stamp } from './decide.ts'
import { declares, nodeRequest, played } from './play.ts'

/** Laws of declaration files with listeners, over random pairs of files: every step is accepted, and the end is what the file says. */

interface Content {
  readonly pools: readonly DeclaredPool[]
  readonly listeners: DeclaredListeners
}

const names = ['a', 'b', 'c'] as const
const listens = [9_001, 9_002, 9_003]

const anAnswer: fc.Arbitrary<ListenerAnswer> = fc.oneof(fc.constantFrom(null, 'refuse' as const), fc.record({ pool: fc.constantFrom(...names) }))
const someAnswers = fc.dictionary(fc.constantFrom(...listenerCases), anAnswer, { maxKeys: 3 })

/** Within itself without a conflict: it names pools that it has, and for plaintext such as take it. */
const content: fc.Arbitrary<Content> = fc
  .record({
    chosen: fc.subarray([...names]),
    plaintext: fc.subarray([...names]),
    ports: fc.shuffledSubarray(listens, { minLength: 3 }),
    listening: fc.subarray([...names]),
    said: fc.record({ shared: someAnswers, 'pools/a': someAnswers, 'pools/b': someAnswers, 'pools/c': someAnswers }, { requiredKeys: [] }),
  })
  .map(({ chosen, listening, plaintext, ports, said }) => {
    const pools = chosen.map((name) => ({
      name,
      ...(plaintext.includes(name) ? { allow_plaintext: true, business_need: 'terminals' } : {}),
      ...(listening.includes(name) ? { listen: ports[names.indexOf(name)]! } : {}),
    }))
    const usable = (what: ListenerCase, answer: ListenerAnswer): boolean =>
      typeof answer !== 'object' || answer === null ||
      pools.some(({ allow_plaintext: plain, name }) => name === answer.pool && (what !== 'not_tls' || plain))
    const listeners = Object.entries(said)
      .filter(([listener]) => listener === 'shared' || pools.some(({ listen, name }) => listener === `pools/${name}` && listen !== undefined))
      .map(([listener, answers]) => [listener, Object.fromEntries(Object.entries(answers).filter(([what, answer]) => usable(what as ListenerCase, answer)))])
    return { pools, listeners: Object.fromEntries(listeners) as DeclaredListeners }
  })

const apply = (state: Routing, { listeners, pools }: Content): Routing => played(state, declares(pools, [], listeners)).state
const answersOf = (state: Routing, listener: string) => state.listeners.get(listener)?.answers ?? {}
/** Null is the default, which is not set. */
const setIn = (answers: object) => Object.fromEntries(Object.entries(answers).filter(([, answer]) => answer !== null))

test('whatever a file said before, the next is never refused, and then all is as it says', () => {
  fc.assert(
    fc.property(fc.array(content, { maxLength: 3 }), content, (history, last) => {
      const state = apply(history.reduce(apply, given().state), last)
      expect([...state.pools.keys()].toSorted()).toEqual(last.pools.map(({ name }) => name).toSorted())
      for (const { allow_plaintext: plain = false, listen, name } of last.pools) {
        expect(state.pools.get(name)).toMatchObject({ allowPlaintext: plain, listen: listen === undefined ? null : `[::]:${listen}` })
      }
      for (const listener of ['shared', ...names.map((name) => `pools/${name}`)]) {
        expect(answersOf(state, listener)).toEqual(setIn(last.listeners[listener] ?? {}))
      }
      expect(played(state, declares(last.pools, [], last.listeners)).records).toEqual([])
    }),
    { numRuns: 1_500 },
  )
})

/** A change by the API; what is refused did not happen. */
const change = fc.record({ listener: fc.constantFrom('shared', ...names.map((name) => `pools/${name}`)), set: someAnswers })
type Change = typeof change extends fc.Arbitrary<infer Made> ? Made : never

function changed(state: Routing, command: Change): Routing {
  const decision = given(state).when(decideChangeListener, command)
  return 'record' in decision ? recorded(state, decision.record) : state
}

const possible = (state: Routing, { listeners, pools }: Content) =>
  rehearse(state, declares(pools, [], listeners), { ...nodeRequest, ...stamp }, rules)

test('what the API has set and the file does not declare stays, for as long as there is the listener', () => {
  let many = 0
  fc.assert(
    fc.property(content, fc.array(change, { maxLength: 4 }), content, (first, changes, last) => {
      const before = changes.reduce(changed, apply(given().state, first))
      if (possible(before, last).kind === 'refused') return
      const state = apply(before, last)
      for (const [listener, policy] of before.listeners) {
        if (!hasListener(state, listener)) continue
        for (const [what, answer] of Object.entries(policy.answers)) {
          const declared = [first, last].some(({ listeners }) => listeners[listener]?.[what as ListenerCase] !== undefined)
          if (declared) continue
          many += 1
          expect(answersOf(state, listener)).toMatchObject({ [what]: answer })
        }
      }
    }),
    { numRuns: 1_500 },
  )
  // Enough of them to have said something.
  expect(many).toBeGreaterThan(50)
})

test('a crash after any record: applying the file again ends where it would have ended', () => {
  fc.assert(
    fc.property(content, content, fc.nat(), (first, last, cut) => {
      const before = apply(given().state, first)
      const rehearsal = possible(before, last)
      if (rehearsal.kind === 'refused') throw new Error('refused')
      let half = before
      for (const step of rehearsal.steps.slice(0, cut % (rehearsal.steps.length + 1))) {
        const decision = step.decide(half, { ...nodeRequest, ...stamp }, rules)
        if ('record' in decision) half = recorded(half, decision.record)
      }
      const shown = ({ listeners, pools }: Routing) => [
        [...pools.values()].map(({ name, listen, allowPlaintext }) => `${name} ${listen} ${allowPlaintext}`).toSorted(),
        [...listeners].filter(([, policy]) => policy.declaration !== null).map(([listener, { answers }]) => `${listener} ${JSON.stringify(answers)}`).toSorted(),
      ]
      expect(shown(apply(half, last))).toEqual(shown(apply(before, last)))
    }),
    { numRuns: 600 },
  )
})
