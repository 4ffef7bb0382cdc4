import { listenerCases } from '../../events/values.ts'
import type { ListenerDocument } from '../../projections/configuration.ts'
import { printable } from '../core/printable.ts'

/** What a listener does with clients whose hello leads to no pool, in words. */

type Policy = ListenerDocument['policy']

/** `no_sni: legacy, unknown_sni: legacy`: only where clients are let through. */
export function policyText(policy: Policy): string {
  const letThrough = listenerCases.flatMap((what) => {
    const answer = policy[what]
    return answer === 'refuse' ? [] : [`${what}: ${printable(answer.pool)}`]
  })
  return letThrough.length === 0 ? 'refuses them all' : letThrough.join(', ')
}

/** One for each case: the case, then what is done. */
export function policyLines({ policy, set }: Pick<ListenerDocument, 'policy' | 'set'>): [string, string][] {
  return listenerCases.map((what) => {
    const answer = policy[what]
    const words = answer === 'refuse' ? 'refuse' : `pool ${answer.pool}`
    return [what, set.includes(what) ? words : `${words} (default)`]
  })
}
