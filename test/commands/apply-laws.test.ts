import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Backend, Pool, Routing } from '../../projections/routing.ts'
import { changesTo, changesToBackend, targetsOf, type DeclaredPool } from '../../src/commands/apply-targets.ts'
import { decideAddBackend, decideChangeBackend, decideDrainBackend } from '../../src/commands/backend.ts'
import { decideChangePool } from '../../src/commands/change-pool.ts'
import { decideCreatePool } from '../../src/commands/create-pool.ts'
import { rehearse } from '../../src/commands/rehearsal.ts'
import type { Decision } from '../../src/commands/decision.ts'
import { given, recorded, rules, stamp } from './decide.ts'
import { declares, file, nodeRequest, played } from './play.ts'
import { pool as wished } from './wishes.ts'

/** What holds of every declaration on every configuration, over a small world in which both often want the same. */

const names = ['n1.example', 'n2.example', 'n3.example', '*.w.example', '**.w.example']
const listens = ['[::]:9001', '127.0.0.1:9001', '[::]:9002']
const hosts = ['x', 'y', 'z']
const otherFile = '/etc/other.yaml'

const whom = (pools: readonly string[]) => fc.constantFrom<string | null>(null, ...pools)
const backend = fc.record({ url: fc.constantFrom(...hosts.map((host) => `https://${host}`)), weight: fc.integer({ min: 1, max: 3 }) }, { requiredKeys: ['url'] })

/** Within itself without a conflict: every claim is given to one pool, or to none. */
function declaration(pools: readonly string[]): fc.Arbitrary<DeclaredPool[]> {
  const claims = fc.record({
    names: fc.tuple(...names.map(() => whom(pools))),
    wildListen: fc.boolean(),
    listens: fc.tuple(...listens.map(() => whom(pools))),
    defaultRoute: whom(pools),
  })
  const plain = fc.record(
    {
      algorithm: fc.constantFrom('least_connections' as const, 'random' as const),
      backends: fc.uniqueArray(backend, { selector: ({ url }) => url, maxLength: 3 }),
      business_need: fc.constantFrom(null, 'cards'),
      drain_timeout: fc.constantFrom(null, 5),
      health_check_interval: fc.constantFrom(500, 10_000),
      min_tls_version: fc.constantFrom(null, 'TLSv1.2' as const, 'TLSv1.3' as const),
      owner: fc.constantFrom(null, 'ada'),
      reject_ech: fc.boolean(),
    },
    { requiredKeys: [] },
  )
  const declaredClaims = fc.record({ default_route: fc.boolean(), listen: fc.boolean(), server_names: fc.boolean() })
  const some = fc.subarray([...pools])
  return fc.tuple(some, claims, fc.array(fc.tuple(plain, declaredClaims), { minLength: pools.length, maxLength: pools.length })).map(
    ([chosen, { defaultRoute, listens: givenListens, names: givenNames, wildListen }, fields]) => {
      // Two of the addresses collide.
      const usable = listens.map((listen, index) => (index < 2 && (index === 0) !== wildListen ? null : { listen, pool: givenListens[index] }))
      return chosen.map((name, index) => {
        const [rest, says] = fields[index]!
        return {
          name, ...rest,
          ...(says.server_names ? { server_names: names.filter((_, at) => givenNames[at] === name) } : {}),
          ...(says.listen ? { listen: usable.find((one) => one?.pool === name)?.listen ?? null } : {}),
          ...(says.default_route ? { default_route: defaultRoute === name } : {}),
        }
      })
    },
  )
}

type Move = (state: Routing) => Routing

const pool = fc.constantFrom('a', 'b', 'c', 'd', 'e')
const host = fc.constantFrom(...hosts)
/** What is refused did not happen. */
const after = (state: Routing, decision: Decision): Routing => ('record' in decision ? recorded(state, decision.record) : state)

const move: fc.Arbitrary<Move> = fc.oneof(
  fc.record({ pool, serverNames: fc.subarray(names), listen: fc.constantFrom(null, ...listens), host }).map(
    (made): Move => (state) => after(state, given(state).when(decideCreatePool, {
      ...wished(made.pool), algorithm: 'round_robin', backends: [{ declaration: null, url: `https://${made.host}`, weight: 9 }],
      drainTimeoutMs: 7, healthCheckIntervalMs: 700, listen: made.listen, owner: 'api', serverNames: made.serverNames,
    })),
  ),
  fc.record({ pool, owner: fc.constantFrom('api', 'bob'), serverNames: fc.subarray(names) }).map(
    ({ pool: name, ...set }): Move => (state) => after(state, given(state).when(decideChangePool, { name, set })),
  ),
  fc.record({ pool, host }).map((at): Move => (state) => after(state, given(state).when(decideAddBackend, { declaration: null, pool: at.pool, url: `https://${at.host}`, weight: 9 }))),
  fc.record({ pool, host }).map((at): Move => (state) => after(state, given(state).when(decideChangeBackend, { pool: at.pool, id: `${at.host}:443`, set: { weight: 8 } }))),
  fc.record({ pool, host }).map((at): Move => (state) => after(state, given(state).when(decideDrainBackend, { pool: at.pool, id: `${at.host}:443`, force: false }))),
  declaration(['a', 'b', 'c', 'd']).map((pools): Move => (state) => applied(state, file, pools)),
  declaration(['d', 'e']).map((pools): Move => (state) => applied(state, otherFile, pools)),
)

