import { expect, test } from 'vitest'
import { BackendDrained } from '../../events/backend.ts'
import { idMaker } from '../../src/core/ids.ts'
import type { Network } from '../../src/core/network.ts'
import { systemClock } from '../../src/core/system/clock.ts'
import { SystemNetwork } from '../../src/core/system/network.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { Live } from '../../src/live/live.ts'
import { Drafts } from '../../src/log/drafts.ts'
import { MemoryLog } from '../../src/log/memory.ts'
import { closeLeftOpen } from '../../src/proxy/recover.ts'
import { greeting, plainHello, tapBackend, tcpClient, type Tap, type TapBackend } from '../support/peers.ts'
import { startRig, type Rig } from '../support/rig.ts'

/** Ending in order, and what is made good after an end without order; and the records of connections that stay. */

const hello = plainHello()
const makeId = idMaker(systemClock, systemRandom)
const memoryLog = (): MemoryLog => new MemoryLog({ clock: systemClock, makeId, node: 'test' })

async function open(rig: Rig, backend: TapBackend): Promise<{ client: Tap; server: Tap }> {
  const client = await tcpClient(rig.port)
  client.socket.write(hello)
  const server = await backend.next()
  await server.until(({ length }) => length === hello.length)
  return { client, server }
}

test('a drain waits for who is open, and takes nobody new', async () => {
  await using backend = await tapBackend()
  await using rig = await startRig()
  await rig.addPool({ backends: [{ port: backend.port }] })
  const { client, server } = await open(rig, backend)
  await rig.proxy.stopAccepting()
  expect(rig.proxy.notReady()).toMatchObject([{ code: 'shutting_down' }])
  expect((await tcpClient(rig.port)).error).toBe('ECONNREFUSED')
  let drained = false
  const drain = rig.proxy.drain(60_000, new AbortController().signal).then(() => (drained = true))
  server.socket.end('last words')
  await client.until(({ fin }) => fin)
  expect(drained).toBe(false)
  client.socket.end()
  await drain
  expect(client.text).toBe('last words')
  expect(await rig.proxy.end(5_000)).toEqual({ ended: 0, allRecorded: true })
  expect((await rig.untilRecord('dev.waybill.connection.closed.v1')).data.close).toMatchObject({ because: 'finished' })
})

