import type { Algorithm } from '../../events/values.ts'
import type { Random } from '../core/random.ts'
import type { BackendState, Candidate } from './backends.ts'

/** The balancing algorithms, all weighted. Each picks one of the candidates; null when there is none. */
export function pick(algorithm: Algorithm, candidates: readonly Candidate[], random: Random): BackendState | null {
  if (candidates.length === 0) return null
  switch (algorithm) {
    case 'least_connections':
      return leastConnections(candidates, random)
    case 'round_robin':
      return roundRobin(candidates)
    case 'random':
      return weightedRandom(candidates, random)
  }
}

/** Fewest connections for its weight, counting the one to come; equals are drawn by weight, so that none is favoured. */
function leastConnections(candidates: readonly Candidate[], random: Random): BackendState {
  let least = Infinity
  let equals: Candidate[] = []
  for (const candidate of candidates) {
    const load = (candidate.state.leases + 1) / candidate.weight
    if (load < least) {
      least = load
      equals = [candidate]
    } else if (load === least) equals.push(candidate)
  }
  return equals.length === 1 ? equals[0]!.state : weightedRandom(equals, random)
}

/** Smooth weighted round robin as nginx does it: weights 5, 1, 1 give a a b a c a a, not five in a row. */
function roundRobin(candidates: readonly Candidate[]): BackendState {
  let total = 0
  let chosen = candidates[0]!.state
  let most = -Infinity
  for (const { state, weight } of candidates) {
    total += weight
    state.owed += weight
    if (state.owed > most) {
      most = state.owed
      chosen = state
    }
  }
  chosen.owed -= total
  return chosen
}

function weightedRandom(candidates: readonly Candidate[], random: Random): BackendState {
  let total = 0
  for (const { weight } of candidates) total += weight
  let left = random.float() * total
  for (const { state, weight } of candidates) {
    left -= weight
    if (left < 0) return state
  }
  return candidates.at(-1)!.state
}
