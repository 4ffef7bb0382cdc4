import { isIP } from 'node:net'
import type { BackendDocument } from '../../../projections/configuration.ts'
import { sleep, type Clock } from '../../core/clock.ts'
import { formatEndpoint } from '../../core/endpoint.ts'
import { errnoOf } from '../../core/errors.ts'
import type { Endpoint, Network } from '../../core/network.ts'
import { ok, problem, unknown, warning, type Finding } from './finding.ts'

/** What the proxy needs of the network: its own addresses, and its backends. */

/** `ours`: addresses that our own server is known to be bound to. */
export async function checkPort(network: Network, name: string, endpoint: Endpoint, ours: ReadonlySet<string>): Promise<Finding> {
  const address = formatEndpoint(endpoint)
  try {
    const listening = await network.listen(endpoint, (socket) => socket.destroy())
    await listening[Symbol.asyncDispose]()
    return ok(name, `${address} is free.`)
  } catch (error) {
    const code = errnoOf(error)
    if (code === 'EADDRINUSE') {
      if (ours.has(address)) return ok(name, `${address} is held by our own server.`)
      return problem(name, `${address} is held by another process.`, `See which with ss -ltnp 'sport = :${endpoint.port}', or choose another one (--${name}).`)
    }
    if (code === 'EACCES') {
      return problem(name, `${address} is not for this user.`, 'Take a port from 1024 up, or allow it: AmbientCapabilities=CAP_NET_BIND_SERVICE in the unit of systemd.')
    }
    return problem(name, `${address} can't be bound: ${code}.`, `Choose an address of this machine (--${name}).`)
  }
}

export interface PoolBackend extends BackendDocument {
  readonly pool: string
}

const backendsMax = 256
const dialTimeoutMs = 3_000

/** Resolves and dials each once, all at a time. */
export async function checkBackends(network: Network, clock: Clock, backends: readonly PoolBackend[]): Promise<Finding[]> {
  const findings = await Promise.all(backends.slice(0, backendsMax).map((backend) => checkBackend(network, clock, backend)))
  if (backends.length > backendsMax) {
    findings.push(unknown('backend', `${backends.length - backendsMax} more backends were not tried.`, 'waybill backends list POOL shows what the server sees of them.'))
  }
  return findings
}

async function checkBackend(network: Network, clock: Clock, { host, id, pool, port }: PoolBackend): Promise<Finding> {
  const name = `${pool} ${id}`
  let addresses: readonly string[]
  try {
    addresses = isIP(host) === 0 ? await network.lookup(host) : [host]
  } catch (error) {
    return problem('backend', `${name}: ${host} does not resolve: ${errnoOf(error)}.`, 'Correct the name, or the resolver of this machine (/etc/resolv.conf).')
  }
  const tried = await Promise.all(addresses.map(async (ip) => ({ code: await dial(network, clock, { ip, port }), ip })))
  const failed = tried.filter(({ code }) => code !== null)
  const reasons = failed.map(({ code, ip }) => `${formatEndpoint({ ip, port })} ${code}`).join(', ')
  if (failed.length === 0) return ok('backend', `${name}: takes connections${addresses.length > 1 ? ` on all ${addresses.length} addresses` : ''}.`)
  const action = 'See that it runs, that it listens on that port, and that no firewall is between; docs/firewalling.md tells more.'
  if (failed.length === tried.length) return problem('backend', `${name}: takes no connections from here (${reasons}).`, action)
  return warning('backend', `${name}: takes connections on some of its addresses only (${reasons}).`, action)
}

/** Null when it was established. */
async function dial(network: Network, clock: Clock, endpoint: Endpoint): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>()
  const ended = new AbortController()
  const socket = network.connect(endpoint, {
    onConnected: () => resolve(null),
    onBytes: () => {},
    onEnd: () => {},
    onDrained: () => {},
    onClosed: (code) => resolve(code ?? 'closed'),
  })
  const tooLate = sleep(clock, dialTimeoutMs, ended.signal).then(() => 'timeout')
  const answer = await Promise.race([promise, tooLate])
  ended.abort()
  socket.destroy()
  return answer
}
