import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import type { WaybillEvent } from '../../events/catalog.ts'
import { BackendRemoved } from '../../events/backend.ts'
import { traffic, type Traffic } from '../../projections/traffic.ts'
import { apply } from '../../projections/projection.ts'
import { metricSourcesOf } from '../../src/cli/metric-sources.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { systemClock } from '../../src/core/system/clock.ts'
import { systemDisk } from '../../src/core/system/disk.ts'
import { Metrics } from '../../src/telemetry/metrics.ts'
import { closedPort, plainHello, tapBackend, tcpClient, tlsClient, tlsEcho, type Tap } from '../support/peers.ts'
import { startRig, type Rig } from '../support/rig.ts'
import { seriesOf } from './played-sources.ts'

/** Real connections over loopback: what the metrics show is what the log says and what the client saw, to the byte. */

/** Time goes on by more than a collection is kept between two of them, so each is one of its own. */
function measuring(rig: Rig): Disposable & { readonly series: () => Promise<ReadonlyMap<string, number>> } {
  let aheadMs = 0
  const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + aheadMs }
  const metrics = new Metrics({ clock, logger: silentLogger })
  const versions = { node: '26', openssl: '3', waybill: '0' }
  const { live, log, proxy } = rig
  metrics.attach(metricSourcesOf({ clock, disk: systemDisk, live, log, proxy, versions }, { data: '/tmp', kafkaCa: null, kafkaCert: null }))
  return {
    series: async () => {
      aheadMs += 1_000
      return seriesOf((await metrics.exposition(undefined))!.body.toString())
    },
    [Symbol.dispose]: () => metrics[Symbol.dispose](),
  }
}

function foldOf(records: readonly WaybillEvent[]): Traffic {
  let state = traffic.initial()
  for (const event of records) state = apply(traffic, state, { event, leafHash: '' })
  return state
}

const sumOf = (all: ReadonlyMap<string, number>, family: RegExp): number =>
  [...all].reduce((sum, [name, value]) => (family.test(name) ? sum + value : sum), 0)

