import { expect, test } from 'vitest'
import { compare, missingPackages } from './differential.ts'
import { refused } from './hellos.ts'
import { verdictOf } from './table.ts'

/** A small `npm run differential`: the same hellos through nginx, HAProxy and Waybill, on this machine's own. */

const missing = missingPackages()

test('fresh hellos go where their clients asked for, and damaged ones nowhere', { timeout: 120_000 }, async (context) => {
  if (missing.length > 0) context.skip(`not installed: apt-get install ${missing.join(' ')}`)
  const { outcomes, faults } = await compare({ seed: 20_261_124, hellos: 10, say: () => {} })
  expect(faults).toEqual([])
  expect(new Set(outcomes.map(({ case: { group } }) => group)).size).toBe(8)
  // What no proxy gets wrong shows that all three are set up as they should be, and that damage is seen as such.
  const asSent = outcomes.filter(({ case: { group, what } }) => group === 'real clients' && what === 'as sent')
  expect(asSent.map(({ case: one, places }) => places.map((place) => verdictOf(one, place, true)))).toEqual(asSent.map(() => ['right', 'right', 'right']))
  expect(outcomes.filter(({ case: { expected }, places }) => expected === refused && places.at(-1) !== refused)).toEqual([])
})
