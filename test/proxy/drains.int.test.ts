import { expect, test } from 'vitest'
import { BackendAdded, BackendDrained, BackendRemoved, BackendResumed } from '../../events/backend.ts'
import { PoolRemoved } from '../../events/pool.ts'
import { exampleActor } from '../../events/values.ts'
import { MemoryLog } from '../../src/log/memory.ts'
import { idMaker } from '../../src/core/ids.ts'
import { systemClock } from '../../src/core/system/clock.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { plainHello, tapBackend, tcpClient, type Tap, type TapBackend } from '../support/peers.ts'
import { startRig, type Rig } from '../support/rig.ts'

/** Backends that leave while clients are connected to them. */

const hello = plainHello()

interface Open {
  readonly client: Tap
  readonly server: Tap
}

async function open(rig: Rig, backend: TapBackend): Promise<Open> {
  const client = await tcpClient(rig.port)
  client.socket.write(hello)
  const server = await backend.next()
  await server.until(({ length }) => length === hello.length)
  return { client, server }
}

const idOf = (backend: TapBackend): string => `127.0.0.1:${backend.port}`
const drain = (rig: Rig, backend: TapBackend, force = false): Promise<void> =>
  rig.change(BackendDrained, `backends/app/${idOf(backend)}`, { force, id: idOf(backend), pool: 'app' })
const resume = (rig: Rig, backend: TapBackend): Promise<void> =>
  rig.change(BackendResumed, `backends/app/${idOf(backend)}`, { id: idOf(backend), pool: 'app' })
const completed = (rig: Rig) => rig.untilRecord('dev.waybill.health.drain_completed.v1')

async function refusedWith(rig: Rig): Promise<string> {
  const client = await tcpClient(rig.port)
  client.socket.write(hello)
  return (await rig.untilRecord('dev.waybill.connection.refused.v1')).data.because
}

test('open ones go on, new ones go elsewhere or are refused, and the end of the last one is on record once', async () => {
  await using pair = await both()
  const [backend, other] = pair
  await using rig = await startRig()
  await rig.addPool({ backends: [{ port: other.port }, { port: backend.port }] })
  const first = await open(rig, backend)
  await drain(rig, backend)
  const second = await open(rig, other)
  await drain(rig, other)
  expect(await refusedWith(rig)).toBe('no_backend')
  first.client.socket.write('more')
  await first.server.until(({ text }) => text.endsWith('more'))
  first.client.socket.end()
  first.server.socket.end()
  expect((await completed(rig)).data).toMatchObject({
    backend: idOf(backend), because: 'finished', connections_at_start: 1, connections_ended: 0, pool: 'app', revision: 2,
  })
  second.client.socket.resetAndDestroy()
  await rig.untilRecord('dev.waybill.health.drain_completed.v1', ({ data }) => data.backend === idOf(other))
  const all = (await rig.records('operations')).filter(({ type }) => type === 'dev.waybill.health.drain_completed.v1')
  expect(all).toHaveLength(2)
})

test('a backend without connections has drained at once', async () => {
  await using backend = await tapBackend()
  await using rig = await startRig()
  await rig.addPool({ backends: [{ port: backend.port }] })
  await drain(rig, backend)
  expect((await completed(rig)).data).toMatchObject({ because: 'finished', connections_at_start: 0, connections_ended: 0 })
})

test('the drain timeout of the pool ends the rest with RST to both sides', async () => {
  await using backend = await tapBackend()
  await using rig = await startRig()
  await rig.addPool({ backends: [{ port: backend.port }], drainTimeoutMs: 50 })
  const relaying = await open(rig, backend)
  const halfClosed = await open(rig, backend)
  halfClosed.client.socket.end()
  await halfClosed.server.until(({ fin }) => fin)
  await drain(rig, backend)
  for (const tap of [relaying.client, relaying.server, halfClosed.client]) await tap.until(({ error }) => error === 'ECONNRESET')
  expect((await completed(rig)).data).toMatchObject({ because: 'drain_timeout', connections_at_start: 2, connections_ended: 2 })
  const closed = (await rig.records('connections')).filter((event) => event.type === 'dev.waybill.connection.closed.v1')
  expect(closed.map(({ data }) => data.close)).toMatchObject([
    { actor: null, because: 'drain_timeout', by: 'proxy', phase: 'relay' },
    { actor: null, because: 'drain_timeout', by: 'proxy', phase: 'half_closed' },
  ])
})

