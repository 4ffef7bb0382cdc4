import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import net from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { beforeAll, expect, test } from 'vitest'
import { collectorMissing } from '../../support/collector/binary.ts'
import { startCollector, type RunningCollector } from '../../support/collector/collector.ts'
import { listen } from '../../support/peers.ts'
import { root, TemporaryFolder } from '../../support/waybill.ts'

/** Lines of a real process at a real collector, and what becomes of them where there is none. */

interface OtlpAttribute {
  readonly key: string
  readonly value: { readonly stringValue?: string; readonly intValue?: string }
}
interface OtlpLogs {
  readonly resource: { readonly attributes: readonly OtlpAttribute[] }
  readonly scopeLogs: readonly { readonly scope: object; readonly logRecords: readonly OtlpLine[] }[]
}
interface OtlpLine {
  readonly body: { readonly stringValue: string }
  readonly severityNumber: number
  readonly severityText: string
  readonly timeUnixNano: string
  readonly attributes?: readonly OtlpAttribute[]
}

let missing: string | null = null
beforeAll(async () => {
  missing = await collectorMissing()
})

interface Speaking extends AsyncDisposable {
  readonly lines: Record<string, unknown>[]
  readonly api: string
  stop(): Promise<number | null>
}

async function startSpeaking(data: string, variables: Readonly<Record<string, string>>): Promise<Speaking> {
  const args = ['src/main.ts', 'serve', '--data', data, '--api', '127.0.0.1:0', '--listen', '127.0.0.1:0', '--node', 'n1', '--cluster', 'edge']
  const child = spawn(process.execPath, args, { cwd: root, env: { ...process.env, ...variables }, stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'close').then(([code]) => code as number | null)
  const lines: Record<string, unknown>[] = []
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(JSON.parse(line) as Record<string, unknown>))
  const ready = () => lines.find(({ message }) => message === 'ready')
  while (ready() === undefined) {
    if (child.exitCode !== null) throw new Error(`waybill ended with ${child.exitCode}`)
    await wait(10)
  }
  return {
    lines,
    api: `http://${ready()!['api'] as string}`,
    stop: () => {
      child.kill('SIGTERM')
      return exited
    },
    [Symbol.asyncDispose]: async () => void (child.kill('SIGKILL') && (await exited)),
  }
}

async function receivedLogs(collector: RunningCollector): Promise<OtlpLogs[]> {
  return (await collector.received()).flatMap(({ resourceLogs = [] }) => resourceLogs as OtlpLogs[])
}

test.for(['grpc', 'http/protobuf'] as const)('by %s a collector gets every line from the first to the last, without secrets', async (protocol, { skip }) => {
  if (missing !== null) return skip(missing)
  using folder = new TemporaryFolder()
  await using collector = await startCollector()
  await using waybill = await startSpeaking(join(folder.path, 'data'), {
    OTEL_LOGS_EXPORTER: 'otlp', OTEL_EXPORTER_OTLP_PROTOCOL: protocol, OTEL_EXPORTER_OTLP_HEADERS: 'x-team=s3cr3t-header-value',
    OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: protocol === 'grpc' ? collector.endpoints.grpc : `${collector.endpoints.http}/v1/logs`,
    OTEL_BLRP_SCHEDULE_DELAY: '50',
  })
  await fetch(`${waybill.api}/api/pools`, { method: 'POST', body: JSON.stringify({ name: 'app' }) })
  expect(await waybill.stop()).toBe(0)

  const isLast = (logs: OtlpLogs[]) => bodies(logs).includes('stopped; everything is on record')
  while (!isLast(await receivedLogs(collector))) await wait(50)
  const logs = await receivedLogs(collector)
  expect(bodies(logs)).toEqual(waybill.lines.map(({ message }) => message))
  const attributes = Object.fromEntries(logs[0]!.resource.attributes.map(({ key, value }) => [key, value.stringValue]))
  expect(attributes).toMatchObject({ 'service.name': 'waybill', 'waybill.cluster': 'edge', 'waybill.node': 'n1' })
  const ready = logs.flatMap(({ scopeLogs }) => scopeLogs).flatMap(({ logRecords }) => logRecords).find(({ body }) => body.stringValue === 'ready')!
  expect(ready).toMatchObject({ severityNumber: 9, severityText: 'INFO' })
  expect(ready.attributes).toContainEqual({ key: 'api', value: { stringValue: waybill.api.slice('http://'.length) } })
  const line = waybill.lines.find(({ message }) => message === 'ready')!
  expect(Number(BigInt(ready.timeUnixNano) / 1_000_000n)).toBe(Date.parse(line['time'] as string))
  expect(JSON.stringify([logs, waybill.lines])).not.toContain('s3cr3t')
})

