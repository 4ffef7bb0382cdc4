import { checkChain } from './check-chain.ts'
import { checkChanges } from './check-changes.ts'
import { checkConnections } from './check-connections.ts'
import { checkRefusals } from './check-refusals.ts'
import { checkDrains } from './check-drains.ts'
import { checkPolicy } from './check-policy.ts'
import type { Evidence } from './evidence.ts'

/** Everything that has to hold of a world that is over. Empty: it does. */
export function check(evidence: Evidence): string[] {
  return [
    ...checkChain(evidence), ...checkConnections(evidence), ...checkRefusals(evidence), ...checkChanges(evidence), ...checkDrains(evidence),
    ...checkPolicy(evidence),
  ]
}
