import type { ListenerAnswer, ListenerCase, Declaration } from '../events/values.ts'
import type { Routing } from './routing.ts'

/** What each listener does with clients whose hello leads to no pool, and what that comes to together with the routes. */

export const sharedListener = 'shared'

export interface ListenerPolicy {
  readonly declaration: Declaration
  /** Last revision that touched it: its ETag. */
  readonly revision: number
  /** Only what was set; a case that is not here has its default. */
  readonly answers: { readonly [Case in ListenerCase]?: NonNullable<ListenerAnswer> }
}

/** A listener that nobody has set anything of. */
export const untouchedListener: ListenerPolicy = { declaration: null, revision: 0, answers: {} }

/** `shared`, or `pools/<name>` for a pool's own. */
export function listenerName(ownPool: string | null): string {
  return ownPool === null ? sharedListener : `pools/${ownPool}`
}

/** Whose own listener it is; null: the shared one. */
export function ownPoolOf(listener: string): string | null {
  return listener === sharedListener ? null : listener.slice('pools/'.length)
}

/** The listeners there are: the shared one, and one for each pool with an address of its own. */
export function hasListener(routing: Routing, listener: string): boolean {
  const ownPool = ownPoolOf(listener)
  return ownPool === null || (routing.pools.get(ownPool)?.listen ?? null) !== null
}

export interface Answer {
  /** Null: the client is refused. */
  readonly pool: string | null
  /**
   * `set`: for this listener and case. `default_route`: the shared listener sends clients without a name or with an
   * unknown one there. `listener`: a pool's own listener leads to that pool whatever the name. `default`: refused.
   */
  readonly because: 'default' | 'default_route' | 'listener' | 'set'
}

/**
 * What happens to a client of this listener in this case. A hello that could not be read never reaches a pool that
 * nobody named for it: only the two cases of a readable hello have other defaults than to refuse.
 */
export function answerIn(routing: Routing, ownPool: string | null, what: ListenerCase): Answer {
  const set = routing.listeners.get(listenerName(ownPool))?.answers[what]
  if (set !== undefined) return { pool: set === 'refuse' ? null : set.pool, because: 'set' }
  if (what !== 'no_sni' && what !== 'unknown_sni') return refused
  if (ownPool !== null) return { pool: ownPool, because: 'listener' }
  return routing.defaultRoute === null ? refused : { pool: routing.defaultRoute, because: 'default_route' }
}

const refused: Answer = { pool: null, because: 'default' }

/** Where a pool is named by a listener, of its own or not: it can't be removed, or lose what that needs, before. */
export function* namedBy(routing: Routing, pool: string): Generator<{ readonly listener: string; readonly case: ListenerCase }> {
  for (const [listener, { answers }] of routing.listeners) {
    for (const [what, answer] of Object.entries(answers) as [ListenerCase, NonNullable<ListenerAnswer>][]) {
      if (answer !== 'refuse' && answer.pool === pool) yield { listener, case: what }
    }
  }
}