function possible(state: Routing, of: string, pools: readonly DeclaredPool[]): boolean {
  return rehearse(state, { ...declares(pools), file: of }, { ...nodeRequest, file: of, ...stamp }, rules).kind === 'possible'
}

function applied(state: Routing, of: string, pools: readonly DeclaredPool[]): Routing {
  return possible(state, of, pools) ? played(state, { ...declares(pools), file: of }).state : state
}

const world = fc.record({ moves: fc.array(move, { maxLength: 12 }), pools: declaration(['a', 'b', 'c', 'd']) })

function stateOf(moves: readonly Move[]): Routing {
  return moves.reduce((state, one) => one(state), given().state)
}

/** Without what every change of a pool or its backends moves. */
function itself({ backends, ...rest }: Pool): object {
  return { ...rest, backends: [...backends.values()], revision: null }
}

test('what is possible in rehearsal is possible on record, and the second time there is nothing to do', () => {
  let many = 0
  fc.assert(
    fc.property(world, ({ moves, pools }) => {
      const before = stateOf(moves)
      if (!possible(before, file, pools)) return
      many += 1
      const { state } = played(before, declares(pools))
      expect(played(state, declares(pools)).records).toEqual([])
    }),
    { numRuns: 600 },
  )
  // Most of the worlds say something.
  expect(many).toBeGreaterThan(150)
})

test('declared fields are as declared, and what the file owned and no longer declares is gone', () => {
  fc.assert(
    fc.property(world, ({ moves, pools }) => {
      const before = stateOf(moves)
      if (!possible(before, file, pools)) return
      const { state } = played(before, declares(pools))
      const read = targetsOf(pools, file)
      if (!('targets' in read)) throw new Error('refused')
      for (const target of read.targets) {
        const now = state.pools.get(target.name)!
        expect(now).toMatchObject(changesTo(now, target))
        for (const one of target.backends ?? []) expect(now.backends.get(one.id)).toMatchObject(changesToBackend(now.backends.get(one.id)!, one))
      }
      const owned = (declaring: Pick<Backend | Pool, 'declaration'>) => declaring.declaration?.file === file
      expect([...state.pools.values()].filter(owned).map(({ name }) => name).toSorted()).toEqual(pools.map(({ name }) => name).toSorted())
      for (const { backends, name } of state.pools.values()) {
        const target = read.targets.find((one) => one.name === name)
        const declared = (target?.backends ?? []).map(({ id }) => id)
        expect([...backends.values()].filter(owned).map(({ id }) => id).toSorted()).toEqual(declared.toSorted())
      }
    }),
    { numRuns: 600 },
  )
})

test('what belongs to the API or to another file is as it was', () => {
  fc.assert(
    fc.property(world, ({ moves, pools }) => {
      const before = stateOf(moves)
      if (!possible(before, file, pools)) return
      const { state } = played(before, declares(pools))
      for (const was of before.pools.values()) {
        const declared = pools.find(({ name }) => name === was.name)
        const now = state.pools.get(was.name)
        if (was.declaration?.file === file && declared === undefined) continue
        if (declared === undefined) expect(itself(now!)).toEqual(itself(was))
        for (const backend of was.backends.values()) {
          const named = declared?.backends?.some(({ url }) => `${url.slice('https://'.length)}:443` === backend.id) ?? false
          if (backend.declaration?.file !== file && !named) expect(now!.backends.get(backend.id)).toEqual(backend)
        }
        if (declared?.owner === undefined && !(was.declaration?.file === file && was.declaration.fields.includes('owner'))) expect(now!.owner).toBe(was.owner)
      }
    }),
    { numRuns: 600 },
  )
})

test('a crash after any record: applying the file again ends where it would have ended', () => {
  fc.assert(
    fc.property(world, fc.nat(), ({ moves, pools }, cut) => {
      const before = stateOf(moves)
      const request = { ...nodeRequest, ...stamp }
      const rehearsal = rehearse(before, declares(pools), request, rules)
      if (rehearsal.kind !== 'possible') return
      const half = rehearsal.steps.slice(0, cut % (rehearsal.steps.length + 1)).reduce((state, step) => after(state, step.decide(state, request, rules)), before)
      const [whole, finished] = [played(before, declares(pools)).state, played(half, declares(pools)).state]
      const shown = (state: Routing) => [...state.pools.values()].map(itself).toSorted((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1))
      expect(shown(finished)).toEqual(shown(whole))
      expect(finished.declarations.get(file)?.digest).toBe(declares(pools).digest)
    }),
    { numRuns: 600 },
  )
})

test('where nobody else claims anything, a file that fits itself is never refused, whatever it said before', () => {
  const pools = declaration(['a', 'b', 'c', 'd'])
  fc.assert(
    fc.property(fc.array(pools, { maxLength: 3 }), pools, (history, last) => {
      const before = history.reduce((state, one) => played(state, declares(one)).state, given().state)
      expect(rehearse(before, declares(last), { ...nodeRequest, ...stamp }, rules)).toMatchObject({ kind: 'possible' })
    }),
    { numRuns: 1_000 },
  )
})
