import { answerIn, namedBy, sharedListener } from '../../projections/listeners.ts'
import type { Pool, Routing } from '../../projections/routing.ts'

/** What an operator should know of a pool or a listener as it stands. Empty when there is nothing. */

export function warningsOfPool(routing: Routing, pool: Pool): readonly string[] {
  if (pool.listen !== null || pool.serverNames.length > 0 || clientsByDefault(routing, pool) || isNamed(routing, pool)) return []
  return [
    `No route leads to pool "${pool.name}": it has no server_names, no listen address of its own, is not the default route ` +
      'and is named by no listener, so it receives no connections.',
  ]
}

/** The default route is what the shared listener does when nothing is set: what is set there takes its place. */
export function warningsOfListener(routing: Routing, listener: string): readonly string[] {
  const { defaultRoute } = routing
  if (listener !== sharedListener || defaultRoute === null) return []
  const overridden = defaultCases.filter((what) => {
    const answer = answerIn(routing, null, what)
    return answer.because === 'set' && answer.pool !== defaultRoute
  })
  if (overridden.length === 0) return []
  return [
    `Pool "${defaultRoute}" is the default route, but listener "${listener}" has ${overridden.join(' and ')} set, which ` +
      'takes its place there. Set null there, or take default_route from the pool.',
  ]
}

/** Those in which clients go to the default route. */
const defaultCases = ['no_sni', 'unknown_sni'] as const

function clientsByDefault(routing: Routing, { name }: Pool): boolean {
  return defaultCases.some((what) => answerIn(routing, null, what).pool === name)
}

function isNamed(routing: Routing, { name }: Pool): boolean {
  return !namedBy(routing, name).next().done
}