test('what is left after the drain is ended with RST, in every phase, and all of it is on record', async () => {
  const log = memoryLog()
  await using backend = await tapBackend()
  await using rig = await startRig({ log })
  await rig.addPool({ backends: [{ port: backend.port }] })
  const relaying = await open(rig, backend)
  const halfClosed = await open(rig, backend)
  halfClosed.client.socket.end()
  await halfClosed.server.until(({ fin }) => fin)
  const peeking = await tcpClient(rig.port)
  peeking.socket.write(hello.subarray(0, 10))
  while (rig.engine.peeking === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  const stall = log.stallCommits('connections')
  const holding = await tcpClient(rig.port)
  holding.socket.write(hello)
  const heldServer = await backend.next()
  while (rig.proxy.leases < 3) await new Promise((resolve) => setTimeout(resolve, 5))
  await new Promise((resolve) => setTimeout(resolve, 20))

  const stop = new AbortController()
  await rig.proxy.stopAccepting()
  const drain = rig.proxy.drain(60_000, stop.signal)
  stop.abort()
  await drain
  const ending = rig.proxy.end(10_000)
  // A socket that has got FIN learns of RST only when it writes, so the half-closed one is looked at from the other side.
  const taps = [relaying.client, relaying.server, halfClosed.client, peeking, holding, heldServer]
  await Promise.all(taps.map((tap) => tap.until(({ closed }) => closed)))
  expect(taps.map(({ error }) => error)).toEqual(taps.map(() => 'ECONNRESET'))
  expect(heldServer.length).toBe(0)
  stall[Symbol.dispose]()
  expect(await ending).toEqual({ ended: 4, allRecorded: true })
  const found = await rig.records('connections')
  const closings = found.flatMap((event) => (event.type === 'dev.waybill.connection.closed.v1' ? [event.data.close] : []))
  expect(closings.map(({ by, because }) => [by, because])).toEqual(Array.from({ length: 3 }, () => ['proxy', 'shutdown']))
  expect(closings.map(({ phase }) => phase).toSorted()).toEqual(['half_closed', 'record', 'relay'])
  const refusals = found.flatMap((event) => (event.type === 'dev.waybill.connection.refused.v1' ? [event.data.because] : []))
  expect(refusals).toEqual(['shutting_down'])
})

test('a forced drain is obeyed while the node waits for open connections to end', async () => {
  await using backend = await tapBackend()
  await using rig = await startRig()
  await rig.addPool({ backends: [{ port: backend.port }] })
  const { client } = await open(rig, backend)
  await rig.proxy.stopAccepting()
  const id = `127.0.0.1:${backend.port}`
  await rig.change(BackendDrained, `backends/app/${id}`, { force: true, id, pool: 'app' })
  await client.until(({ closed }) => closed)
  expect((await rig.untilRecord('dev.waybill.connection.closed.v1')).data.close).toMatchObject({ because: 'drain_forced', by: 'operator' })
  await rig.untilRecord('dev.waybill.health.drain_completed.v1')
})

test('a client whose backend name is still being resolved is refused on record, and nothing waits for the resolver', async () => {
  const network = await SystemNetwork.create()
  const asked = Promise.withResolvers<void>()
  const silent: Network = {
    listen: (endpoint, accept) => network.listen(endpoint, accept),
    connect: (endpoint, handler) => network.connect(endpoint, handler),
    lookup: () => {
      asked.resolve()
      return new Promise(() => {})
    },
  }
  await using rig = await startRig({ network: silent, settings: { dialTimeoutMs: 3_600_000 } })
  await rig.addPool({ backends: [{ host: 'silent.example.test', port: 443 }] })
  const client = await tcpClient(rig.port)
  client.socket.write(hello)
  await asked.promise
  await rig.proxy.stopAccepting()
  expect(await rig.proxy.end(5_000)).toEqual({ ended: 1, allRecorded: true })
  expect(rig.proxy.leases).toBe(0)
  expect((await rig.untilRecord('dev.waybill.connection.refused.v1')).data).toMatchObject({ because: 'shutting_down', count: 1 })
})

test('an end while the log is down says that records are missing', async () => {
  const log = memoryLog()
  await using backend = await tapBackend()
  await using rig = await startRig({ log, endsUnfinished: true })
  await rig.addPool({ backends: [{ port: backend.port }] })
  await open(rig, backend)
  using _broken = log.breakCommits('connections', 'not_written', 'ENOSPC')
  await rig.proxy.stopAccepting()
  expect(await rig.proxy.end(300)).toEqual({ ended: 1, allRecorded: false })
  _broken[Symbol.dispose]()
})

test('long connections are on record again and again, with what they carried so far', async () => {
  await using backend = await tapBackend()
  await using rig = await startRig({ settings: { progressIntervalMs: 100 } })
  await rig.addPool({ backends: [{ port: backend.port }] })
  const { client, server } = await open(rig, backend)
  server.socket.write('12345')
  await client.until(({ length }) => length === 5)
  const first = await rig.untilRecord('dev.waybill.connection.progress.v1', ({ data }) => data.bytes_to_client === greeting.length + 5)
  expect(first.data).toMatchObject({ bytes_to_backend: hello.length, pool: 'app', server_name: 'app.example.test' })
  client.socket.write('more')
  await rig.untilRecord('dev.waybill.connection.progress.v1', ({ data }) => data.bytes_to_backend === hello.length + 4)
  client.socket.resetAndDestroy()
  await rig.untilRecord('dev.waybill.connection.closed.v1')
})

test('idle and half-closed connections are ended in time', async () => {
  await using backend = await tapBackend()
  await using rig = await startRig({ timeouts: { idleTimeoutMs: 2_000, halfCloseTimeoutMs: 400 } })
  await rig.addPool({ backends: [{ port: backend.port }] })
  const idle = await open(rig, backend)
  const half = await open(rig, backend)
  half.client.socket.end()
  for (const tap of [half.client, idle.client, idle.server]) {
    await tap.until(({ closed }) => closed)
    expect(tap.error).toBe('ECONNRESET')
  }
  const found = (await rig.records('connections')).flatMap((event) => (event.type === 'dev.waybill.connection.closed.v1' ? [event.data.close] : []))
  expect(found).toEqual([
    { actor: null, by: 'proxy', because: 'half_close_timeout', code: null, phase: 'half_closed' },
    { actor: null, by: 'proxy', because: 'idle_timeout', code: null, phase: 'relay' },
  ])
})

test('what an earlier process life left open is closed on record, once, however often one starts', async () => {
  const log = memoryLog()
  await using backend = await tapBackend()
  await using rig = await startRig({ log, settings: { progressIntervalMs: 50 }, endsUnfinished: true })
  await rig.addPool({ backends: [{ port: backend.port }] })
  const pairs = [await open(rig, backend), await open(rig, backend)]
  await rig.untilRecord('dev.waybill.connection.progress.v1')
  const left = new Map(rig.live.openConnections)
  const recover = async (run: string): Promise<number> => {
    const live = new Live(log, () => {})
    await live.replay()
    return closeLeftOpen({
      closedElsewhere: new Set(),
      drafts: new Drafts(systemClock, makeId, 'test'), epoch: log.writer.epoch, log, node: 'test', openConnections: live.openConnections, run, runs: live.runs,
    })
  }
  // Its own connections are not lost ones.
  expect(await recover(log.writer.run)).toBe(0)
  expect(await recover(makeId())).toBe(2)
  expect(await recover(makeId())).toBe(0)
  const closings = (await rig.records('connections')).flatMap((event) => (event.type === 'dev.waybill.connection.closed.v1' ? [event.data] : []))
  expect(closings.map(({ connection_id }) => connection_id).toSorted()).toEqual([...left.keys()].toSorted())
  for (const data of closings) {
    expect(data).toMatchObject({
      bytes_quality: 'at_least', timings: null, close: { because: 'node_lost', by: 'proxy', code: null, phase: 'unknown' },
    })
  }
  const lost = await rig.untilRecord('dev.waybill.node.lost.v1')
  expect(lost.data).toEqual({ connections_closed: 2, epoch: log.writer.epoch, node: 'test', run: log.writer.run })
  for (const { client } of pairs) client.socket.resetAndDestroy()
})
