import fc from 'fast-check'
import { expect, test } from 'vitest'
import { routing, type Routing } from '../../projections/routing.ts'
import { claimedNames, holderOf, namesOf, poolOfName, type ServerNames } from '../../projections/server-names.ts'
import { decideCreatePool } from '../../src/commands/create-pool.ts'
import { given } from '../commands/decide.ts'
import { named } from '../commands/wishes.ts'

/** Exact, `*` and `**` names: the longest wins, whoever came first. */

const labels = ['a', 'b', 'c']
const name = fc.array(fc.constantFrom(...labels), { minLength: 1, maxLength: 5 }).map((parts) => parts.join('.'))
const pattern = fc.tuple(fc.constantFrom('', '*.', '**.'), name).map(([stars, rest]) => `${stars}${rest}`)

interface Claimant {
  readonly name: string
  readonly serverNames: readonly string[]
}

/** Pools of which no two claim one name, as the rules have it. */
const pools: fc.Arbitrary<Claimant[]> = fc.uniqueArray(pattern, { minLength: 1, maxLength: 24 }).chain((patterns) =>
  fc.array(fc.nat(5), { minLength: patterns.length, maxLength: patterns.length }).map((owners) => {
    const claims = new Map<string, string[]>()
    for (const [index, each] of patterns.entries()) {
      const owner = `pool-${owners[index]}`
      claims.set(owner, [...(claims.get(owner) ?? []), each])
    }
    return [...claims].map(([owner, serverNames]) => ({ name: owner, serverNames }))
  }),
)

const twoOrders = pools.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length })))

/** As the manual says it, without any table: of all patterns that match, exact first, then the longest, then the narrower. */
function oracle(all: readonly Claimant[], wanted: string): string | null {
  const matching = all.flatMap((pool) => pool.serverNames.filter((each) => matches(each, wanted)).map((each) => ({ each, pool: pool.name })))
  const [best] = matching.toSorted((one, other) => rank(other.each) - rank(one.each))
  return best?.pool ?? null
}

function matches(each: string, wanted: string): boolean {
  const stars = /^\**/.exec(each)![0].length
  const some = ['', '[^.]+', '[^.]+(?:[.][^.]+)*'][stars]!
  return new RegExp(`^${some}${each.slice(stars).replaceAll('.', '[.]')}$`).test(wanted)
}

function rank(each: string): number {
  const stars = /^\**/.exec(each)![0].length
  return stars === 0 ? 1_000_000 : 10 * (each.length - stars) + (stars === 1 ? 1 : 0)
}

function after(all: readonly Claimant[]): Routing {
  let history = given(routing.initial())
  for (const { name: owner, serverNames } of all) history = history.and(decideCreatePool, named(owner, { serverNames }))
  return history.state
}

test('a name leads to the same pool in whatever order the pools were made, and to the one that reading them all would find', () => {
  const seen = { found: 0, none: 0 }
  fc.assert(
    fc.property(twoOrders, fc.array(name, { minLength: 1, maxLength: 20 }), ([one, other], wanted) => {
      const [first, second] = [after(one), after(other)]
      for (const each of wanted) {
        const expected = oracle(one, each)
        seen[expected === null ? 'none' : 'found'] += 1
        expect(poolOfName(first, each), each).toBe(expected)
        expect(poolOfName(second, each), each).toBe(expected)
      }
    }),
    { numRuns: 500 },
  )
  expect(seen.found).toBeGreaterThan(500)
  expect(seen.none).toBeGreaterThan(500)
})

test('what is claimed is told with its holder, pattern by pattern', () => {
  fc.assert(
    fc.property(pools, (all) => {
      const names: ServerNames = namesOf(all)
      const claimed = all.flatMap((pool) => pool.serverNames.map((each) => [each, pool.name] as const))
      expect(new Map(claimedNames(names))).toEqual(new Map(claimed))
      for (const [each, holder] of claimed) expect(holderOf(names, each)).toBe(holder)
    }),
  )
})

const examples = namesOf([
  { name: 'exact', serverNames: ['app.example.com', '10.0.0.1'] },
  { name: 'one', serverNames: ['*.example.com', '*.0.0.1'] },
  { name: 'any', serverNames: ['**.example.com', '**.com'] },
])

test.each([
  ['app.example.com', 'exact'],
  ['other.example.com', 'one'],
  ['a.b.example.com', 'any'],
  ['a.b.c.d.example.com', 'any'],
  ['example.com', 'any'],
  ['com', null],
  ['xexample.com', 'any'],
  ['example.org', null],
  ['.example.com', null],
  ['', null],
  ['10.0.0.1', 'exact'],
])('"%s" leads to %s', (wanted, pool) => {
  expect(poolOfName(examples, wanted)).toBe(pool)
})

test('of two that claim one name, as only a log of someone else could have it, the first has it', () => {
  const two = namesOf([{ name: 'first', serverNames: ['**.x'] }, { name: 'second', serverNames: ['**.x'] }])
  expect(holderOf(two, '**.x')).toBe('first')
})
