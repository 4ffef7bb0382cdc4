import { listenerCases, type ListenerCase } from '../../../events/values.ts'
import type { ListenerView } from '../../api/schemas-listeners.ts'
import { Fault } from '../../core/errors.ts'
import { call, ServerRefused, type Server } from '../api-client.ts'
import { printable } from '../../core/printable.ts'
import type { PoolBackend } from './network-checks.ts'
import { ok, problem, warning, type Finding } from './finding.ts'

/** What a running server says of itself. */

/** Null when none answers there. */
export async function checkServer(server: Server): Promise<Finding | null> {
  const action = 'See what it logs; waybill events --stream operations --from -1h shows what is on record.'
  try {
    const answer = await call(server, 'GET', '/health/ready')
    return answer === null ? null : ok('server', 'A server holds the folder, and is ready for clients.')
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    if (error instanceof ServerRefused && error.problem === 'not_ready') return problem('server', `The server is not ready: ${reasonsOf(error)}`, action)
    return problem('server', `The server does not answer as it should: ${error.message}`, action)
  }
}

function reasonsOf({ body }: ServerRefused): string {
  const { detail } = body as { readonly detail?: unknown }
  return printable(String(detail))
}

/** A listener that is configured and not bound takes no clients. */
export async function listenersOf(server: Server): Promise<readonly ListenerView[]> {
  const answer = await call(server, 'GET', '/api/listeners')
  return answer === null ? [] : (answer.body as { readonly listeners: readonly ListenerView[] }).listeners
}

export function checkListeners(listeners: readonly ListenerView[]): Finding[] {
  return listeners
    .filter(({ state }) => state === 'failed')
    .map(({ address, code, listener }) => {
      const sentence = `${printable(listener)} can't be bound to ${printable(String(address))}: ${printable(String(code))}.`
      return problem('listener', sentence, 'Stop what uses that address, or give the pool another one.')
    })
}

interface ServedPool {
  readonly name: string
  readonly allow_plaintext: boolean
  readonly backends: readonly PoolBackend[]
}

export async function poolsOf(server: Server): Promise<readonly ServedPool[]> {
  const answer = await call(server, 'GET', '/api/state')
  return answer === null ? [] : (answer.body as { readonly configuration: { readonly pools: readonly ServedPool[] } }).configuration.pools
}

export function backendsIn(pools: readonly ServedPool[]): readonly PoolBackend[] {
  return pools.flatMap(({ backends, name }) => backends.map((backend) => ({ ...backend, pool: name })))
}

/** Where listeners send clients whose hello leads to no pool. */
export function checkAnswers(listeners: readonly ListenerView[], pools: readonly ServedPool[]): Finding[] {
  const byName = new Map(pools.map((pool) => [pool.name, pool]))
  return listeners.flatMap(({ listener, policy }) => {
    const named = new Set(listenerCases.map((what) => poolIn(policy, what)).filter((pool) => pool !== null))
    return [...named].flatMap((name) => {
      const pool = byName.get(name)
      const cases = listenerCases.filter((what) => poolIn(policy, what) === name)
      return pool === undefined ? [] : [...withoutBackend(listener, pool, cases), ...notEncrypted(listener, pool, cases)]
    })
  })
}

function withoutBackend(listener: string, { backends, name }: ServedPool, cases: readonly ListenerCase[]): Finding[] {
  if (backends.length > 0) return []
  const sentence = `${listener} sends clients to pool ${name} (${cases.join(', ')}), which has no backend: they are refused.`
  return [warning('listener', sentence, `Add one with waybill backends add ${name} URL, or change the listener.`)]
}

/** In all of these no hello was read, so that nobody knows what the client speaks. */
const unread: ReadonlySet<ListenerCase> = new Set(['malformed', 'not_tls', 'sslv2', 'timeout', 'too_large'])

function notEncrypted(listener: string, { allow_plaintext: allowPlaintext, name }: ServedPool, cases: readonly ListenerCase[]): Finding[] {
  const open = cases.filter((what) => unread.has(what))
  if (!allowPlaintext || open.length === 0) return []
  const sentence = `${listener} lets clients in that may not be encrypted (${open.join(', ')}), to pool ${name}.`
  return [warning('listener', sentence, `See whether its business need still holds: waybill pools show ${name}.`)]
}

function poolIn(policy: ListenerView['policy'], what: ListenerCase): string | null {
  const answer = policy[what]
  return answer === 'refuse' ? null : answer.pool
}
