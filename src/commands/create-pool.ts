import { PoolCreated, type PoolCreatedData } from '../../events/pool.ts'
import type { Algorithm, Declaration, MinTlsVersion } from '../../events/values.ts'
import type { Routing } from '../../projections/routing.ts'
import { parseBackendUrl } from './backend-url.ts'
import { backendsPerPoolMax, poolsMax } from './bounds.ts'
import { controlDraft, refuse, tooLarge, type Decision, type DraftFacts, type Refusal, type Request, type Rules, type Stamp } from './decision.ts'
import { businessNeedMissing, canonicalListen, canonicalServerNames, defaultRouteTaken, listenTaken, serverNameTaken } from './pool-rules.ts'

/** A new pool, with the backends it starts with: one command, one record. */

export interface CreatePool extends Request {
  readonly name: string
  readonly algorithm: Algorithm
  readonly allowPlaintext: boolean
  readonly backends: readonly NewBackend[]
  readonly businessNeed: string | null
  readonly declaration: Declaration
  /** Null: not said, so the rule for automatic default routes applies. */
  readonly defaultRoute: boolean | null
  readonly drainTimeoutMs: number | null
  readonly healthCheckIntervalMs: number
  /** As written: `[::]:9443`, `127.0.0.1:9443`, or a port, which means `[::]:port`. */
  readonly listen: string | number | null
  readonly minTlsVersion: MinTlsVersion
  readonly owner: string | null
  readonly rejectEch: boolean
  /** As written: any case, U-labels or A-labels. */
  readonly serverNames: readonly string[]
}

export interface NewBackend {
  readonly declaration: Declaration
  /** As written: `https://host[:port]`. */
  readonly url: string
  readonly weight: number
}

export function decideCreatePool(routing: Routing, command: CreatePool & Stamp, rules: Rules): Decision<PoolCreatedData> {
  const serverNames = canonicalServerNames(command.serverNames)
  if ('refusal' in serverNames) return serverNames
  const listen = canonicalListen(command.listen)
  if ('refusal' in listen) return listen
  const backends = inlineBackends(command.backends)
  if ('refusal' in backends) return backends
  const route = defaultRoute(routing, command, rules)
  const record = poolCreated(command, { backends: backends.value, listen: listen.value, route, serverNames: serverNames.value })
  return (
    tooLarge(record) ??
    businessNeedMissing(record.data, 'allow_plaintext') ??
    nameTaken(routing, command.name) ??
    serverNameTaken(routing, command.name, serverNames.value) ??
    listenTaken(routing, command.name, listen.value, rules) ??
    defaultRouteTaken(routing, command.name, command.defaultRoute === true) ?? { record }
  )
}

type Inline = PoolCreatedData['backends']
type Route = PoolCreatedData['default_route_reason']

function inlineBackends(written: readonly NewBackend[]): { value: Inline } | { refusal: Refusal } {
  if (written.length > backendsPerPoolMax) {
    return refuse('too_many_backends', `backends: ${written.length} are more than the ${backendsPerPoolMax} that a pool may have.`, {
      field: 'backends',
    })
  }
  const backends = new Map<string, Inline[number]>()
  for (const [index, { declaration, url, weight }] of written.entries()) {
    const field = `backends.${index}.url`
    const address = parseBackendUrl(url)
    if ('problem' in address) return refuse('backend_url_invalid', `${field}: ${address.problem}.`, { field })
    const { host, id, port } = address.value
    if (backends.has(id)) return refuse('backend_exists', `${field}: ${id} stands in the list twice.`, { field, extra: { backend: id } })
    backends.set(id, { declaration, host, id, port, weight })
  }
  return { value: [...backends.values()] }
}

/** Null: not the default route. */
function defaultRoute(routing: Routing, command: CreatePool, rules: Rules): Route {
  if (command.defaultRoute !== null) return command.defaultRoute ? 'requested' : null
  const reachable = command.serverNames.length > 0 || command.listen !== null
  // Whoever makes a pool for clients that nobody encrypted has not asked for all the others.
  if (reachable || command.allowPlaintext) return null
  return routing.defaultRoute === null && rules.autoDefaultRoute ? 'automatic' : null
}

interface Canonical {
  readonly backends: Inline
  readonly listen: string | null
  readonly route: Route
  readonly serverNames: string[]
}

function poolCreated(
  command: CreatePool & Stamp,
  { backends, listen, route, serverNames }: Canonical,
): DraftFacts<PoolCreatedData> {
  return controlDraft(command, PoolCreated, `pools/${command.name}`, {
    actor: command.actor,
    algorithm: command.algorithm,
    allow_plaintext: command.allowPlaintext,
    backends,
    business_need: command.businessNeed,
    change: command.change,
    declaration: command.declaration,
    default_route: route !== null,
    default_route_reason: route,
    drain_timeout: command.drainTimeoutMs,
    health_check_interval: command.healthCheckIntervalMs,
    idempotency: command.idempotency,
    listen,
    min_tls_version: command.minTlsVersion,
    name: command.name,
    origin: command.origin,
    owner: command.owner,
    reject_ech: command.rejectEch,
    server_names: serverNames,
    ssl_mode: 'passthrough',
  })
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
