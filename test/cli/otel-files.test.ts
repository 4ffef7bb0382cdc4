import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readOtelSettings } from '../../src/config/otel.ts'
import { systemDisk } from '../../src/core/system/disk.ts'
import { checkOtelFiles } from '../../src/cli/otel-files.ts'
import { certificate } from '../support/certificates.ts'
import { TemporaryFolder } from '../support/waybill.ts'

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector:4318' }

function check(environment: Readonly<Record<string, string>>): Promise<void> {
  return checkOtelFiles(readOtelSettings({ ...endpoint, ...environment }), systemDisk)
}

test('a file of an exporter that it would do without stops the start, and is named with its variable', async () => {
  using folder = new TemporaryFolder()
  const at = (name: string, content: string | Buffer): string => {
    writeFileSync(join(folder.path, name), content)
    return join(folder.path, name)
  }
  const { cert, key } = certificate('collector')
  const good = { OTEL_EXPORTER_OTLP_CERTIFICATE: at('ca.pem', cert), OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: at('cert.pem', cert), OTEL_EXPORTER_OTLP_CLIENT_KEY: at('key.pem', key) }
  await check({})
  await check(good)

  const missing = join(folder.path, 'nobody')
  await expect(check({ ...good, OTEL_EXPORTER_OTLP_CERTIFICATE: missing })).rejects.toMatchObject({
    code: 'settings_invalid', message: `OTEL_EXPORTER_OTLP_CERTIFICATE: ${missing} can't be read (ENOENT).`,
  })
  const other = at('other', 'root:x:0:0\n')
  await expect(check({ OTEL_EXPORTER_OTLP_CERTIFICATE: other, OTEL_EXPORTER_OTLP_CLIENT_KEY: other })).rejects.toMatchObject({
    message: `OTEL_EXPORTER_OTLP_CERTIFICATE: ${other}: it holds no certificate in PEM that can be read.\nOTEL_EXPORTER_OTLP_CLIENT_KEY: ${other}: it holds no private key in PEM without a password.`,
  })
  // The variable of a signal wins, for that signal.
  await expect(check({ ...good, OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE: missing })).rejects.toThrow(`OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE: ${missing}`)
  await check({ ...good, OTEL_LOGS_EXPORTER: 'none', OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE: missing })
})
