import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Algorithm } from '../../events/values.ts'
import type { Random } from '../../src/core/random.ts'
import { BackendState } from '../../src/proxy/backends.ts'
import { pick } from '../../src/proxy/balance.ts'

/** docs/algorithms.md: its examples are what the code does. */

const page = readFileSync(new URL('../../docs/algorithms.md', import.meta.url), 'utf8')

function example(algorithm: Algorithm): string {
  const found = new RegExp(`<!-- example: ${algorithm} -->\\n\`\`\`text\\n(.*)\\n\`\`\``).exec(page)
  return found?.[1] ?? 'not in the page'
}

/** mulberry32: the same numbers in every run. */
function seeded(seed: number): Random {
  let state = seed
  return {
    fill: () => {},
    float: () => {
      state = (state + 0x6d2b79f5) | 0
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
    },
  }
}

/** Connections that never end, in the order in which they were given. */
function given(algorithm: Algorithm, weights: readonly number[], connections: number): string[] {
  const random = seeded(1)
  const candidates = weights.map((weight, index) => {
    const id = String.fromCharCode(0x61 + index)
    const backend = { addedAt: '', declaration: null, drainingSince: null, host: id, id, port: 1, weight }
    return { state: new BackendState('pool', backend), weight }
  })
  return Array.from({ length: connections }, () => {
    const chosen = pick(algorithm, candidates, random)!
    chosen.leases += 1
    return chosen.id
  })
}

function counts(ids: readonly string[]): string {
  const totals = new Map<string, number>()
  for (const id of ids.toSorted()) totals.set(id, (totals.get(id) ?? 0) + 1)
  return [...totals].map(([id, count]) => `${id} ${count}`).join(', ')
}

test('round_robin', () => expect(given('round_robin', [5, 1, 1], 7).join(' ')).toBe(example('round_robin')))
test('least_connections', () => expect(counts(given('least_connections', [3, 1], 10))).toBe(example('least_connections')))
test('random', () => expect(counts(given('random', [2, 1, 1], 10_000))).toBe(example('random')))
