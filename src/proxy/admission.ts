import {
  alpnRecordedMax,
  ConnectionOpened,
  dialAttemptsRecordedMax,
  tlsVersionsRecordedMax,
  type ConnectionOpenedData,
} from '../../events/connection.ts'
import type { Drafts } from '../log/drafts.ts'
import { NotWritten, Unsettled, type EventLog } from '../log/event-log.ts'
import type { DialOutcome } from './dial.ts'
import type { Link } from './engine.ts'
import type { ClientHello } from './hello/client-hello.ts'

/** No record, no traffic: the opened record is durable before the first client byte may go on. */

export type Admission =
  | { readonly kind: 'admitted'; readonly openedAt: string }
  /** Not on record and never will be: the client is refused. */
  | { readonly kind: 'refused'; readonly reason: 'append_timeout' | 'log_unavailable' }
  /** Written and not confirmed: it will appear, so it has to be closed on record too. */
  | { readonly kind: 'unsettled'; readonly openedAt: string }

export const serverNameRecordedMax = 512

export async function admit(log: EventLog, drafts: Drafts, opened: ConnectionOpenedData, timeoutMs: number): Promise<Admission> {
  const draft = drafts.make(ConnectionOpened, `connections/${opened.connection_id}`, opened)
  try {
    await log.append('connections', [draft], { purpose: 'admission', timeoutMs })
    return { kind: 'admitted', openedAt: draft.time }
  } catch (error) {
    if (error instanceof Unsettled) return { kind: 'unsettled', openedAt: draft.time }
    if (!(error instanceof NotWritten)) throw error
    return { kind: 'refused', reason: error.because === 'timeout' ? 'append_timeout' : 'log_unavailable' }
  }
}

export interface Admitted {
  readonly connectionId: string
  readonly dialled: Extract<DialOutcome, { kind: 'connected' }>
  readonly hello: ClientHello
  readonly link: Link
  readonly listener: string
  readonly pool: string
  readonly revision: number
}

/** The opened record's data, keys in code-unit order; lists that a client controls are cut, with a flag. */
export function openedData({ connectionId, dialled, hello, link, listener, pool, revision }: Admitted): ConnectionOpenedData {
  return {
    alpn: hello.alpn.slice(0, alpnRecordedMax).map((protocol) => protocol.slice(0, 255)),
    alpn_truncated: hello.alpn.length > alpnRecordedMax,
    attempts: dialled.attempts.slice(0, dialAttemptsRecordedMax),
    backend: dialled.lease.backend.id,
    backend_address: dialled.address,
    client: link.client,
    connection_id: connectionId,
    listener,
    local_address: dialled.local,
    pool,
    revision,
    server_name: recordedName(hello),
    tls_versions: hello.tlsVersions.slice(0, tlsVersionsRecordedMax),
    tls_versions_truncated: hello.tlsVersions.length > tlsVersionsRecordedMax,
  }
}

export function recordedName(hello: ClientHello): string | null {
  return hello.serverName === null || hello.serverName === '' ? null : hello.serverName.slice(0, serverNameRecordedMax)
}
