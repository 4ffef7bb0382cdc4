/** Cipher suites that protect nothing, whatever anybody configured: a connection that chooses one is ended. */
import { cipherSuites } from './cipher-suites.ts'

/** RFC 9150: integrity alone, without a word in the name that says so. */
const integrityOnly: ReadonlySet<string> = new Set(['TLS_SHA256_SHA256', 'TLS_SHA384_SHA384'])

/** No encryption; nobody proves who he is; or keys that were kept short for export. */
const protectsNothing = /_WITH_NULL_|_anon_|_EXPORT(?:1024)?_/

const forbidden: ReadonlySet<number> = new Set(
  [...cipherSuites].filter(([, name]) => protectsNothing.test(name) || integrityOnly.has(name)).map(([code]) => code),
)

export function cipherForbidden(code: number): boolean {
  return forbidden.has(code)
}
