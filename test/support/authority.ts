import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KeyPair } from './certificates.ts'

/** A throw-away certificate authority, made by openssl: for servers and clients that verify each other. */

export interface Authority {
  /** PEM of its own certificate. */
  readonly cert: Buffer
  /** A key and a certificate from it for names as openssl spells them, such as `DNS:localhost,IP:127.0.0.1`. */
  issue(commonName: string, names: string): KeyPair
}

const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'] as const

export function makeAuthority(commonName: string): Authority {
  const own = inFolder((folder) => {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    openssl('req', '-x509', ...curve, '-days', '2', '-keyout', key, '-out', cert, '-subj', `/CN=${commonName}`)
    return { cert: readFileSync(cert), key: readFileSync(key) }
  })
  return { cert: own.cert, issue: (name, names) => issue(own, name, names) }
}

function issue(authority: KeyPair, commonName: string, names: string): KeyPair {
  return inFolder((folder) => {
    const at = (name: string): string => join(folder, name)
    writeFileSync(at('ca.pem'), authority.cert)
    writeFileSync(at('ca.key'), authority.key, { mode: 0o600 })
    writeFileSync(at('names'), `subjectAltName=${names}\n`)
    openssl('req', ...curve, '-keyout', at('key.pem'), '-out', at('request.pem'), '-subj', `/CN=${commonName}`)
    openssl('x509', '-req', '-in', at('request.pem'), '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2', '-extfile', at('names'), '-out', at('cert.pem'))
    return { cert: readFileSync(at('cert.pem')), key: readFileSync(at('key.pem')) }
  })
}

function openssl(...words: readonly string[]): void {
  execFileSync('openssl', words, { stdio: 'ignore' })
}

function inFolder<Made>(make: (folder: string) => Made): Made {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-authority-'))
  try {
    return make(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
