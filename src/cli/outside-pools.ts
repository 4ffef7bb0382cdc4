import { listenerCases } from '../../events/values.ts'
import { ownPoolOf } from '../../projections/listeners.ts'
import { routing, type Pool, type Routing } from '../../projections/routing.ts'
import { poolDefaults, type Path } from '../commands/apply-targets.ts'
import type { Declaration } from '../config/declaration.ts'

/**
 * Pools that the listeners of a declaration file name and the file does not declare: the API or another file may have
 * made them. Without a server they can only be taken to be as they are needed.
 */

export interface OutsidePool {
  readonly name: string
  /** Where it is named first. */
  readonly path: Path
}

export function outsidePools({ listeners, pools }: Pick<Declaration, 'listeners' | 'pools'>): OutsidePool[] {
  const declared = new Set(pools?.map(({ name }) => name))
  const found = new Map<string, OutsidePool>()
  for (const [listener, answers] of Object.entries(listeners ?? {})) {
    const path = ['listeners', listener]
    const own = ownPoolOf(listener)
    const named = listenerCases.flatMap((what) => {
      const answer = answers[what]
      return typeof answer === 'object' && answer !== null ? [{ name: answer.pool, path: [...path, what, 'pool'] }] : []
    })
    for (const each of own === null ? named : [{ name: own, path }, ...named]) {
      if (!declared.has(each.name) && !found.has(each.name)) found.set(each.name, each)
    }
  }
  return [...found.values()]
}

/** Nothing but these pools, each with whatever a listener could need of it. */
export function routingWith(outside: readonly OutsidePool[]): Routing {
  return { ...routing.initial(), pools: new Map(outside.map(({ name }) => [name, standIn(name)])) }
}

/** An address that collides with none: no pool can be given port 0. */
const unknownAddress = '[::]:0'

function standIn(name: string): Pool {
  return {
    ...poolDefaults, name, allowPlaintext: true, backends: new Map(), createdAt: '1970-01-01T00:00:00.000Z', declaration: null,
    defaultRouteReason: null, listen: unknownAddress, revision: 0, sslMode: 'passthrough',
  }
}
