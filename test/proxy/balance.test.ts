import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BackendState, Lease, type Candidate } from '../../src/proxy/backends.ts'
import { pick } from '../../src/proxy/balance.ts'

const weights = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 6 })
const algorithms = ['least_connections', 'random', 'round_robin'] as const

function candidatesOf(list: readonly number[]): Candidate[] {
  return list.map((weight, index) => {
    const id = `10.0.0.${index}:443`
    const backend = { id, host: `10.0.0.${index}`, port: 443, weight, declaration: null, drainingSince: null, addedAt: '' }
    return { state: new BackendState('app', backend), weight }
  })
}

/** Uniform and the same every time. */
function seeded(seed: number) {
  let state = seed >>> 0
  return {
    fill: () => {},
    float: () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return state / 0x1_0000_0000
    },
  }
}

test('nobody to choose from is null; one is always chosen', () => {
  const [only] = candidatesOf([3])
  for (const algorithm of algorithms) {
    expect(pick(algorithm, [], seeded(1))).toBeNull()
    expect(pick(algorithm, [only!], seeded(1))).toBe(only!.state)
  }
})

test('round robin gives each backend exactly its weight in every turn of all weights', () => {
  fc.assert(
    fc.property(weights, fc.integer({ min: 1, max: 3 }), (list, turns) => {
      const candidates = candidatesOf(list)
      const counts = new Map<string, number>()
      const total = list.reduce((sum, weight) => sum + weight, 0)
      for (let index = 0; index < turns * total; index += 1) {
        const { id } = pick('round_robin', candidates, seeded(1))!
        counts.set(id, (counts.get(id) ?? 0) + 1)
      }
      expect(candidates.map(({ state }) => counts.get(state.id))).toEqual(list.map((weight) => weight * turns))
    }),
  )
})

test('round robin is smooth: weights 5, 1, 1 are not five in a row', () => {
  const candidates = candidatesOf([5, 1, 1])
  const order = Array.from({ length: 7 }, () => {
    const chosen = pick('round_robin', candidates, seeded(1))
    return 'abc'[candidates.findIndex(({ state }) => state === chosen)]
  })
  expect(order.join('')).toBe('aabacaa')
})

test('least connections never lets a backend have more for its weight than another would have with one more', () => {
  fc.assert(
    fc.property(weights, fc.integer(), fc.array(fc.nat(), { maxLength: 120 }), (list, seed, leaving) => {
      const candidates = candidatesOf(list)
      const random = seeded(seed)
      const leases: Lease[] = []
      for (const leaves of leaving) {
        const chosen = pick('least_connections', candidates, random)!
        const load = (chosen.leases + 1) / candidates.find(({ state }) => state === chosen)!.weight
        for (const { state, weight } of candidates) expect(load).toBeLessThanOrEqual((state.leases + 1) / weight)
        leases.push(new Lease(chosen))
        if (leaves % 3 === 0) leases.splice(leaves % leases.length, 1)[0]![Symbol.dispose]()
      }
      for (const lease of leases) {
        lease[Symbol.dispose]()
        lease[Symbol.dispose]()
      }
      expect(candidates.every(({ state }) => state.leases === 0)).toBe(true)
    }),
  )
})

test.each(['random', 'least_connections'] as const)('%s draws by weight when all else is equal', (algorithm) => {
  const candidates = candidatesOf(algorithm === 'random' ? [1, 2, 5] : [1, 1, 1])
  const random = seeded(42)
  const counts = new Map<string, number>()
  for (let index = 0; index < 8_000; index += 1) {
    const { id } = pick(algorithm, candidates, random)!
    counts.set(id, (counts.get(id) ?? 0) + 1)
  }
  const total = candidates.reduce((sum, { weight }) => sum + weight, 0)
  for (const { state, weight } of candidates) {
    expect(Math.abs(counts.get(state.id)! / 8_000 - weight / total)).toBeLessThan(0.02)
  }
})
