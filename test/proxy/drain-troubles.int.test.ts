import { expect, test } from 'vitest'
import { BackendAdded, BackendDrained, BackendRemoved, BackendResumed } from '../../events/backend.ts'
import { PoolChanged } from '../../events/pool.ts'
import { idMaker } from '../../src/core/ids.ts'
import type { Network } from '../../src/core/network.ts'
import { systemClock } from '../../src/core/system/clock.ts'
import { SystemNetwork } from '../../src/core/system/network.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { MemoryLog } from '../../src/log/memory.ts'
import { plainHello, tapBackend, tcpClient, type Tap, type TapBackend } from '../support/peers.ts'
import { startRig, type Rig } from '../support/rig.ts'

/** Drains that something comes between: a dial, another change, the end of the node, a log that can't be written. */

const hello = plainHello()
const completedType = 'dev.waybill.health.drain_completed.v1'
const memoryLog = (): MemoryLog => new MemoryLog({ clock: systemClock, makeId: idMaker(systemClock, systemRandom), node: 'test' })

async function knock(rig: Rig): Promise<Tap> {
  const client = await tcpClient(rig.port)
  client.socket.write(hello)
  return client
}

async function open(rig: Rig, backend: TapBackend): Promise<{ client: Tap; server: Tap }> {
  const client = await knock(rig)
  const server = await backend.next()
  await server.until(({ length }) => length === hello.length)
  return { client, server }
}

const local = (backend: TapBackend): string => `127.0.0.1:${backend.port}`
const drain = (rig: Rig, id: string, force = false): Promise<void> =>
  rig.change(BackendDrained, `backends/app/${id}`, { force, id, pool: 'app' })
const remove = (rig: Rig, id: string): Promise<void> =>
  rig.change(BackendRemoved, `backends/app/${id}`, { force: false, id, pool: 'app' })

async function completions(rig: Rig) {
  return (await rig.records('operations')).flatMap((event) => (event.type === completedType ? [event.data] : []))
}

/** Names resolve to loopback, and only when the test says so: until then a client is being dialled. */
async function slowNames(): Promise<{ network: Network; answer: () => void; asked: Promise<void> }> {
  const system = await SystemNetwork.create()
  const answered = Promise.withResolvers<readonly string[]>()
  const asked = Promise.withResolvers<void>()
  const network: Network = {
    listen: (endpoint, accept) => system.listen(endpoint, accept),
    connect: (endpoint, handler) => system.connect(endpoint, handler),
    lookup: () => {
      asked.resolve()
      return answered.promise
    },
  }
  return { network, answer: () => answered.resolve(['127.0.0.1']), asked: asked.promise }
}

test('who was being dialled when the drain began goes on, and the drain waits for its end', async () => {
  const { network, answer, asked } = await slowNames()
  await using backend = await tapBackend()
  await using rig = await startRig({ network })
  await rig.addPool({ backends: [{ host: 'slow.example.test', port: backend.port }] })
  const client = await knock(rig)
  await asked
  await drain(rig, `slow.example.test:${backend.port}`)
  expect(await completions(rig)).toEqual([])
  answer()
  const server = await backend.next()
  await server.until(({ length }) => length === hello.length)
  expect(await completions(rig)).toEqual([])
  client.socket.resetAndDestroy()
  const { data } = await rig.untilRecord(completedType)
  expect(data).toMatchObject({ because: 'finished', connections_at_start: 1, connections_ended: 0, revision: 2 })
  const opened = await rig.untilRecord('dev.waybill.connection.opened.v1')
  expect(opened.data.revision).toBe(1)
})

test('who was being dialled when force came is opened and ended without a byte', async () => {
  const { network, answer, asked } = await slowNames()
  await using backend = await tapBackend()
  await using rig = await startRig({ network })
  await rig.addPool({ backends: [{ host: 'slow.example.test', port: backend.port }] })
  const client = await knock(rig)
  await asked
  await drain(rig, `slow.example.test:${backend.port}`, true)
  answer()
  const server = await backend.next()
  for (const tap of [client, server]) await tap.until(({ error }) => error === 'ECONNRESET')
  expect([server.length, client.length]).toEqual([0, 0])
  expect((await rig.untilRecord(completedType)).data).toMatchObject({ because: 'forced', connections_at_start: 1, connections_ended: 1 })
  const { data } = await rig.untilRecord('dev.waybill.connection.closed.v1')
  expect(data).toMatchObject({ bytes_to_backend: 0, bytes_quality: 'exact', close: { because: 'drain_forced', by: 'operator', phase: 'record' } })
})

test('a dial that fails does not go on to a backend that has left meanwhile, whatever configuration it was routed by', async () => {
  const { network, answer, asked } = await slowNames()
  await using other = await tapBackend()
  await using rig = await startRig({ network })
  // Of equal backends the last one is taken first; nobody listens on port 1.
  await rig.addPool({ backends: [{ port: other.port }, { host: 'slow.example.test', port: 1 }] })
  const client = await knock(rig)
  await asked
  await drain(rig, local(other))
  await remove(rig, 'slow.example.test:1')
  answer()
  await client.until(({ fin }) => fin)
  client.socket.destroy()
  const { data } = await rig.untilRecord('dev.waybill.connection.refused.v1')
  expect(data).toMatchObject({ because: 'dial_failed', attempts: [{ backend: 'slow.example.test:1' }] })
  expect(other.accepted()).toBe(0)
  // The dial counts: it was to become a connection.
  const removed = await rig.untilRecord(completedType, (event) => event.data.backend === 'slow.example.test:1')
  expect(removed.data).toMatchObject({ because: 'finished', connections_at_start: 1, connections_ended: 0, revision: 3 })
})

