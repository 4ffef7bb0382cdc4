import type { WaybillEvent } from '../../events/catalog.ts'
import { zeroHash } from '../../events/chain.ts'
import { apply } from '../../projections/projection.ts'
import { routing as projection, type Routing } from '../../projections/routing.ts'
import type { DraftFacts } from './decision.ts'

/**
 * The state that a change would make, by the same fold that will make it. Only for looking at: its `basis` is not a
 * hash of anything.
 */
export function routingAfter(routing: Routing, facts: DraftFacts): Routing {
  const { basis, revision } = routing
  // The fold reads what a draft says and its place among the changes; the chain is not its business.
  const event = { ...facts, basis, revision: revision + 1 } as unknown as WaybillEvent
  return apply(projection, routing, { event, leafHash: zeroHash })
}
