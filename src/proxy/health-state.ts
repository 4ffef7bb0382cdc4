/**
 * When results of checks and dials turn a backend up or down: two successes in a row bring it up, three failures take
 * it down. A new backend takes traffic at once and is one failure from being down.
 */

export const rise = 2
export const fall = 3

export type HealthState = 'down' | 'new' | 'up'

export interface BackendHealthState {
  readonly state: HealthState
  /** Results in a row that speak against the state. */
  readonly against: number
}

export const newBackendHealth: BackendHealthState = { state: 'new', against: 0 }

/** The state after one more result. A change has happened when `state` differs. */
export function judge(health: BackendHealthState, succeeded: boolean): BackendHealthState {
  if (health.state === 'new') return { state: succeeded ? 'up' : 'down', against: 0 }
  const speaksAgainst = succeeded === (health.state === 'down')
  if (!speaksAgainst) return health.against === 0 ? health : { state: health.state, against: 0 }
  const against = health.against + 1
  const needed = health.state === 'down' ? rise : fall
  if (against < needed) return { state: health.state, against }
  return { state: succeeded ? 'up' : 'down', against: 0 }
}

/** Results in a row that a change took. */
export function resultsNeeded(from: HealthState): number {
  return from === 'new' ? 1 : from === 'down' ? rise : fall
}
