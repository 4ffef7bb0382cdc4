import { invariant } from '../core/errors.ts'

/**
 * How a link may move from accept to close: every legal move stands in one table, and only Lifecycle writes the phase.
 * `closed` is reachable from anywhere and leads nowhere.
 */

export const phases = ['peeking', 'deciding', 'dialing', 'holding', 'relaying', 'half_closed', 'closed'] as const
export type Phase = (typeof phases)[number]

export const steps = ['helloRead', 'dial', 'dialFailed', 'connected', 'go', 'sideEnded', 'close'] as const
export type Step = (typeof steps)[number]

export const moves = {
  peeking: { helloRead: 'deciding', close: 'closed' },
  deciding: { dial: 'dialing', close: 'closed' },
  dialing: { dialFailed: 'deciding', connected: 'holding', close: 'closed' },
  holding: { go: 'relaying', close: 'closed' },
  relaying: { sideEnded: 'half_closed', close: 'closed' },
  half_closed: { sideEnded: 'half_closed', close: 'closed' },
  closed: {},
} as const satisfies Record<Phase, Partial<Record<Step, Phase>>>

export class Lifecycle {
  #phase: Phase = 'peeking'

  get phase(): Phase {
    return this.#phase
  }

  advance(step: Step): void {
    const legal: Partial<Record<Step, Phase>> = moves[this.#phase]
    const next = legal[step]
    invariant(next !== undefined, `${step} while ${this.#phase}`)
    this.#phase = next
  }
}
