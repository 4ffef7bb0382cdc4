import type { PoolCreatedData } from '../../events/pool.ts'
import type { ListenerCase } from '../../events/values.ts'
import type { Routing } from '../../projections/routing.ts'
import { holderOf } from '../../projections/server-names.ts'
import { collides, formatEndpoint, parseEndpoint, type Parsed } from '../core/endpoint.ts'
import { refuse, type Refusal, type Rules } from './decision.ts'
import { canonicalServerName } from './host-name.ts'

/** What pools may claim: server names, listen addresses and the default route belong to one pool each. */

type Refused = { refusal: Refusal } | null

/** Traffic that nobody encrypted has a reason on record, for whoever asks later. */
export function businessNeedMissing(
  { allow_plaintext: allowPlaintext, business_need: businessNeed, name }: Pick<PoolCreatedData, 'allow_plaintext' | 'business_need' | 'name'>,
  field: 'allow_plaintext' | 'business_need',
): Refused {
  if (!allowPlaintext || businessNeed !== null) return null
  return refuse(
    'business_need_missing',
    `Pool "${name}" with allow_plaintext takes clients that are not encrypted, so it needs a business_need that says ` +
      'why. Send both, or leave allow_plaintext off.',
    { field },
  )
}

/** Of a pool that a listener sends clients to. `field`: what they need; none: the pool itself. */
export function poolNamedBy(
  pool: string,
  named: { readonly listener: string; readonly case: ListenerCase },
  field?: 'allow_plaintext',
): { refusal: Refusal } {
  const keeps = field === undefined ? 'it can not be removed' : `it keeps its ${field}`
  return refuse(
    'pool_named_by_listener',
    `Listener "${named.listener}" sends clients to pool "${pool}" (${named.case}), so ${keeps} until that listener is changed.`,
    { ...(field === undefined ? {} : { field }), extra: { listener: named.listener, case: named.case, pool } },
  )
}

/** A port alone means every address of the machine. Port 0 is refused: clients could not know it. */
export function canonicalListen(listen: string | number | null): { value: string | null } | { refusal: Refusal } {
  if (listen === null) return { value: null }
  const written = typeof listen === 'number' ? `[::]:${listen}` : listen
  const parsed = parseEndpoint(written, 1)
  if ('problem' in parsed) return refuse('listen_invalid', `listen: ${parsed.problem}.`, { field: 'listen' })
  return { value: formatEndpoint(parsed.value) }
}

export function canonicalServerNames(written: readonly string[]): { value: string[] } | { refusal: Refusal } {
  const names = new Set<string>()
  for (const [index, text] of written.entries()) {
    const name: Parsed<string> = canonicalServerName(text)
    if ('problem' in name) {
      return refuse('server_name_invalid', `server_names: ${name.problem}.`, { field: `server_names.${index}` })
    }
    names.add(name.value)
  }
  return { value: [...names] }
}

/** `own`: the pool that claims them, whose earlier claims are no obstacle. */
export function serverNameTaken(routing: Routing, own: string, serverNames: readonly string[]): Refused {
  for (const name of serverNames) {
    const holder = holderOf(routing, name)
    if (holder === null || holder === own) continue
    return refuse('server_name_taken', `Pool "${holder}" already claims "${name}". A server name leads to one pool.`, {
      field: 'server_names',
      extra: { pool: holder, server_name: name },
    })
  }
  return null
}

export function listenTaken(routing: Routing, own: string, listen: string | null, rules: Rules): Refused {
  if (listen === null) return null
  const wanted = endpointOf(listen)
  const reserved = [['the shared listener', rules.sharedListen], ['the API', rules.api], ['the ops listener', rules.ops]] as const
  for (const [what, endpoint] of reserved) {
    if (endpoint === null || !collides(wanted, endpoint)) continue
    return refuse('listen_taken', `${listen} collides with ${what} on ${formatEndpoint(endpoint)}. Choose another port.`, {
      field: 'listen',
    })
  }
  for (const pool of routing.pools.values()) {
    if (pool.name === own || pool.listen === null || !collides(wanted, endpointOf(pool.listen))) continue
    return refuse('listen_taken', `${listen} collides with pool "${pool.name}" on ${pool.listen}. Choose another port.`, {
      field: 'listen',
      extra: { pool: pool.name },
    })
  }
  return null
}

/** Of an address that is already canonical, as in every record. */
function endpointOf(listen: string): { ip: string; port: number } {
  const parsed = parseEndpoint(listen)
  return 'value' in parsed ? parsed.value : { ip: listen, port: 0 }
}

export function defaultRouteTaken(routing: Routing, own: string, wanted: boolean): Refused {
  if (!wanted || routing.defaultRoute === null || routing.defaultRoute === own) return null
  return refuse(
    'default_route_taken',
    `Pool "${routing.defaultRoute}" is the default route already, and there can be one. Leave default_route out, or ` +
      'give this pool server_names or a listen address.',
    { field: 'default_route', extra: { pool: routing.defaultRoute } },
  )
}
