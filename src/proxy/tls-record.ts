import type { TlsFactsRecorded } from '../../events/tls.ts'
import { versionName } from './hello/versions.ts'
import type { TlsFacts } from './tls/handshake-watch.ts'
import { alertName, cipherSuiteName, groupName } from './tls/names.ts'

/** What a handshake said in the clear, in the words of records; null: there was none. Keys in code-unit order. */
export function recordedTls(facts: TlsFacts | null): TlsFactsRecorded {
  if (facts === null || facts.plaintext) return null
  return {
    alerts: facts.alerts.map(({ by, code }) => ({ by, code, name: alertName(code) })),
    cipher: facts.cipher === null ? null : cipherSuiteName(facts.cipher),
    group: facts.group === null ? null : groupName(facts.group),
    handshake: facts.handshake,
    hello_retry_request: facts.helloRetryRequest,
    resumed: facts.resumed,
    version: facts.version === null ? null : versionName(facts.version),
  }
}

/** What is known now of a connection that was opened as `encrypted`: that its backend speaks no TLS may have shown since. */
export function encryptedNow(opened: boolean | null, facts: TlsFacts | null): boolean | null {
  return facts?.plaintext === true ? false : opened
}