test('force ends them at once, on record with who asked; also when it drains already', async () => {
  await using backend = await tapBackend()
  await using rig = await startRig()
  await rig.addPool({ backends: [{ port: backend.port }] })
  const { client, server } = await open(rig, backend)
  await drain(rig, backend)
  expect(client.closed).toBe(false)
  await drain(rig, backend, true)
  for (const tap of [client, server]) await tap.until(({ error }) => error === 'ECONNRESET')
  expect((await rig.untilRecord('dev.waybill.connection.closed.v1')).data.close).toMatchObject({
    actor: exampleActor, because: 'drain_forced', by: 'operator',
  })
  expect((await completed(rig)).data).toMatchObject({ because: 'forced', connections_ended: 1, revision: 2 })
})

test.each([[false], [true]])('a removed backend and a removed pool, force %s', async (force) => {
  await using backend = await tapBackend()
  await using rig = await startRig()
  await rig.addPool({ backends: [{ port: backend.port }] })
  const first = await open(rig, backend)
  await rig.change(BackendRemoved, `backends/app/${idOf(backend)}`, { force, id: idOf(backend), pool: 'app' })
  if (!force) first.client.socket.resetAndDestroy()
  await first.client.until(({ closed }) => closed)
  await rig.untilRecord('dev.waybill.health.drain_completed.v1', ({ data }) => data.revision === 2)

  await rig.addPool({ name: 'other', backends: [{ port: backend.port }], listen: null, serverNames: ['app.example.test'] })
  const second = await open(rig, backend)
  await rig.change(PoolRemoved, 'pools/other', { force, name: 'other' })
  if (!force) second.client.socket.resetAndDestroy()
  await second.client.until(({ closed }) => closed)
  const { data } = await rig.untilRecord('dev.waybill.health.drain_completed.v1', (event) => event.data.pool === 'other')
  expect(data).toMatchObject({ because: force ? 'forced' : 'finished', connections_at_start: 1, connections_ended: force ? 1 : 0 })
})

test('a backend that left and came back is answered for as one: its old connections are counted and forced', async () => {
  await using backend = await tapBackend()
  await using rig = await startRig()
  await rig.addPool({ backends: [{ port: backend.port }] })
  const { client } = await open(rig, backend)
  await rig.change(BackendRemoved, `backends/app/${idOf(backend)}`, { force: false, id: idOf(backend), pool: 'app' })
  await rig.change(BackendAdded, `backends/app/${idOf(backend)}`, {
    declaration: null, host: '127.0.0.1', id: idOf(backend), pool: 'app', port: backend.port, weight: 1,
  })
  expect(rig.proxy.openByBackend('app', idOf(backend)).connections).toBe(1)
  expect(rig.proxy.openOfPool('app').connections).toBe(1)
  await drain(rig, backend, true)
  await client.until(({ error }) => error === 'ECONNRESET')
  expect(rig.proxy.openOfPool('app').connections).toBe(0)
})

test('a pool that is forced out takes with it what is still open to backends that left before', async () => {
  await using backend = await tapBackend()
  await using rig = await startRig()
  await rig.addPool({ backends: [{ port: backend.port }] })
  const { client } = await open(rig, backend)
  await rig.change(BackendRemoved, `backends/app/${idOf(backend)}`, { force: false, id: idOf(backend), pool: 'app' })
  expect(client.closed).toBe(false)
  await rig.change(PoolRemoved, 'pools/app', { force: true, name: 'app' })
  await client.until(({ error }) => error === 'ECONNRESET')
  expect((await completed(rig)).data).toMatchObject({ because: 'forced', connections_at_start: 1, connections_ended: 1, revision: 2 })
})

