import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fall, judge, newBackendHealth, resultsNeeded, rise, type BackendHealthState } from '../../src/proxy/health-state.ts'

const down = (against: number): BackendHealthState => ({ state: 'down', against })
const up = (against: number): BackendHealthState => ({ state: 'up', against })

test.each([
  [newBackendHealth, true, up(0)],
  [newBackendHealth, false, down(0)],
  [up(0), true, up(0)],
  [up(1), true, up(0)],
  [up(2), true, up(0)],
  [up(0), false, up(1)],
  [up(1), false, up(2)],
  [up(2), false, down(0)],
  [down(0), false, down(0)],
  [down(1), false, down(0)],
  [down(0), true, down(1)],
  [down(1), true, up(0)],
] as const)('%j after success %j is %j', (before, succeeded, after) => {
  expect(judge(before, succeeded)).toEqual(after)
})

test('it changes after exactly as many results in a row as it says', () => {
  expect([resultsNeeded('new'), resultsNeeded('up'), resultsNeeded('down')]).toEqual([1, fall, rise])
  fc.assert(
    fc.property(fc.array(fc.boolean()), (results) => {
      let health = newBackendHealth
      let row: boolean[] = []
      for (const succeeded of results) {
        row = row.at(-1) === succeeded ? [...row, succeeded] : [succeeded]
        const after = judge(health, succeeded)
        const speaksAgainst = health.state === 'new' || succeeded === (health.state === 'down')
        expect(after.state !== health.state).toBe(speaksAgainst && row.length >= resultsNeeded(health.state))
        if (after.state !== health.state) row = []
        health = after
      }
    }),
  )
})