function bodies(logs: readonly OtlpLogs[]): string[] {
  return logs.flatMap(({ scopeLogs }) => scopeLogs).flatMap(({ logRecords }) => logRecords).map(({ body }) => body.stringValue)
}

test.each(['grpc', 'http/protobuf'] as const)('by %s, where nobody answers, that is one line and no loop, and the end comes', async (protocol) => {
  using folder = new TemporaryFolder()
  // Takes connections and never says a word.
  await using silent = await listen(net.createServer(() => {}))
  await using waybill = await startSpeaking(join(folder.path, 'data'), {
    OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: `http://127.0.0.1:${silent.port}`, OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
    OTEL_BLRP_SCHEDULE_DELAY: '10', OTEL_EXPORTER_OTLP_TIMEOUT: '200',
  })
  const ofExport = () => waybill.lines.filter(({ message }) => String(message).includes('OpenTelemetry'))
  while (ofExport().length === 0) await wait(20)
  for (let call = 0; call < 20; call += 1) {
    await fetch(`${waybill.api}/api/pools`, { method: 'POST', body: JSON.stringify({ name: `app-${call}` }) })
    await wait(20)
  }
  expect(await waybill.stop()).toBe(0)
  expect(ofExport()).toHaveLength(1)
  expect(ofExport()[0]).toMatchObject({ level: 'warn', message: expect.stringContaining('lines of this log do not reach the OpenTelemetry collector') })
})

test('what is said of the export of lines is never exported: a collector that fails now and then would go round for ever', async () => {
  using folder = new TemporaryFolder()
  const bodies: string[] = []
  await using flapping = await listen(createServer((request, response) => {
    let body = ''
    request.setEncoding('latin1').on('data', (chunk: string) => (body += chunk))
    request.on('end', () => response.writeHead(bodies.push(body) % 2 === 0 ? 200 : 400).end())
  }))
  await using waybill = await startSpeaking(join(folder.path, 'data'), {
    OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: `http://127.0.0.1:${flapping.port}`, OTEL_BLRP_SCHEDULE_DELAY: '10',
  })
  const ofExport = () => waybill.lines.filter(({ message }) => String(message).includes('OpenTelemetry'))
  for (let call = 0; ofExport().length < 6; call += 1) {
    await fetch(`${waybill.api}/api/pools`, { method: 'POST', body: JSON.stringify({ name: `app-${call}` }) })
    await wait(20)
  }
  expect(await waybill.stop()).toBe(0)
  expect(ofExport().map(({ level }) => level).slice(0, 4)).toEqual(['warn', 'info', 'warn', 'info'])
  expect(bodies.join('')).toContain('POST /api/pools answered 201')
  expect(bodies.join('')).not.toContain('OpenTelemetry')
})

test.each(['grpc', 'http/protobuf'] as const)('by %s, a collector that hangs with an hour to answer does not hold the end', async (protocol) => {
  using folder = new TemporaryFolder()
  await using silent = await listen(net.createServer(() => {}))
  await using waybill = await startSpeaking(join(folder.path, 'data'), {
    OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: `http://127.0.0.1:${silent.port}`, OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
    OTEL_BLRP_SCHEDULE_DELAY: '10', OTEL_EXPORTER_OTLP_TIMEOUT: '3600000',
  })
  while (silent.accepted() === 0) await wait(20)
  expect(await waybill.stop()).toBe(0)
  expect(waybill.lines.at(-2)).toMatchObject({ message: 'stopped; everything is on record' })
})
