import {
  alpnRecordedMax,
  ConnectionOpened,
  dialAttemptsRecordedMax,
  tlsVersionsRecordedMax,
  type ConnectionOpenedData,
} from '../../events/connection.ts'
import type { RoutedBy } from '../../events/tls.ts'
import type { Drafts } from '../log/drafts.ts'
import { NotWritten, Unsettled, type EventLog } from '../log/event-log.ts'
import type { DialOutcome } from './dial.ts'
import type { Link } from './engine.ts'
import { cutPrintable } from './hello/bytes.ts'
import type { ClientHello } from './hello/client-hello.ts'
import { ja4 } from './hello/ja4.ts'

/** No record, no traffic: the opened record is durable before the first client byte may go on. */

export type Admission =
  | { readonly kind: 'admitted'; readonly openedAt: string }
  /** Not on record and never will be: the client is refused. */
  | { readonly kind: 'refused'; readonly reason: 'append_timeout' | 'log_unavailable' }
  /** Written and not confirmed: it will appear, so it has to be closed on record too. */
  | { readonly kind: 'unsettled'; readonly openedAt: string }

const serverNameRecordedMax = 512
const alpnCharactersMax = 255
/** A closing record has room for this much of what is no name. */
const routedNoNameMax = 128

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
  /** Null: there was none that could be read. */
  readonly hello: ClientHello | null
  readonly link: Link
  readonly listener: string
  readonly pool: string
  readonly revision: number
  readonly routedBy: RoutedBy
}

/** The opened record's data, keys in code-unit order; lists that a client controls are cut, with a flag. */
export function openedData({ connectionId, dialled, hello, link, listener, pool, revision, routedBy }: Admitted): ConnectionOpenedData {
  const [alpn, tlsVersions] = [hello?.alpn ?? [], hello?.tlsVersions ?? []]
  return {
    alpn: alpn.slice(0, alpnRecordedMax).map((protocol) => cutPrintable(protocol, alpnCharactersMax)),
    alpn_truncated: alpn.length > alpnRecordedMax,
    attempts: dialled.attempts.slice(0, dialAttemptsRecordedMax),
    backend: dialled.lease.backend.id,
    backend_address: dialled.address,
    client: link.client,
    connection_id: connectionId,
    ech_offered: hello?.echOffered === true,
    encrypted: hello !== null ? true : routedBy === 'not_tls' ? false : null,
    ja4: hello === null ? null : ja4(hello),
    listener,
    local_address: dialled.local,
    pool,
    revision,
    routed_by: routedBy,
    server_name: hello?.serverNameKind === 'invalid' ? recordedName(hello, routedNoNameMax) : recordedName(hello),
    tls_versions: tlsVersions.slice(0, tlsVersionsRecordedMax),
    tls_versions_truncated: tlsVersions.length > tlsVersionsRecordedMax,
  }
}

export function recordedName(hello: ClientHello | null, charactersMax = serverNameRecordedMax): string | null {
  return hello === null || hello.serverName === null || hello.serverName === '' ? null : cutPrintable(hello.serverName, charactersMax)
}