/** The proxy reads its sockets after the client has its bytes. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5))
}

test('while connections are open, bytes are those that went through so far', async () => {
  await using rig = await startRig()
  using measured = measuring(rig)
  await using backend = await tapBackend()
  await rig.addPool({ backends: [{ port: backend.port }] })
  const hello = plainHello()
  const backendLabels = `pool="app",backend="127.0.0.1:${backend.port}"`
  const shows = async (toBackend: number, toClient: number, connections: number): Promise<void> => {
    await until(async () => (await measured.series()).get(`waybill_bytes_total{${backendLabels},direction="to_backend"}`) === toBackend)
    await until(async () => (await measured.series()).get(`waybill_bytes_total{${backendLabels},direction="to_client"}`) === toClient)
    expect((await measured.series()).get(`waybill_connections_active{${backendLabels}}`)).toBe(connections)
  }
  const pairs: { readonly client: Tap; readonly server: Tap }[] = []
  for (let index = 0; index < 2; index += 1) {
    const client = await tcpClient(rig.port)
    client.socket.write(hello)
    const server = await backend.next()
    await server.until(({ length }) => length === hello.length)
    pairs.push({ client, server })
  }
  await shows(2 * hello.length, 0, 2)
  const [one, other] = pairs as [(typeof pairs)[number], (typeof pairs)[number]]
  one.client.socket.write(Buffer.alloc(70_000))
  other.server.socket.write(Buffer.alloc(50_000))
  await one.server.until(({ length }) => length === hello.length + 70_000)
  await other.client.until(({ length }) => length === 50_000)
  // The backend's greeting went ahead of its bytes.
  const greeting = one.client.socket.bytesRead + other.client.socket.bytesRead - 50_000
  await shows(2 * hello.length + 70_000, 50_000 + greeting, 2)

  // Without a time to drain it leaves the configuration and its connections stay.
  await rig.change(BackendRemoved, `backends/app/127.0.0.1:${backend.port}`, { force: false, id: `127.0.0.1:${backend.port}`, pool: 'app' })
  expect((await measured.series()).has(`waybill_backend_up{${backendLabels}}`)).toBe(false)
  one.client.socket.resetAndDestroy()
  await rig.untilRecord('dev.waybill.connection.closed.v1')
  await shows(2 * hello.length + 70_000, 50_000 + greeting, 1)
  other.client.socket.end()
  other.server.socket.end()
  await other.client.until(({ closed }) => closed)
  await until(async () => (await rig.records('connections')).filter(({ type }) => type === 'dev.waybill.connection.closed.v1').length === 2)
  await shows(2 * hello.length + 70_000, 50_000 + greeting, 0)
  const all = await measured.series()
  expect(all.get('waybill_connections_reset_total{by="client"}')).toBe(1)
  expect(all.get('waybill_connections_closed_total{reason="finished"}')).toBe(1)
})

describe('after many connections', () => {
  test('counts are the folds of the log, and series are as many as after the first', { timeout: 120_000 }, async () => {
    await using rig = await startRig()
    using measured = measuring(rig)
    await using backend = await tlsEcho('a')
    const nowhere = await closedPort()
    await rig.addPool({ backends: [{ port: backend.port }], serverNames: ['app.example.test'] })
    await rig.addPool({ backends: [{ port: nowhere }], name: 'dead', serverNames: ['dead.example.test'] })
    const one = async (): Promise<void> => {
      const socket = await tlsClient(rig.port)
      socket.write('ping')
      await once(socket, 'data')
      socket.end()
      await once(socket, 'close')
    }
    const refusals = async (): Promise<void> => {
      for (const bytes of [plainHello('dead.example.test'), plainHello('other.example.test'), Buffer.from('GET / HTTP/1.1\r\n\r\n')]) {
        const client = await tcpClient(rig.port)
        client.socket.write(bytes)
        await client.until(({ closed, fin }) => closed || fin)
        client.socket.destroy()
      }
    }
    await one()
    await refusals()
    const first = await measured.series()
    for (let round = 0; round < 200; round += 1) await Promise.all(Array.from({ length: 10 }, one))
    await refusals()
    const closed = async (): Promise<number> => (await rig.records('connections')).filter(({ type }) => type === 'dev.waybill.connection.closed.v1').length
    while ((await closed()) < 2_001) await new Promise((resolve) => setTimeout(resolve, 20))
    const all = await measured.series()
    expect(newNames(first, all)).toEqual([])

    const fold = foldOf(await rig.records('connections'))
    const app = fold.pools.get('app')!
    const labels = `pool="app",backend="127.0.0.1:${backend.port}"`
    expect(all.get(`waybill_connections_opened_total{${labels}}`)).toBe(app.opened)
    expect(sumOf(all, /^waybill_connections_closed_total/)).toBe(app.closed)
    expect(all.get(`waybill_bytes_total{${labels},direction="to_backend"}`)).toBe(app.bytesToBackend)
    expect(all.get(`waybill_bytes_total{${labels},direction="to_client"}`)).toBe(app.bytesToClient)
    for (const [reason, count] of fold.refused) expect([reason, all.get(`waybill_connections_refused_total{reason="${reason}"}`)]).toEqual([reason, count])
    expect(sumOf(all, /^waybill_connections_refused_total/)).toBe([...fold.refused.values()].reduce((sum, count) => sum + count, 0))
    expect(sumOf(all, /^waybill_backend_dial_failures_total\{pool="dead"/)).toBe(fold.pools.get('dead')!.backends.get(`127.0.0.1:${nowhere}`)!.dialFailures)
    for (const stream of ['connections', 'control', 'operations'] as const) {
      expect([stream, all.get(`waybill_fold_lag{stream="${stream}"}`)]).toEqual([stream, 0])
      expect([stream, all.get(`waybill_log_size{stream="${stream}"}`)]).toEqual([stream, (await rig.records(stream)).length])
    }
    expect(sumOf(all, /^waybill_tls_negotiated_total\{version="TLSv1.3"/)).toBe(2_001)
    expect(all.get('waybill_connection_duration_seconds_count{pool="app"}')).toBe(2_001)
  })
})

function newNames(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): string[] {
  // Garbage is collected in its own time.
  return [...after.keys()].filter((name) => !before.has(name) && !name.startsWith('nodejs_gc_'))
}
