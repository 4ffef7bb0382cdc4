import { closingActor, type ConnectionClosedData, type RefusalReason } from '../../events/connection.ts'
import type { Routing } from '../../projections/routing.ts'
import type { Clock } from '../core/clock.ts'
import type { MakeId } from '../core/ids.ts'
import type { Drafts } from '../log/drafts.ts'
import type { EventLog } from '../log/event-log.ts'
import { admit, openedData, recordedName } from './admission.ts'
import type { Lease } from './backends.ts'
import { dialBackend, roundMs, type Attempt, type Dialing } from './dial.ts'
import type { Link, LinkClosed } from './engine.ts'
import type { OpenLink, OpenLinks } from './open-links.ts'
import type { Refusals } from './refusals.ts'
import { findPool } from './route.ts'

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
  stages.openLinks.close(open, closedData(open, closed, at))
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
  if (peeked.kind === 'gone') return refuse(link, entry, stages, await whyGone(link), {})
  if (peeked.kind === 'refused') return refuse(link, entry, stages, peeked.reason, { detail: peeked.detail })
  const { hello } = peeked
  const serverName = recordedName(hello)
  if (hello.serverNameKind === 'invalid') {
    return refuse(link, entry, stages, 'hello_malformed', { serverName, detail: 'the server name is not a host name' })
  }

  const routing = stages.routing()
  const pool = findPool(routing, entry.ownPool, hello.matchName)
  if (pool === null) return refuse(link, entry, stages, 'no_route', { serverName })

  const dialled = await dialBackend(link, pool, stages.dialing)
  const dialMs = clock.monotonicMs()
  if (dialled.kind !== 'connected') {
    const reason = dialled.kind === 'gone' ? await whyGone(link) : dialled.reason
    return refuse(link, entry, stages, reason, { serverName, pool: pool.name, attempts: dialled.attempts })
  }
  const { lease } = dialled

  const opened = openedData({
    connectionId: stages.makeId(), dialled, hello, link, listener: entry.listener, pool: pool.name, revision: routing.revision,
  })
  const admission = await admit(stages.log, stages.drafts, opened, stages.appendTimeoutMs)
  const recordMs = clock.monotonicMs()
  if (admission.kind === 'refused') {
    lease[Symbol.dispose]()
    return refuse(link, entry, stages, admission.reason, { serverName, pool: pool.name, attempts: dialled.attempts })
  }

  const open = stages.openLinks.add(opened, admission.openedAt, link, lease.backend)
  if (admission.kind === 'unsettled') link.abort({ by: 'proxy', because: 'audit_timeout', code: null })
  // The drain of its backend was over before it was open.
  else if (lease.backend.ending !== null) link.abort(lease.backend.ending)
  else link.go()
  return { lease, open, at: { acceptedMs: link.acceptedMs, helloMs, dialMs, recordMs } }
}

/** The client left before its opened record was written, or the node is stopping. */
async function whyGone(link: Link): Promise<RefusalReason> {
  const { by } = await link.closed
  return by === 'client' ? 'client_gone' : 'shutting_down'
}

interface RefusalDetails {
  readonly attempts?: readonly Attempt[]
  readonly detail?: string | null
  readonly pool?: string
  readonly serverName?: string | null
}

function refuse(link: Link, entry: Entry, stages: Stages, reason: RefusalReason, details: RefusalDetails): null {
  link.refuse()
  stages.refusals.record({
    reason,
    client: link.client,
    listener: entry.listener,
    afterMs: roundMs(stages.clock.monotonicMs() - link.acceptedMs),
    attempts: details.attempts ?? [],
    detail: details.detail ?? null,
    pool: details.pool ?? null,
    serverName: details.serverName ?? null,
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
  }
}
