import { decideAddBackend, decideChangeBackend, decideDrainBackend, decideRemoveBackend, decideResumeBackend } from '../../src/commands/backend.ts'
import { decideChangeListener } from '../../src/commands/change-listener.ts'
import { decideChangePool, decideRemovePool } from '../../src/commands/change-pool.ts'
import { decideCreatePool } from '../../src/commands/create-pool.ts'
import { noChange, type Request } from '../../src/commands/decision.ts'
import type { Answer, Desk } from '../../src/commands/desk.ts'
import { listenerCases, type Actor, type ListenerAnswer, type ListenerCase } from '../../events/values.ts'
import type { Routing } from '../../projections/routing.ts'
import { nodeIp } from './network.ts'
import type { SeededRandom } from './seeded-random.ts'

/** Everything that an operator of a simulated node does, in one table: what is asked for, drawn from a small world. */

export const poolNames = ['a', 'b', 'c'] as const
export const backendHosts = ['10.0.0.1', '10.0.0.2', '10.0.0.3', 'one.internal', 'two.internal'] as const
export const backendPort = 8443
const listens = [null, `${nodeIp}:9443`, `${nodeIp}:9444`]
const algorithms = ['least_connections', 'random', 'round_robin'] as const

export interface Asked {
  readonly ticket: string
  readonly key: string
}

export const operator: Actor = { authn: 'none', id: 'loopback', type: 'local' }

export type Run = (desk: Desk) => Promise<Answer<object>>
/** One command, to be asked for once or, with the same key, again. */
export type Command = (request: Request) => Run
/** Draws a command that mostly makes sense in the configuration of now. */
type Draw = (random: SeededRandom, routing: Routing) => Command

export const operations = {
  addBackend: (random, routing) => {
    const body = { declaration: null, pool: poolOf(random, routing), url: urlOf(random), weight: random.integer(1, 3) }
    return (request) => (desk) => desk.run(decideAddBackend, { ...request, ...body })
  },
  changeBackend: (random, routing) => {
    const body = { ...backendOf(random, routing), set: { weight: random.integer(1, 5) } }
    return (request) => (desk) => desk.run(decideChangeBackend, { ...request, ...body })
  },
  changeListener: (random, routing) => {
    const listener = random.chance(0.8) ? 'shared' : `pools/${poolOf(random, routing)}`
    const plaintext = [...routing.pools.values()].filter(({ allowPlaintext }) => allowPlaintext).map(({ name }) => name)
    const answer = (what: ListenerCase): ListenerAnswer => {
      const pool = what === 'not_tls' && plaintext.length > 0 ? random.pick(plaintext) : poolOf(random, routing)
      return random.pick([null, 'refuse', { pool }, { pool }])
    }
    const set = Object.fromEntries(listenerCases.filter((what) => random.chance(what === 'not_tls' ? 0.7 : 0.2)).map((what) => [what, answer(what)]))
    return (request) => (desk) => desk.run(decideChangeListener, { ...request, listener, set })
  },
  changePool: (random, routing) => {
    const set = random.pick([
      { algorithm: random.pick(algorithms) },
      { defaultRoute: random.chance(0.5) },
      { healthCheckIntervalMs: random.pick([500, 2_000]) },
      { listen: random.pick(listens) },
      { serverNames: [`${random.pick(poolNames)}.example`] },
      { drainTimeoutMs: random.pick([null, 0, 500]) },
      { allowPlaintext: random.chance(0.6), businessNeed: 'meters that can not do better' },
      { minTlsVersion: random.pick([null, 'TLSv1.2', 'TLSv1.3'] as const) },
    ])
    const body = { name: poolOf(random, routing), set }
    return (request) => (desk) => desk.run(decideChangePool, { ...request, ...body })
  },
  createPool: (random, routing) => {
    const free = poolNames.filter((name) => !routing.pools.has(name))
    const body = newPool(random, free.length > 0 && random.chance(0.9) ? random.pick(free) : random.pick(poolNames))
    return (request) => (desk) => desk.run(decideCreatePool, { ...request, ...body })
  },
  drainBackend: (random, routing) => {
    const body = { ...backendOf(random, routing), force: random.chance(0.3) }
    return (request) => (desk) => desk.run(decideDrainBackend, { ...request, ...body })
  },
  removeBackend: (random, routing) => {
    const body = { ...backendOf(random, routing), force: random.chance(0.3) }
    return (request) => (desk) => desk.run(decideRemoveBackend, { ...request, ...body })
  },
  removePool: (random, routing) => {
    const body = { force: random.chance(0.3), name: poolOf(random, routing) }
    return (request) => (desk) => desk.run(decideRemovePool, { ...request, ...body })
  },
  resumeBackend: (random, routing) => {
    const body = backendOf(random, routing)
    return (request) => (desk) => desk.run(decideResumeBackend, { ...request, ...body })
  },
} as const satisfies Record<string, Draw>

