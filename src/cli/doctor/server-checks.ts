import type { ListenerNow } from '../../live/node-view.ts'
import { Fault } from '../../core/errors.ts'
import { call, ServerRefused, type Server } from '../api-client.ts'
import { printable } from '../printable.ts'
import type { PoolBackend } from './network-checks.ts'
import { ok, problem, type Finding } from './finding.ts'

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
export async function listenersOf(server: Server): Promise<readonly ListenerNow[]> {
  const answer = await call(server, 'GET', '/api/listeners')
  return answer === null ? [] : (answer.body as { readonly listeners: readonly ListenerNow[] }).listeners
}

export function checkListeners(listeners: readonly ListenerNow[]): Finding[] {
  return listeners
    .filter(({ state }) => state === 'failed')
    .map(({ address, code, listener }) =>
      problem('listener', `${printable(listener)} can't be bound to ${printable(address)}: ${printable(String(code))}.`, 'Stop what uses that address, or give the pool another one.'),
    )
}

export async function backendsOf(server: Server): Promise<readonly PoolBackend[]> {
  const answer = await call(server, 'GET', '/api/state')
  if (answer === null) return []
  const { configuration } = answer.body as { readonly configuration: { readonly pools: readonly { name: string; backends: readonly PoolBackend[] }[] } }
  return configuration.pools.flatMap(({ backends, name }) => backends.map((backend) => ({ ...backend, pool: name })))
}
