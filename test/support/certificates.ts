import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Throw-away certificates, made by openssl when a test file first asks for one. */

export interface KeyPair {
  readonly key: Buffer
  readonly cert: Buffer
}

const made = new Map<string, KeyPair>()

/** A self-signed certificate for a name; the same one for the same name within a test file. */
export function certificate(commonName: string): KeyPair {
  const known = made.get(commonName)
  if (known) return known
  const folder = mkdtempSync(join(tmpdir(), 'waybill-cert-'))
  try {
    const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    execFileSync('openssl', [
      'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
      '-keyout', keyFile, '-out', certFile, '-subj', `/CN=${commonName}`, '-addext', `subjectAltName=DNS:${commonName}`,
    ], { stdio: 'ignore' })
    const pair = { key: readFileSync(keyFile), cert: readFileSync(certFile) }
    made.set(commonName, pair)
    return pair
  } finally {
    rmSync(folder, { recursive: true })
  }
}
