import type { Pool } from '../../projections/routing.ts'
import { dialFailed } from '../core/channels.ts'
import type { Clock } from '../core/clock.ts'
import { errnoOf } from '../core/errors.ts'
import { dialRetriesMax } from '../core/limits.ts'
import type { Endpoint } from '../core/network.ts'
import type { Random } from '../core/random.ts'
import type { Addresses } from './addresses.ts'
import { Lease, type Backends, type BackendState } from './backends.ts'
import { pick } from './balance.ts'
import type { Dialled, Link } from './engine.ts'
import type { HealthBook } from './health-book.ts'

/**
 * From a pool to a connected backend: lease, resolve, dial, and on failure the next backend. Nothing of the client's
 * has been sent yet, so trying again is safe.
 */

export interface Dialing {
  readonly addresses: Addresses
  readonly backends: Backends
  readonly clock: Clock
  readonly dialTimeoutMs: number
  readonly health: HealthBook
  readonly random: Random
}

/** One dial that failed, in the form of the record. */
export interface Attempt {
  readonly backend: string
  readonly code: string
  readonly ip: string | null
  readonly ms: number
}

export type DialRefusal = 'dial_failed' | 'no_backend' | 'no_healthy_backend' | 'resource_exhausted'

export type DialOutcome =
  | {
      readonly kind: 'connected'
      /** The caller gives it back when the connection is over. */
      readonly lease: Lease
      readonly address: Endpoint
      readonly local: Endpoint | null
      readonly attempts: readonly Attempt[]
    }
  | { readonly kind: 'refused'; readonly reason: DialRefusal; readonly attempts: readonly Attempt[] }
  | { readonly kind: 'gone'; readonly attempts: readonly Attempt[] }

/** Addresses of one backend that are tried before the next backend. */
const addressesTriedMax = 3

/** Errors of this machine, not of the backend: they never count against it, and trying another one can't help. */
const ownResourceErrors: ReadonlySet<string> = new Set([
  'EADDRNOTAVAIL', 'EAGAIN', 'EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM',
])

export function isOwnResourceError(code: string): boolean {
  return ownResourceErrors.has(code)
}

export async function dialBackend(link: Link, pool: Pool, dialing: Dialing): Promise<DialOutcome> {
  const attempts: Attempt[] = []
  const tried = new Set<string>()
  while (tried.size <= dialRetriesMax) {
    const backend = pick(pool.algorithm, dialing.backends.candidates(pool, tried), dialing.random)
    if (backend === null) break
    tried.add(backend.id)
    const lease = new Lease(backend)
    const outcome = await dialOne(link, backend, dialing, attempts)
    if (outcome.kind === 'connected') {
      dialing.health.dialSucceeded(backend)
      return { ...outcome, lease, attempts }
    }
    lease[Symbol.dispose]()
    if (outcome.kind === 'gone') return { kind: 'gone', attempts }
    if (isOwnResourceError(outcome.code)) return { kind: 'refused', reason: 'resource_exhausted', attempts }
    dialing.health.report(backend, false, 'dial_failed', outcome.code)
  }
  if (attempts.length > 0) return { kind: 'refused', reason: 'dial_failed', attempts }
  const usable = [...pool.backends.values()].some((backend) => backend.drainingSince === null)
  return { kind: 'refused', reason: usable ? 'no_healthy_backend' : 'no_backend', attempts }
}

type OneOutcome =
  | { readonly kind: 'connected'; readonly address: Endpoint; readonly local: Endpoint | null }
  | Exclude<Dialled, { kind: 'connected' }>

/** One backend: its addresses in the resolver's order until one answers. */
async function dialOne(link: Link, backend: BackendState, dialing: Dialing, attempts: Attempt[]): Promise<OneOutcome> {
  const startedMs = dialing.clock.monotonicMs()
  let addresses: readonly string[]
  try {
    addresses = await dialing.addresses.of(backend.host, dialing.dialTimeoutMs, link.closed)
  } catch (error) {
    const code = errnoOf(error)
    if (code === 'ECANCELED') return { kind: 'gone' }
    note(attempts, backend, { backend: backend.id, code, ip: null, ms: elapsed(dialing.clock, startedMs) })
    return { kind: 'failed', code }
  }
  let last: OneOutcome = { kind: 'failed', code: 'ENOTFOUND' }
  for (const ip of addresses.slice(0, addressesTriedMax)) {
    const dialMs = dialing.clock.monotonicMs()
    const address = { ip, port: backend.port }
    const dialled = await link.dial(address, dialing.dialTimeoutMs)
    if (dialled.kind === 'connected') return { kind: 'connected', address, local: dialled.local }
    last = dialled
    if (dialled.kind === 'gone') return dialled
    note(attempts, backend, { backend: backend.id, code: dialled.code, ip, ms: elapsed(dialing.clock, dialMs) })
    if (isOwnResourceError(dialled.code)) return dialled
  }
  return last
}

function note(attempts: Attempt[], { pool }: BackendState, attempt: Attempt): void {
  attempts.push(attempt)
  const { backend, code, ms } = attempt
  if (dialFailed.isHeard) dialFailed.tell({ backend, code, ms, pool })
}

function elapsed(clock: Clock, sinceMs: number): number {
  return roundMs(clock.monotonicMs() - sinceMs)
}

/** Microseconds are enough for a record. */
export function roundMs(ms: number): number {
  return Math.max(0, Math.round(ms * 1000) / 1000)
}
