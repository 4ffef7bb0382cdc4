import { PoolCreated, type PoolCreatedData } from '../../events/pool.ts'
import type { Algorithm } from '../../events/values.ts'
import type { Pool, Routing } from '../../projections/routing.ts'
import { collides, formatEndpoint, parseEndpoint, type Parsed } from '../core/endpoint.ts'
import { poolsMax } from './bounds.ts'
import {
  controlPartitionKey, refuse, tooLarge,
  type Decision, type DraftFacts, type Refusal, type Request, type Rules, type Stamp,
} from './decision.ts'
import { canonicalServerName } from './host-name.ts'

/** The rules for pools: which names, addresses and default route they may claim. */

export interface CreatePool extends Request {
  readonly name: string
  readonly algorithm: Algorithm
  readonly businessNeed: string | null
  /** Null: not said, so the rule for automatic default routes applies. */
  readonly defaultRoute: boolean | null
  readonly healthCheckIntervalMs: number
  /** As written: `[::]:9443`, `127.0.0.1:9443`, or a port, which means `[::]:port`. */
  readonly listen: string | number | null
  readonly managedBy: 'api' | 'file'
  readonly owner: string | null
  /** As written: any case, U-labels or A-labels. */
  readonly serverNames: readonly string[]
}

export function decideCreatePool(
  routing: Routing,
  command: CreatePool & Stamp,
  rules: Rules,
): Decision<PoolCreatedData> {
  const serverNames = canonicalServerNames(command.serverNames)
  if ('refusal' in serverNames) return serverNames
  const listen = canonicalListen(command.listen)
  if ('problem' in listen) return refuse('listen_invalid', `listen: ${listen.problem}.`, { field: 'listen' })
  const route = defaultRoute(routing, command, rules)
  const record = poolCreated(command, serverNames.value, listen.value, route)
  return (
    tooLarge(record) ??
    nameTaken(routing, command.name) ??
    serverNameTaken(routing, serverNames.value) ??
    listenTaken(routing, listen.value, rules) ??
    defaultRouteTaken(routing, command) ?? { record }
  )
}

/** What an operator should know of a pool as it stands; empty when there is nothing. */
export function warningsOf(pool: Pool): readonly string[] {
  if (pool.defaultRoute || pool.listen !== null || pool.serverNames.length > 0) return []
  return [
    `No route leads to pool "${pool.name}": it has no server_names, no listen address of its own, and is not the ` +
      'default route, so it receives no connections.',
  ]
}

/** A port alone means every address of the machine. Port 0 is refused: clients could not know it. */
export function canonicalListen(listen: string | number | null): Parsed<string | null> {
  if (listen === null) return { value: null }
  const written = typeof listen === 'number' ? `[::]:${listen}` : listen
  const parsed = parseEndpoint(written, 1)
  return 'problem' in parsed ? parsed : { value: formatEndpoint(parsed.value) }
}

function canonicalServerNames(written: readonly string[]): { value: string[] } | { refusal: Refusal } {
  const names = new Set<string>()
  for (const [index, text] of written.entries()) {
    const name = canonicalServerName(text)
    if ('problem' in name) {
      return refuse('server_name_invalid', `server_names: ${name.problem}.`, { field: `server_names.${index}` })
    }
    names.add(name.value)
  }
  return { value: [...names] }
}

type Route = PoolCreatedData['default_route_reason']

/** Null: not the default route. */
function defaultRoute(routing: Routing, command: CreatePool, rules: Rules): Route {
  if (command.defaultRoute !== null) return command.defaultRoute ? 'requested' : null
  const reachable = command.serverNames.length > 0 || command.listen !== null
  return !reachable && routing.defaultRoute === null && rules.autoDefaultRoute ? 'automatic' : null
}

function poolCreated(
  command: CreatePool & Stamp,
  serverNames: string[],
  listen: string | null,
  route: Route,
): DraftFacts<PoolCreatedData> {
  return {
    id: command.id,
    type: PoolCreated.type,
    subject: `pools/${command.name}`,
    time: command.time,
    partitionkey: controlPartitionKey,
    data: {
      actor: command.actor,
      algorithm: command.algorithm,
      backends: [],
      business_need: command.businessNeed,
      change: command.change,
      default_route: route !== null,
      default_route_reason: route,
      health_check_interval: command.healthCheckIntervalMs,
      idempotency_key: command.idempotencyKey,
      listen,
      managed_by: command.managedBy,
      name: command.name,
      origin: command.origin,
      owner: command.owner,
      server_names: serverNames,
      ssl_mode: 'passthrough',
    },
  }
}

function nameTaken(routing: Routing, name: string): { refusal: Refusal } | null {
  if (routing.pools.has(name)) {
    return refuse('pool_exists', `There is already a pool "${name}". Choose another name, or add backends to that one.`, {
      field: 'name',
      extra: { pool: name },
    })
  }
  if (routing.pools.size < poolsMax) return null
  return refuse('too_many_pools', `There are ${poolsMax} pools, which is the most. Remove one first.`)
}

function serverNameTaken(routing: Routing, serverNames: readonly string[]): { refusal: Refusal } | null {
  for (const name of serverNames) {
    const holder = name.startsWith('*.') ? routing.wildcardNames.get(name.slice(2)) : routing.exactNames.get(name)
    if (holder === undefined) continue
    return refuse('server_name_taken', `Pool "${holder}" already claims "${name}". A server name leads to one pool.`, {
      field: 'server_names',
      extra: { pool: holder, server_name: name },
    })
  }
  return null
}

function listenTaken(routing: Routing, listen: string | null, rules: Rules): { refusal: Refusal } | null {
  if (listen === null) return null
  const wanted = endpointOf(listen)
  const reserved = [['the shared listener', rules.sharedListen], ['the API', rules.api]] as const
  for (const [what, endpoint] of reserved) {
    if (!collides(wanted, endpoint)) continue
    return refuse('listen_taken', `${listen} collides with ${what} on ${formatEndpoint(endpoint)}. Choose another port.`, {
      field: 'listen',
    })
  }
  for (const pool of routing.pools.values()) {
    if (pool.listen === null || !collides(wanted, endpointOf(pool.listen))) continue
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

function defaultRouteTaken(routing: Routing, command: CreatePool): { refusal: Refusal } | null {
  if (command.defaultRoute !== true || routing.defaultRoute === null) return null
  return refuse(
    'default_route_taken',
    `Pool "${routing.defaultRoute}" is the default route already, and there can be one. Leave default_route out, or ` +
      'give this pool server_names or a listen address.',
    { field: 'default_route', extra: { pool: routing.defaultRoute } },
  )
}
