import type { RefusalReason } from '../../events/connection.ts'
import type { RoutedBy } from '../../events/tls.ts'
import type { ListenerCase } from '../../events/values.ts'
import { answerIn } from '../../projections/listeners.ts'
import type { Pool, Routing } from '../../projections/routing.ts'
import { poolOfName } from '../../projections/server-names.ts'
import { canonicalIp } from '../core/endpoint.ts'
import type { NoHello } from './engine.ts'
import type { ClientHello } from './hello/client-hello.ts'
import { highestOffered, versionName, versionNumber } from './hello/versions.ts'

/**
 * Which pool a client goes to, or why to none: by its server name, by the listener that it came to, or by what that
 * listener does with hellos that lead nowhere. A pool that nobody named for it never gets what could not be read.
 */

export type Found =
  | { readonly kind: 'pool'; readonly pool: Pool; readonly routedBy: RoutedBy }
  | { readonly kind: 'refused'; readonly reason: RefusalReason; readonly detail: string | null; readonly pool: string | null }

export type Judged = { readonly kind: 'hello'; readonly hello: ClientHello } | NoHello

const reasons = {
  malformed: 'hello_malformed',
  no_sni: 'no_sni',
  not_tls: 'not_tls',
  sslv2: 'sslv2',
  timeout: 'peek_timeout',
  too_large: 'hello_too_large',
  unknown_sni: 'unknown_sni',
} as const satisfies Record<ListenerCase, RefusalReason>

/** `ownPool`: the pool whose own listener it is; null: the shared one. */
export function findPool(routing: Routing, ownPool: string | null, peeked: Judged): Found {
  if (peeked.kind === 'no_hello') return byCase(routing, ownPool, peeked.what, peeked.detail)
  const { hello } = peeked
  const found = poolOfHello(routing, ownPool, hello)
  return found.kind === 'pool' ? (againstPool(found.pool, hello) ?? found) : found
}

function poolOfHello(routing: Routing, ownPool: string | null, hello: ClientHello): Found {
  if (hello.serverNameKind === 'invalid') return byCase(routing, ownPool, 'malformed', 'the server name is not a host name')
  const name = byName(routing, hello)
  const pool = name === null || (ownPool !== null && name !== ownPool) ? undefined : routing.pools.get(name)
  if (pool !== undefined) return { kind: 'pool', pool, routedBy: 'server_name' }
  if (hello.serverNameKind === 'ip_literal') {
    return byCase(routing, ownPool, 'no_sni', 'an IP address as server name, which RFC 6066 forbids, counts as none')
  }
  return byCase(routing, ownPool, hello.matchName === null ? 'no_sni' : 'unknown_sni', null)
}

/** An IP literal can be claimed as it is, and no wildcard stands for one. */
function byName(routing: Routing, { matchName, serverName, serverNameKind, trailingDot }: ClientHello): string | null {
  if (matchName !== null) return poolOfName(routing, matchName)
  if (serverName === null || serverNameKind !== 'ip_literal') return null
  const written = trailingDot ? serverName.slice(0, -1) : serverName
  const ip = canonicalIp(written.replace(/^\[(.*)\]$/, '$1'))
  return 'value' in ip ? (routing.exactNames.get(ip.value) ?? null) : null
}

function byCase(routing: Routing, ownPool: string | null, what: ListenerCase, detail: string | null): Found {
  const answer = answerIn(routing, ownPool, what)
  const pool = answer.pool === null ? undefined : routing.pools.get(answer.pool)
  if (pool === undefined) return { kind: 'refused', reason: reasons[what], detail, pool: ownPool }
  // The rules do not let it come to this; a log of someone else's might.
  if (what === 'not_tls' && !pool.allowPlaintext) {
    return { kind: 'refused', reason: 'not_tls', detail: `pool ${pool.name} does not allow plaintext`, pool: pool.name }
  }
  return { kind: 'pool', pool, routedBy: answer.because === 'listener' ? 'listener' : what }
}

/** What the pool asks of a hello; null: it is content. */
function againstPool(pool: Pool, hello: ClientHello): Found | null {
  if (pool.rejectEch && hello.echOffered) {
    const detail = 'the hello offers Encrypted Client Hello, and the pool rejects that'
    return { kind: 'refused', reason: 'ech_offered', detail, pool: pool.name }
  }
  if (pool.minTlsVersion === null) return null
  const highest = highestOffered(hello.legacyVersion, hello.supportedVersions)
  if (highest !== null && highest >= versionNumber(pool.minTlsVersion)) return null
  const offered = highest === null ? 'no version that is known' : `at most ${versionName(highest)}`
  return { kind: 'refused', reason: 'tls_version_too_low', detail: `${offered} is offered, and the pool asks for ${pool.minTlsVersion}`, pool: pool.name }
}