test('force ends any number', async () => {
  await using backend = await tapBackend()
  await using rig = await startRig()
  await rig.addPool({ backends: [{ port: backend.port }] })
  const all = await Promise.all(Array.from({ length: 200 }, () => open(rig, backend)))
  await drain(rig, backend, true)
  for (const { client } of all) await client.until(({ closed }) => closed)
  expect((await completed(rig)).data).toMatchObject({ because: 'forced', connections_at_start: 200, connections_ended: 200 })
})

test('a backend that is resumed takes new ones again, and its drain is forgotten', async () => {
  await using backend = await tapBackend()
  await using rig = await startRig()
  await rig.addPool({ backends: [{ port: backend.port }], drainTimeoutMs: 60 })
  const first = await open(rig, backend)
  await drain(rig, backend)
  await resume(rig, backend)
  const second = await open(rig, backend)
  await new Promise((resolve) => setTimeout(resolve, 120))
  expect([first.client.closed, second.client.closed]).toEqual([false, false])
  const types = (await rig.records('operations')).map(({ type }) => type)
  expect(types).not.toContain('dev.waybill.health.drain_completed.v1')
})

test('a forced change that lost its race ends nobody', async () => {
  await using backend = await tapBackend()
  await using rig = await startRig()
  await rig.addPool({ backends: [{ port: backend.port }] })
  const { client } = await open(rig, backend)
  await rig.lose(BackendDrained, `backends/app/${idOf(backend)}`, { force: true, id: idOf(backend), pool: 'app' })
  client.socket.write('more')
  expect(client.closed).toBe(false)
  expect(rig.live.routing.voided).toBe(1)
})

test('who is waiting for its record when its backend is forced out is opened and ended, never relayed', async () => {
  const log = new MemoryLog({ clock: systemClock, makeId: idMaker(systemClock, systemRandom), node: 'test' })
  await using backend = await tapBackend()
  await using rig = await startRig({ log })
  await rig.addPool({ backends: [{ port: backend.port }] })
  const stall = log.stallCommits('connections')
  const client = await tcpClient(rig.port)
  client.socket.write(hello)
  const server = await backend.next()
  while (rig.proxy.leases === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  await drain(rig, backend, true)
  stall[Symbol.dispose]()
  await client.until(({ closed }) => closed)
  expect(server.length).toBe(0)
  expect((await completed(rig)).data).toMatchObject({ because: 'forced', connections_at_start: 1, connections_ended: 1 })
})

test('one connection ended by an operator', async () => {
  await using backend = await tapBackend()
  await using rig = await startRig()
  await rig.addPool({ backends: [{ port: backend.port }] })
  const [first, second] = [await open(rig, backend), await open(rig, backend)]
  const [one, two] = [...rig.proxy.openConnections(null)]
  expect(one).toMatchObject({ opened: { pool: 'app', server_name: 'app.example.test' }, bytesToBackend: hello.length })
  expect([...rig.proxy.openConnections(one!.opened.connection_id)]).toEqual([two])
  const actor = { authn: 'none', id: 'ada', type: 'local' } as const
  expect(rig.proxy.endConnection(one!.opened.connection_id, actor)).toBe(true)
  for (const tap of [first.client, first.server]) await tap.until(({ error }) => error === 'ECONNRESET')
  const { data } = await rig.untilRecord('dev.waybill.connection.closed.v1')
  expect(data).toMatchObject({ close: { actor, because: 'operator_ended', by: 'operator' }, connection_id: one!.opened.connection_id })
  expect(rig.proxy.endConnection(one!.opened.connection_id, actor)).toBe(false)
  expect(rig.proxy.openConnection(one!.opened.connection_id)).toBeNull()
  expect(second.client.closed).toBe(false)
})

async function both(): Promise<[TapBackend, TapBackend] & AsyncDisposable> {
  const pair: [TapBackend, TapBackend] = [await tapBackend(), await tapBackend()]
  return Object.assign(pair, {
    [Symbol.asyncDispose]: async () => {
      for (const each of pair) await each[Symbol.asyncDispose]()
    },
  })
}
