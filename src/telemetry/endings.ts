import type { ConnectionClosedData } from '../../events/connection.ts'

/** What the end of a connection was on the wire, told from its closing record: the one place that says what counts as a reset. */

type Reason = ConnectionClosedData['close']['because']

/**
 * `reset`: a side that had begun to talk got RST instead of FIN. Whose doing it was is `by` of the record: the peer that broke, or
 * the proxy or an operator who ended it.
 *
 * | because | what happened |
 * |---|---|
 * | finished | FIN from both; or from the client before its bytes went on, and then RST to a backend that had none of them |
 * | reset, network_error | RST of a peer, or its socket broke; the other peer gets RST |
 * | operator_ended, drain_*, shutdown, audit_timeout, *_timeout | RST to both |
 * | *_not_tls, cipher_forbidden, tls_version_too_low | RST to the backend; the client may get an alert and FIN |
 * | node_lost | closed on record by a later run: not of this process |
 */
const endsBy: Readonly<Record<Reason, 'fin' | 'nothing' | 'reset'>> = {
  audit_timeout: 'reset',
  backend_not_tls: 'reset',
  cipher_forbidden: 'reset',
  client_not_tls: 'reset',
  drain_forced: 'reset',
  drain_timeout: 'reset',
  finished: 'fin',
  half_close_timeout: 'reset',
  idle_timeout: 'reset',
  network_error: 'reset',
  node_lost: 'nothing',
  operator_ended: 'reset',
  reset: 'reset',
  shutdown: 'reset',
  tls_version_too_low: 'reset',
}

export function isReset(because: Reason): boolean {
  return endsBy[because] === 'reset'
}

/** Version and suite that the backend chose, in names of which there is an end. */
export function negotiatedOf({ tls }: Pick<ConnectionClosedData, 'tls'>): { readonly cipher: string; readonly version: string } {
  // What has no name of IANA's is recorded as a number, of which a backend could make up 65,536.
  return { cipher: named(tls?.cipher ?? null, /^TLS_/), version: named(tls?.version ?? null, /^(?:SSL|TLS)v/) }
}

function named(name: string | null, known: RegExp): string {
  return name === null ? 'none' : known.test(name) ? name : 'other'
}
