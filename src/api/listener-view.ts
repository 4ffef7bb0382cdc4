import { listenerDocument } from '../../projections/configuration.ts'
import { ownPoolOf } from '../../projections/listeners.ts'
import type { Routing } from '../../projections/routing.ts'
import { warningsOfListener } from '../commands/warnings.ts'
import type { ListenerNow } from '../live/node-view.ts'
import type { ListenerView } from './schemas-listeners.ts'

/** A listener as the API shows it: its policy from the routing fold, and where this node is with binding it (`now`). */
export function listenerView(routing: Routing, listener: string, now: ListenerNow | undefined): ListenerView {
  const { set, ...policy } = listenerDocument(routing, listener)
  const pool = ownPoolOf(listener)
  const address = now?.address ?? (pool === null ? null : (routing.pools.get(pool)?.listen ?? null))
  const warnings = warningsOfListener(routing, listener)
  return {
    ...policy,
    pool,
    address,
    state: now?.state ?? 'pending',
    code: now?.code ?? null,
    set: [...set],
    ...(warnings.length === 0 ? {} : { warnings: [...warnings] }),
  }
}
