import { createServer as createHttps } from 'node:https'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, expect, test, vi } from 'vitest'
import { ConnectionRefused } from '../../events/connection.ts'
import { startTraces } from '../../src/cli/trace-parts.ts'
import { readOtelSettings } from '../../src/config/otel.ts'
import { connectionRefused } from '../../src/core/channels.ts'
import { idMaker } from '../../src/core/ids.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { systemClock } from '../../src/core/system/clock.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { startMetricsExport } from '../../src/telemetry/otlp/metrics-export.ts'
import { resourceOf } from '../../src/telemetry/otlp/resource.ts'
import { certificate } from '../support/certificates.ts'

/** What the exporters of the SDK make of the OTEL_* variables, which they read themselves, seen from the other end. */

afterEach(() => {
  vi.unstubAllEnvs()
})

interface Request {
  readonly path: string | undefined
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

interface Intake extends AsyncDisposable {
  readonly port: number
  readonly requests: Request[]
}

async function intake(status: number, answer: string, make: (serve: RequestListener) => Server = createServer, delayMs = 0): Promise<Intake> {
  const requests: Request[] = []
  const server = make((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      requests.push({ body: Buffer.concat(chunks), headers: request.headers, path: request.url })
      setTimeout(() => response.writeHead(status).end(answer), delayMs)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

const facts = { cluster: 'edge', hostname: 'host-1', node: 'a', pid: 7, version: '1.2.3' }

/** One export of one number: the last one, at the end. Returns the lines of the log. */
async function exportOnce(variables: Readonly<Record<string, string>>): Promise<string> {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value)
  let lines = ''
  const logger = createLogger({ about: {}, clock: systemClock, destination: { write: (line: string) => void (lines += line) }, level: 'debug' })
  const settings = readOtelSettings()
  const exporting = await startMetricsExport({
    clock: systemClock, logger, sinceMs: systemClock.now(), settings: settings.metrics!, version: '1.2.3', withoutSecrets: settings.withoutSecrets,
    collect: () => Promise.resolve([{ help: 'x', name: 'waybill_log_records_total', type: 'counter' as const, values: [{ labels: { stream: 'control' }, value: 7 }] }]),
    resource: resourceOf(facts, settings.resource),
  })
  await exporting[Symbol.asyncDispose]()
  return lines
}

test('address, headers, compression and resource are those of the variables', async () => {
  await using collector = await intake(200, '')
  const lines = await exportOnce({
    OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip', OTEL_EXPORTER_OTLP_ENDPOINT: `http://me:pass@127.0.0.1:${collector.port}/base/`,
    OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=acme-tenant', OTEL_RESOURCE_ATTRIBUTES: 'team=net',
  })
  const [{ body, headers, path }] = collector.requests as [Request]
  expect(path).toBe('/base/v1/metrics')
  expect(headers).toMatchObject({
    authorization: `Basic ${Buffer.from('me:pass').toString('base64')}`, 'content-encoding': 'gzip', 'content-type': 'application/x-protobuf',
    'user-agent': expect.stringMatching(/^waybill\/1\.2\.3 /), 'x-tenant': 'acme-tenant',
  })
  const text = gunzipSync(body).toString('latin1')
  for (const said of ['waybill.log.records', 'service.instance.id', 'edge/a', 'team', 'net']) expect(text).toContain(said)
  expect(lines).toContain('"endpoint":"http://[redacted]@127.0.0.1')
  for (const secret of ['pass', 'acme-tenant']) expect(lines).not.toContain(secret)
})

test('a certificate that a variable names is trusted, and one that none names is not', async () => {
  const { cert, key } = certificate('localhost')
  await using collector = await intake(200, '', (serve) => createHttps({ cert, key }, serve))
  const folder = await mkdtemp(join(tmpdir(), 'waybill-otlp-'))
  try {
    await writeFile(join(folder, 'ca.pem'), cert)
    const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: `https://localhost:${collector.port}` }
    expect(await exportOnce(endpoint)).toContain('DEPTH_ZERO_SELF_SIGNED_CERT')
    expect(collector.requests).toHaveLength(0)
    expect(await exportOnce({ ...endpoint, OTEL_EXPORTER_OTLP_CERTIFICATE: join(folder, 'ca.pem') })).not.toContain('warn')
    expect(collector.requests).toHaveLength(1)
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('an answer that repeats what was sent is not repeated in the log', async () => {
  await using collector = await intake(401, 'unknown token s3cr3t-token in authorization: Bearer s3cr3t-token')
  const lines = await exportOnce({
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.port}`, OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20s3cr3t-token',
  })
  expect(collector.requests[0]!.headers).toHaveProperty('authorization', 'Bearer s3cr3t-token')
  expect(lines).toContain('"because":"Unauthorized (401)"')
  expect(lines).not.toContain('s3cr3t-token')
})

test.each(['http/protobuf', 'grpc'])('nobody there is one line that says so: %s', async (protocol) => {
  const lines = await exportOnce({
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_EXPORTER_OTLP_PROTOCOL: protocol, OTEL_EXPORTER_OTLP_TIMEOUT: '500',
  })
  expect(lines.split('\n').filter((line) => line.includes('"warn"'))).toEqual([expect.stringMatching(/"because":"[^"]*ECONNREFUSED/)])
})

test.each([1_500, 2_048 + 512])('the end sends all spans that wait, in as many batches as they are: %d', async (spans) => {
  await using collector = await intake(200, '', createServer, 20)
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', `http://127.0.0.1:${collector.port}`)
  vi.stubEnv('OTEL_TRACES_SAMPLER', 'always_on')
  const traces = await startTraces({ clock: systemClock, logger: silentLogger, otel: readOtelSettings(), settings: { api: { ip: '127.0.0.1', port: 4_000 } } }, facts)
  const makeId = idMaker(systemClock, systemRandom)
  const refused = ConnectionRefused.data.parse(ConnectionRefused.examples[0])
  for (let told = 0; told < spans; told += 1) {
    connectionRefused.tell({ afterMs: 1, attempts: 0, because: 'not_tls', listener: 'shared', pool: null, record: { id: makeId(), refused } })
  }
  await traces![Symbol.asyncDispose]()
  expect(traces!.counts).toEqual({ dropped: 0, exported: spans, failed: 0 })
  expect(collector.requests).toHaveLength(Math.ceil(spans / 512))
})
