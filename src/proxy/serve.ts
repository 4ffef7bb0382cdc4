import { closingActor, type ConnectionClosedData, type RefusalReason } from '../../events/connection.ts'
import type { RoutedBy } from '../../events/tls.ts'
import type { Pool, Routing } from '../../projections/routing.ts'
import { connectionClosed, connectionOpened } from '../core/channels.ts'
import type { Clock } from '../core/clock.ts'
import type { MakeId } from '../core/ids.ts'
import type { Drafts } from '../log/drafts.ts'
import type { EventLog } from '../log/event-log.ts'
import { admit, openedData, recordedName } from './admission.ts'
import { alertOfRefusal, alertRecord } from './alerts.ts'
import type { Lease } from './backends.ts'
import { dialBackend, roundMs, type Attempt, type Dialing } from './dial.ts'
import type { Link, LinkClosed, Watching } from './engine.ts'
import type { ClientHello } from './hello/client-hello.ts'
import { typeEarlyData } from './hello/extensions.ts'
import { ja4 } from './hello/ja4.ts'
import type { ProtocolHint } from './hello/protocol-hint.ts'
import { versionNumber } from './hello/versions.ts'
import type { OpenLink, OpenLinks } from './open-links.ts'
import { postgresRefusal } from './postgres-refusal.ts'
import type { Refusals } from './refusals.ts'
import { findPool } from './route.ts'
import { encryptedNow, recordedTls } from './tls-record.ts'

/** The data path: one client, from its first bytes to its closing record. */

export interface Stages {
  readonly appendTimeoutMs: number
  readonly clock: Clock
  readonly dialing: Dialing
  readonly drafts: Drafts
  readonly log: EventLog
  readonly makeId: MakeId
  readonly openLinks: OpenLinks
  readonly refusals: Refusals
  /** The configuration now; held for the whole connection. */
  routing(): Routing
  /** Whether clients are told why they get no further, where TLS has an alert for it. */
  readonly tlsAlerts: boolean
}

/** Where the client came in: the shared listener, or a pool's own. */
export interface Entry {
  readonly listener: string
  readonly ownPool: string | null
}

/** Read it top to bottom: peek, route, lease and dial, record, relay, close. Never throws but for our own bugs. */
export async function serve(link: Link, entry: Entry, stages: Stages): Promise<void> {
  const admitted = await letIn(link, entry, stages)
  if (admitted === null) return
  const { lease, open, at } = admitted
  using _lease = lease
  const closed = await link.closed
  if (closed.because === 'drain_forced' || closed.because === 'drain_timeout') lease.backend.endedByDrain += 1
  const data = closedData(open, closed, at)
  if (connectionClosed.isHeard) connectionClosed.tell({ opened: open.opened, closed: data, closedMs: closed.closedMs })
  stages.openLinks.close(open, data)
}

/** What is kept of a client for as long as it is connected: there may be very many. */
interface LetIn {
  readonly lease: Lease
  readonly open: OpenLink
  readonly at: Moments
}

/** From the first bytes to the start of the relay; null: refused, and on record as that. */
async function letIn(link: Link, entry: Entry, stages: Stages): Promise<LetIn | null> {
  const { clock } = stages
  const peeked = await link.hello
  const helloMs = clock.monotonicMs()
  if (peeked.kind === 'gone') return refuse(link, entry, stages, await whyGone(link), null)
  if (peeked.kind === 'left') {
    return refuse(link, entry, stages, 'client_gone', null, { detail: peeked.code ?? 'FIN before a complete hello' })
  }

  const hello = peeked.kind === 'hello' ? peeked.hello : null
  const routing = stages.routing()
  const found = findPool(routing, entry.ownPool, peeked)
  if (found.kind === 'refused') {
    const hint = peeked.kind === 'no_hello' ? peeked.hint : null
    return refuse(link, entry, stages, found.reason, hello, { detail: found.detail, hint, pool: found.pool })
  }
  const { pool, routedBy } = found

  const dialled = await dialBackend(link, pool, stages.dialing)
  const dialMs = clock.monotonicMs()
  if (dialled.kind !== 'connected') {
    const reason = dialled.kind === 'gone' ? await whyGone(link) : dialled.reason
    return refuse(link, entry, stages, reason, hello, { pool: pool.name, attempts: dialled.attempts })
  }
  const { lease } = dialled

  const opened = openedData({
    connectionId: stages.makeId(), dialled, hello, link, listener: entry.listener, pool: pool.name, revision: routing.revision, routedBy,
  })
  const admission = await admit(stages.log, stages.drafts, opened, stages.appendTimeoutMs)
  const recordMs = clock.monotonicMs()
  if (admission.kind === 'refused') {
    lease[Symbol.dispose]()
    return refuse(link, entry, stages, admission.reason, hello, { pool: pool.name, attempts: dialled.attempts })
  }

  const open = stages.openLinks.add(opened, admission.openedAt, link, lease.backend)
  const at = { acceptedMs: link.acceptedMs, helloMs, dialMs, recordMs }
  if (connectionOpened.isHeard) connectionOpened.tell({ opened, ...at })
  if (admission.kind === 'unsettled') link.abort({ by: 'proxy', because: 'audit_timeout', code: null })
  // The drain of its backend was over before it was open.
  else if (lease.backend.ending !== null) link.abort(lease.backend.ending)
  else link.go(watching(pool, hello, routedBy, stages.tlsAlerts))
  return { lease, open, at }
}

