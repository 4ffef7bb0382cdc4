import type { Routing } from '../../projections/routing.ts'
import type { DraftFacts } from '../commands/decision.ts'
import type { OpenCounters } from '../live/node-view.ts'

/** How many open connections of this node a change concerns: those of backends that would leave or begin to drain. */
export function touchedBetween(
  before: Routing,
  after: Routing,
  facts: DraftFacts | null,
  open: OpenCounters,
): { readonly open_connections: number; readonly ends_connections: number } {
  let touched = 0
  for (const pool of before.pools.values()) {
    if (!after.pools.has(pool.name)) {
      touched += open.openOfPool(pool.name).connections
      continue
    }
    for (const backend of pool.backends.values()) {
      const next = after.pools.get(pool.name)?.backends.get(backend.id)
      const leaves = next === undefined || (next.drainingSince !== null && (backend.drainingSince === null || isForcedOn(facts, pool.name, backend.id)))
      if (leaves) touched += open.openByBackend(pool.name, backend.id).connections
    }
  }
  return { open_connections: touched, ends_connections: isForced(facts) ? touched : 0 }
}

function isForced(facts: DraftFacts | null): boolean {
  return facts !== null && 'force' in facts.data && facts.data.force === true
}

/** Forcing a backend that drains already concerns what is still open there. */
function isForcedOn(facts: DraftFacts | null, pool: string, id: string): boolean {
  return isForced(facts) && facts?.subject === `backends/${pool}/${id}`
}