test('a drain keeps the timeout that was in force when it began', async () => {
  await using backend = await tapBackend()
  await using rig = await startRig()
  await rig.addPool({ backends: [{ port: backend.port }], drainTimeoutMs: 300 })
  const { client } = await open(rig, backend)
  await drain(rig, local(backend))
  await rig.change(PoolChanged, 'pools/app', { name: 'app', set: { drain_timeout: null } })
  expect(client.closed).toBe(false)
  await client.until(({ error }) => error === 'ECONNRESET')
  expect((await rig.untilRecord(completedType)).data).toMatchObject({ because: 'drain_timeout', connections_ended: 1, revision: 2 })
})

test('a backend that drains and is then removed is over once; one of the same name that comes back is another one', async () => {
  await using backend = await tapBackend()
  await using rig = await startRig()
  await rig.addPool({ backends: [{ port: backend.port }] })
  const id = local(backend)
  const first = await open(rig, backend)
  await drain(rig, id)
  const since = rig.live.routing.pools.get('app')!.backends.get(id)!.drainingSince
  await remove(rig, id)
  await rig.change(BackendAdded, `backends/app/${id}`, { declaration: null, host: '127.0.0.1', id, pool: 'app', port: backend.port, weight: 1 })
  const second = await open(rig, backend)
  // What is open to that address counts, through whichever of the two.
  expect(rig.proxy.openByBackend('app', id).connections).toBe(2)
  expect(rig.proxy.leases).toBe(2)
  first.client.socket.resetAndDestroy()
  expect((await rig.untilRecord(completedType)).data).toMatchObject({ because: 'finished', connections_at_start: 1, revision: 2, since })
  expect(rig.proxy.leases).toBe(1)
  await drain(rig, id, true)
  await second.client.until(({ closed }) => closed)
  await rig.untilRecord(completedType, ({ data }) => data.revision === 5)
  expect((await completions(rig)).map(({ because, revision }) => [because, revision])).toEqual([['finished', 2], ['forced', 5]])
})

test('while the log is down a forced drain ends them all the same; the closing records and the end of the drain come later', async () => {
  const log = memoryLog()
  await using backend = await tapBackend()
  await using rig = await startRig({ log })
  await rig.addPool({ backends: [{ port: backend.port }] })
  const { client, server } = await open(rig, backend)
  const broken = [log.breakCommits('connections', 'not_written', 'ENOSPC'), log.breakCommits('operations', 'not_written', 'ENOSPC')]
  await drain(rig, local(backend), true)
  for (const tap of [client, server]) await tap.until(({ error }) => error === 'ECONNRESET')
  expect((await rig.records('connections')).map(({ type }) => type)).toEqual(['dev.waybill.connection.opened.v1'])
  expect(await completions(rig)).toEqual([])
  for (const each of broken) each[Symbol.dispose]()
  expect((await rig.untilRecord('dev.waybill.connection.closed.v1')).data.close).toMatchObject({ because: 'drain_forced', by: 'operator' })
  await rig.untilRecord(completedType)
  expect(await completions(rig)).toMatchObject([{ because: 'forced', connections_at_start: 1, connections_ended: 1 }])
})

test('a node that is stopping still takes drains over: force ends what would have gone on', async () => {
  await using backend = await tapBackend()
  await using rig = await startRig()
  await rig.addPool({ backends: [{ port: backend.port }] })
  const { client } = await open(rig, backend)
  await rig.proxy.stopAccepting()
  const stopping = rig.proxy.drain(60_000, new AbortController().signal)
  await drain(rig, local(backend), true)
  await client.until(({ error }) => error === 'ECONNRESET')
  await stopping
  expect(await rig.proxy.end(5_000)).toEqual({ ended: 0, allRecorded: true })
  expect(rig.proxy.listeners).toEqual([])
  expect(await completions(rig)).toMatchObject([{ because: 'forced', connections_ended: 1 }])
})

test('what a stopping node ends is on record as that, and a drain that this cuts short is not said to be over', async () => {
  await using backend = await tapBackend()
  await using rig = await startRig()
  await rig.addPool({ backends: [{ port: backend.port }], drainTimeoutMs: 3_600_000 })
  const { client } = await open(rig, backend)
  await drain(rig, local(backend))
  await rig.proxy.stopAccepting()
  expect(await rig.proxy.end(5_000)).toEqual({ ended: 1, allRecorded: true })
  await client.until(({ closed }) => closed)
  expect((await rig.untilRecord('dev.waybill.connection.closed.v1')).data.close).toMatchObject({ actor: null, because: 'shutdown', by: 'proxy' })
  expect(await completions(rig)).toEqual([])
})

test('a node that starts with a draining backend gives it nobody, says nothing of that drain, and resumes it', async () => {
  const log = memoryLog()
  await using backend = await tapBackend()
  await using before = await startRig({ log })
  await before.addPool({ backends: [{ port: backend.port }] })
  await drain(before, local(backend))
  await before.untilRecord(completedType)
  await using rig = await startRig({ log })
  const refused = await knock(rig)
  await refused.until(({ closed, fin }) => closed || fin)
  refused.socket.destroy()
  expect((await rig.untilRecord('dev.waybill.connection.refused.v1')).data.because).toBe('no_backend')
  expect(await completions(rig)).toHaveLength(1)
  await rig.change(BackendResumed, `backends/app/${local(backend)}`, { id: local(backend), pool: 'app' })
  const { client } = await open(rig, backend)
  client.socket.resetAndDestroy()
  await rig.untilRecord('dev.waybill.connection.closed.v1')
})