export type Operation = keyof typeof operations

/** How often each is drawn. */
export const operationWeights: Readonly<Record<Operation, number>> = {
  addBackend: 3, changeBackend: 1, changeListener: 4, changePool: 2, createPool: 5, drainBackend: 3, removeBackend: 2, removePool: 1, resumeBackend: 2,
}

export function requestOf({ key, ticket }: Asked): Request {
  return {
    actor: operator,
    change: { ...noChange, ticket },
    file: null,
    idempotency: { digest: `${'A'.repeat(43)}=`, key },
    ifMatch: null,
    origin: { ip: '127.0.0.1', port: 50_112, via: 'api' },
  }
}

/** The pool that every world ends with: it has to work, whatever was before. */
export function createLastPool(name: string): Command {
  const backends = ['10.0.0.8', '10.0.0.9'].map((host) => ({ declaration: null, url: `https://${host}:${backendPort}`, weight: 1 }))
  const body = {
    algorithm: 'round_robin' as const, allowPlaintext: false, backends, businessNeed: null, declaration: null, defaultRoute: false, drainTimeoutMs: null,
    healthCheckIntervalMs: 2_000, listen: null, minTlsVersion: null, name, owner: null, rejectEch: false, serverNames: [`${name}.example`],
  }
  return (request) => (desk) => desk.run(decideCreatePool, { ...request, ...body })
}

function newPool(random: SeededRandom, name: string) {
  const hosts = backendHosts.filter(() => random.chance(0.5))
  const allowPlaintext = random.chance(0.4)
  return {
    allowPlaintext,
    algorithm: random.pick(algorithms),
    backends: hosts.map((host) => ({ declaration: null, url: `https://${host}:${backendPort}`, weight: random.integer(1, 3) })),
    businessNeed: allowPlaintext ? 'meters that can not do better' : null,
    declaration: null,
    defaultRoute: random.pick([null, null, true, false]),
    drainTimeoutMs: random.pick([null, 0, 500]),
    healthCheckIntervalMs: random.pick([300, 2_000, 5_000]),
    listen: random.chance(0.2) ? random.pick(listens) : null,
    minTlsVersion: random.pick([null, null, 'TLSv1.2', 'TLSv1.3'] as const),
    name,
    owner: null,
    rejectEch: false,
    serverNames: random.chance(0.8) ? [`${name}.example`] : [],
  }
}

function urlOf(random: SeededRandom): string {
  return `https://${random.pick(backendHosts)}:${backendPort}`
}

/** Mostly one that is there. */
function poolOf(random: SeededRandom, routing: Routing): string {
  const known = [...routing.pools.keys()]
  return known.length > 0 && random.chance(0.9) ? random.pick(known) : random.pick(poolNames)
}

function backendOf(random: SeededRandom, routing: Routing): { readonly id: string; readonly pool: string } {
  const pool = poolOf(random, routing)
  const known = [...(routing.pools.get(pool)?.backends.keys() ?? [])]
  return { id: known.length > 0 && random.chance(0.9) ? random.pick(known) : `${random.pick(backendHosts)}:${backendPort}`, pool }
}
