import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { promtoolMissing } from '../deploy/promtool.ts'
import { plainHello, tcpBackend, tcpClient, type Tap } from '../support/peers.ts'
import { rawRecords, startWaybill, TemporaryFolder, type RunningWaybill } from '../support/waybill.ts'
import { seriesOf } from '../telemetry/played-sources.ts'

/** /metrics of a node as users run it: what promtool says of it, and whether it is what the log and the client have. */

const skipReason = promtoolMissing()
const skipped = skipReason === null ? '' : ` (skipped: ${skipReason})`

const opsOf = (node: RunningWaybill): string => (node.lines.map((line) => JSON.parse(line) as { ops?: string }).find(({ ops }) => ops !== undefined)!).ops!

async function scrape(node: RunningWaybill): Promise<ReadonlyMap<string, number>> {
  return seriesOf(await (await fetch(`http://${opsOf(node)}/metrics`)).text())
}

/** A scrape that shows it: what was collected a moment ago is shown again, and the proxy learns of an end in its own time. */
async function scrapeUntil(node: RunningWaybill, shows: (all: ReadonlyMap<string, number>) => boolean): Promise<ReadonlyMap<string, number>> {
  for (;;) {
    const all = await scrape(node)
    if (shows(all)) return all
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** A hello and as many bytes more, all of which came back. */
async function talk(port: number, length: number): Promise<Tap> {
  const client = await tcpClient(port)
  const sent = Buffer.concat([plainHello(), Buffer.alloc(length, 1)])
  client.socket.write(sent)
  return client.until((tap) => tap.length === sent.length)
}

async function hangUp(client: Tap): Promise<void> {
  client.socket.end()
  await client.until(({ closed }) => closed)
}

function bytesOf({ socket }: Tap): { readonly sent: number; readonly received: number } {
  return { received: socket.bytesRead, sent: socket.bytesWritten }
}

test('to the byte, while connections are open and afterwards, on the API and on --ops', async () => {
  using folder = new TemporaryFolder()
  await using backend = await tcpBackend((socket) => void socket.on('data', (chunk: Buffer) => socket.write(chunk)).on('end', () => socket.end()))
  await using node = await startWaybill(folder.path, ['--ops', '127.0.0.1:0'])
  await node.post('/api/pools', { name: 'app', backends: [{ url: `https://127.0.0.1:${backend.port}` }] })
  const labels = `pool="app",backend="127.0.0.1:${backend.port}"`
  const [toBackend, toClient] = ['to_backend', 'to_client'].map((direction) => `waybill_bytes_total{${labels},direction="${direction}"}`) as [string, string]

  const open = [await talk(node.port, 7), await talk(node.port, 70_000)]
  const counted = { received: 0, sent: 0 }
  const add = ({ received, sent }: typeof counted): void => {
    counted.received += received
    counted.sent += sent
  }
  for (let index = 0; index < 20; index += 1) {
    const client = await talk(node.port, index * 1_000)
    await hangUp(client)
    add(bytesOf(client))
  }
  const sumWithOpen = (): [number, number] => [
    open.reduce((sum, client) => sum + bytesOf(client).sent, counted.sent), open.reduce((sum, client) => sum + bytesOf(client).received, counted.received),
  ]
  const during = await scrapeUntil(node, (all) => all.get(`waybill_connections_active{${labels}}`) === 2)
  expect([during.get(toBackend), during.get(toClient)]).toEqual(sumWithOpen())
  expect(during.get(`waybill_connections_opened_total{${labels}}`)).toBe(22)

  await Promise.all(open.map(hangUp))
  const after = await scrapeUntil(node, (all) => all.get('waybill_connections_closed_total{reason="finished"}') === 22)
  expect([after.get(toBackend), after.get(toClient)]).toEqual(sumWithOpen())
  const closed = rawRecords(folder.path, 'connections').filter(({ type }) => type.includes('.closed.'))
  expect(closed).toHaveLength(22)
  expect([after.get(toBackend), after.get(toClient)]).toEqual(
    ['bytes_to_backend', 'bytes_to_client'].map((field) => closed.reduce((sum, { data }) => sum + (data[field] as number), 0)),
  )
  // From the first record of the process on; its own last commits may be under way.
  const operations = await scrapeUntil(node, (all) => all.get('waybill_log_records_total{stream="operations"}') === rawRecords(folder.path, 'operations').length)
  expect(operations.get('waybill_log_records_total{stream="control"}')).toBe(1)
  const onApi = seriesOf(await (await fetch(`${node.api}/metrics`)).text())
  expect([...onApi.keys()].filter((name) => !name.startsWith('nodejs_gc'))).toEqual([...operations.keys()].filter((name) => !name.startsWith('nodejs_gc')))
})

describe.skipIf(skipReason !== null)(`promtool${skipped}`, () => {
  test('finds nothing to say about a live /metrics', async () => {
    using folder = new TemporaryFolder()
    await using node = await startWaybill(folder.path, ['--ops', '127.0.0.1:0'])
    await node.post('/api/pools', { name: 'app', backends: [{ url: 'https://127.0.0.1:9' }] })
    const answer = await fetch(`http://${opsOf(node)}/metrics`)
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    const { status, stderr, stdout } = spawnSync('promtool', ['check', 'metrics'], { encoding: 'utf8', input: await answer.text() })
    expect({ status, stderr, stdout }).toEqual({ status: 0, stderr: '', stdout: '' })
  })
})
