import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { X509Certificate } from 'node:crypto'
import { CertificateExpiry } from '../../src/cli/certificate-expiry.ts'
import { firstExpiryMs } from '../../src/core/system/certificates.ts'
import { openDescriptors } from '../../src/core/system/descriptors.ts'
import { systemDisk } from '../../src/core/system/disk.ts'
import { certificate } from '../support/certificates.ts'
import { ManualClock } from '../support/manual-clock.ts'

/** Where the numbers of the metrics come from that neither the data path nor the log knows. */

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'waybill-metrics-'))))
afterAll(() => rmSync(folder, { recursive: true }))

describe('when certificates expire', () => {
  const { cert } = certificate('broker.example.test')
  const expiryMs = new X509Certificate(cert).validToDate.getTime()

  test('the first of all that are in a file', () => {
    expect(firstExpiryMs(cert)).toBe(expiryMs)
    expect(firstExpiryMs(Buffer.concat([Buffer.from('# a comment\n'), cert, Buffer.from('\r\n'), cert]))).toBe(expiryMs)
  })

  test.each([
    ['nothing', ''],
    ['a key', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'],
    ['a certificate that is none', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'],
  ])('unknown for %s', (_what, text) => {
    expect(firstExpiryMs(Buffer.from(text))).toBeNull()
  })

  test('looked up again after a minute, and not before', async () => {
    const clock = new ManualClock()
    const path = join(folder, 'ca.pem')
    const expiry = new CertificateExpiry(clock, systemDisk, { path, setting: 'kafka_ca' })
    expect(await expiry.ms()).toBeNull()
    writeFileSync(path, cert)
    clock.advance(59_999)
    expect(await expiry.ms()).toBeNull()
    clock.advance(1)
    expect(await expiry.ms()).toBe(expiryMs)
  })
})

// Elsewhere the system does not say.
test.skipIf(process.platform !== 'linux')('open descriptors are counted', async () => {
  const before = (await openDescriptors())!
  const files = await Promise.all(Array.from({ length: 50 }, () => open('/dev/null')))
  const during = (await openDescriptors())!
  expect(during - before).toBeGreaterThanOrEqual(45)
  await Promise.all(files.map((file) => file.close()))
  expect(during - (await openDescriptors())!).toBeGreaterThanOrEqual(45)
})
