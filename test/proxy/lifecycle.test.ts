import { expect, test } from 'vitest'
import { InvariantViolation } from '../../src/core/errors.ts'
import { Lifecycle, moves, phases, steps, type Phase, type Step } from '../../src/proxy/lifecycle.ts'

/** The way to each phase. */
const paths: Record<Phase, readonly Step[]> = {
  peeking: [],
  deciding: ['helloRead'],
  dialing: ['helloRead', 'dial'],
  holding: ['helloRead', 'dial', 'connected'],
  relaying: ['helloRead', 'dial', 'connected', 'go'],
  half_closed: ['helloRead', 'dial', 'connected', 'go', 'sideEnded'],
  closed: ['close'],
}

/** Written out by hand: what may happen in each phase. */
const legal: Record<Phase, Partial<Record<Step, Phase>>> = {
  peeking: { helloRead: 'deciding', close: 'closed' },
  deciding: { dial: 'dialing', close: 'closed' },
  dialing: { connected: 'holding', dialFailed: 'deciding', close: 'closed' },
  holding: { go: 'relaying', close: 'closed' },
  relaying: { sideEnded: 'half_closed', close: 'closed' },
  half_closed: { sideEnded: 'half_closed', close: 'closed' },
  closed: {},
}

test('every step in every phase leads where the table says, or is a violation', () => {
  let pairs = 0
  for (const phase of phases) {
    for (const step of steps) {
      const lifecycle = new Lifecycle()
      for (const earlier of paths[phase]) lifecycle.advance(earlier)
      expect(lifecycle.phase).toBe(phase)
      const next = legal[phase][step]
      if (next === undefined) expect(() => lifecycle.advance(step)).toThrow(InvariantViolation)
      else lifecycle.advance(step)
      expect(lifecycle.phase).toBe(next ?? phase)
      pairs += 1
    }
  }
  expect(pairs).toBe(49)
  expect(moves).toEqual(legal)
})
