import { createPrivateKey, X509Certificate } from 'node:crypto'

const pemCertificate = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** When the first of the certificates in a PEM file expires, milliseconds since the epoch; null: it holds none that can be read. */
export function firstExpiryMs(pem: Uint8Array): number | null {
  let firstMs = Infinity
  for (const [text] of Buffer.from(pem).toString('latin1').matchAll(pemCertificate)) {
    const ms = expiryMs(text)
    if (ms === null) return null
    firstMs = Math.min(firstMs, ms)
  }
  return Number.isFinite(firstMs) ? firstMs : null
}

function expiryMs(pem: string): number | null {
  try {
    return new X509Certificate(pem).validToDate.getTime()
  } catch {
    return null
  }
}

/** Why a file does not hold what it should; null: it does. */
export function problemOfPem(pem: Uint8Array, holds: 'certificates' | 'key'): string | null {
  if (holds === 'certificates') return firstExpiryMs(pem) === null ? 'it holds no certificate in PEM that can be read' : null
  try {
    createPrivateKey(Buffer.from(pem))
    return null
  } catch {
    return 'it holds no private key in PEM without a password'
  }
}