/** Null: the client does not speak TLS, so there is nothing to watch and nothing to ask of the backend. */
function watching(pool: Pool, hello: ClientHello | null, routedBy: RoutedBy, tlsAlerts: boolean): Watching | null {
  if (routedBy === 'not_tls') return null
  const terms = {
    earlyDataOffered: hello?.extensions.includes(typeEarlyData) === true,
    sessionId: hello === null ? null : hello.sessionId,
    minTlsVersion: pool.minTlsVersion === null ? null : versionNumber(pool.minTlsVersion),
    clientUnread: routedBy === 'timeout' && !pool.allowPlaintext,
    plaintextAllowed: hello === null && pool.allowPlaintext,
  }
  return { terms, tlsAlerts }
}

/** The client left before its opened record was written, or the node is stopping. */
async function whyGone(link: Link): Promise<RefusalReason> {
  const { by } = await link.closed
  return by === 'client' ? 'client_gone' : 'shutting_down'
}

interface RefusalDetails {
  readonly attempts?: readonly Attempt[]
  readonly detail?: string | null
  readonly hint?: ProtocolHint | null
  readonly pool?: string | null
}

function refuse(
  link: Link, entry: Entry, stages: Stages, reason: RefusalReason, hello: ClientHello | null, details: RefusalDetails = {},
): null {
  const alert = stages.tlsAlerts ? alertOfRefusal(reason) : null
  const speaksPostgres = stages.tlsAlerts && (details.hint === 'a PostgreSQL SSLRequest' || details.hint === 'a PostgreSQL GSSENCRequest')
  const told = link.refuse(alert !== null ? alertRecord(alert) : speaksPostgres ? postgresRefusal() : null)
  stages.refusals.record({
    reason,
    client: link.client,
    listener: entry.listener,
    afterMs: roundMs(stages.clock.monotonicMs() - link.acceptedMs),
    alert: told ? alert : null,
    attempts: details.attempts ?? [],
    detail: details.detail ?? null,
    ja4: hello === null ? null : ja4(hello),
    pool: details.pool ?? null,
    serverName: recordedName(hello),
  })
  return null
}

interface Moments {
  readonly acceptedMs: number
  readonly helloMs: number
  readonly dialMs: number
  readonly recordMs: number
}

/** The closing record's data, keys in code-unit order. */
function closedData({ opened }: OpenLink, closed: LinkClosed, at: Moments): ConnectionClosedData {
  return {
    backend: opened.backend,
    backend_address: opened.backend_address,
    bytes_quality: closed.exact ? 'exact' : 'at_least',
    bytes_to_backend: closed.bytesToBackend,
    bytes_to_client: closed.bytesToClient,
    client: opened.client,
    close: {
      actor: closed.actor === undefined ? null : closingActor(closed.actor),
      because: closed.because,
      by: closed.by,
      code: closed.code,
      phase: closed.phase,
    },
    connection_id: opened.connection_id,
    encrypted: encryptedNow(opened.encrypted, closed.tls),
    listener: opened.listener,
    pool: opened.pool,
    server_name: opened.server_name,
    timings: {
      dial: roundMs(at.dialMs - at.helloMs),
      first_backend_byte: closed.firstBackendByteMs === null ? null : roundMs(closed.firstBackendByteMs - at.recordMs),
      hello: roundMs(at.helloMs - at.acceptedMs),
      // A lease never waits here: a pool without a free backend refuses at once.
      queue: 0,
      record: roundMs(at.recordMs - at.dialMs),
      total: roundMs(closed.closedMs - at.acceptedMs),
    },
    tls: recordedTls(closed.tls),
  }
}
