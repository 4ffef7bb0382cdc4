import { once } from 'node:events'
import { expect, test } from 'vitest'
import { BackendAdded, BackendDrained } from '../../events/backend.ts'
import type { Network, Socket } from '../../src/core/network.ts'
import { SystemNetwork } from '../../src/core/system/network.ts'
import { closedPort, plainHello, Tap, tapBackend, tcpBackend, tcpClient, tlsClient, tlsEcho } from '../support/peers.ts'
import { startRig, type Rig } from '../support/rig.ts'

/** Which backend a client gets, and what happens when it can't be had. */

const hello = plainHello()

/** A client that says hello and waits for what becomes of it. */
async function knock(rig: Rig): Promise<{ tap: Tap; port: number }> {
  const tap = await tcpClient(rig.port)
  const port = tap.socket.localPort!
  tap.socket.write(hello)
  return { tap, port }
}

async function refusal(rig: Rig) {
  const { tap, port } = await knock(rig)
  await tap.until(({ fin, closed }) => fin || closed)
  tap.socket.destroy()
  return (await rig.untilRecord('dev.waybill.connection.refused.v1', ({ data }) => data.client?.port === port)).data
}

/** Addresses for which the network behaves otherwise. */
class OddNetwork implements Network {
  readonly #real: SystemNetwork
  /** Port to the code that a connect fails with; `silence`: it is never answered. */
  readonly connects = new Map<number, string>()
  readonly hosts = new Map<string, (() => Promise<readonly string[]>) | readonly string[]>()
  constructor(real: SystemNetwork) {
    this.#real = real
  }
  listen: Network['listen'] = (endpoint, accept) => this.#real.listen(endpoint, accept)
  connect: Network['connect'] = (endpoint, handler) => {
    const code = this.connects.get(endpoint.port)
    if (code === undefined) return this.#real.connect(endpoint, handler)
    const socket = { handler, destroy: () => {}, reset: () => {}, bytesDelivered: 0, bytesTaken: 0 } as Partial<Socket> as Socket
    if (code !== 'silence') setImmediate(() => socket.handler.onClosed(code))
    return socket
  }
  lookup: Network['lookup'] = async (host) => {
    const answer = this.hosts.get(host)
    if (answer === undefined) throw Object.assign(new Error('no such host'), { code: 'ENOTFOUND' })
    return typeof answer === 'function' ? answer() : answer
  }
}

test('a backend that refuses: the next one is taken, and the record says so', async () => {
  const dead = await closedPort()
  await using backend = await tapBackend()
  await using rig = await startRig()
  await rig.addPool({ algorithm: 'round_robin', backends: [{ port: dead, weight: 200 }, { port: backend.port }] })
  const { tap, port } = await knock(rig)
  const server = await backend.next()
  await server.until(({ length }) => length === hello.length)
  const opened = await rig.untilRecord('dev.waybill.connection.opened.v1', ({ data }) => data.client?.port === port)
  expect(opened.data).toMatchObject({
    backend: `127.0.0.1:${backend.port}`, backend_address: { ip: '127.0.0.1', port: backend.port },
    attempts: [{ backend: `127.0.0.1:${dead}`, code: 'ECONNREFUSED', ip: '127.0.0.1' }],
    local_address: { ip: '127.0.0.1', port: server.socket.remotePort },
  })
  const changed = await rig.untilRecord('dev.waybill.health.changed.v1')
  expect(changed.data).toMatchObject({ from: 'new', to: 'down', because: 'dial_failed', code: 'ECONNREFUSED', consecutive: 1 })
  expect(rig.proxy.leases).toBe(1)
  tap.socket.resetAndDestroy()
})

test('nobody left: dial_failed with every attempt, then no_healthy_backend, and no_backend when all are drained', async () => {
  const ports = [await closedPort(), await closedPort()]
  await using rig = await startRig()
  await rig.addPool({ backends: ports.map((port) => ({ port })) })
  const first = await refusal(rig)
  expect(first).toMatchObject({ because: 'dial_failed', pool: 'app', server_name: 'app.example.test' })
  expect(first.attempts.map(({ backend }) => backend).toSorted()).toEqual(ports.map((port) => `127.0.0.1:${port}`).toSorted())
  expect(await refusal(rig)).toMatchObject({ because: 'no_healthy_backend', attempts: [] })
  for (const port of ports) await rig.change(BackendDrained, `backends/app/127.0.0.1:${port}`, { force: false, id: `127.0.0.1:${port}`, pool: 'app' })
  expect(await refusal(rig)).toMatchObject({ because: 'no_backend', attempts: [] })
  expect(rig.proxy.leases).toBe(0)
})

test('at most four backends are tried', async () => {
  const network = new OddNetwork(await SystemNetwork.create())
  for (let port = 1; port <= 6; port += 1) network.connects.set(port, 'ECONNREFUSED')
  await using rig = await startRig({ network })
  await rig.addPool({ backends: [1, 2, 3, 4, 5, 6].map((port) => ({ port })) })
  expect((await refusal(rig)).attempts.length).toBe(4)
})

test('a dial that nobody answers is given up in time', async () => {
  const network = new OddNetwork(await SystemNetwork.create())
  network.connects.set(1, 'silence')
  await using rig = await startRig({ network, settings: { dialTimeoutMs: 100 } })
  await rig.addPool({ backends: [{ port: 1 }] })
  expect(await refusal(rig)).toMatchObject({ because: 'dial_failed', attempts: [{ code: 'timeout', ip: '127.0.0.1' }] })
})

test('a client that leaves during the dial is on record as gone', async () => {
  const network = new OddNetwork(await SystemNetwork.create())
  network.connects.set(1, 'silence')
  await using rig = await startRig({ network })
  await rig.addPool({ backends: [{ port: 1 }] })
  const { tap, port } = await knock(rig)
  while (rig.proxy.leases === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  tap.socket.resetAndDestroy()
  const { data } = await rig.untilRecord('dev.waybill.connection.refused.v1', (event) => event.data.client?.port === port)
  expect(data).toMatchObject({ because: 'client_gone', pool: 'app' })
})

test.each(['EMFILE', 'EADDRNOTAVAIL', 'ENOBUFS'])('%s is our own trouble: refused at once, and no backend is marked down', async (code) => {
  const network = new OddNetwork(await SystemNetwork.create())
  network.connects.set(1, code).set(2, code)
  await using rig = await startRig({ network })
  await rig.addPool({ backends: [{ port: 1 }, { port: 2 }] })
  const data = await refusal(rig)
  expect(data).toMatchObject({ because: 'resource_exhausted', attempts: [{ code }] })
  expect(data.attempts.length).toBe(1)
  expect([1, 2].map((port) => rig.proxy.healthOf('app', `127.0.0.1:${port}`).state)).toEqual(['new', 'new'])
})

test('names: each address in turn, a change of the answer is on record, and a dead resolver does not hold clients for ever', async () => {
  const network = new OddNetwork(await SystemNetwork.create())
  await using backend = await tapBackend()
  await using rig = await startRig({ network, settings: { addressCacheMs: 0, dialTimeoutMs: 100 } })
  network.hosts.set('app.internal', ['127.0.0.3', '127.0.0.1'])
  await rig.addPool({ backends: [{ host: 'app.internal', port: backend.port }] })
  const { tap, port } = await knock(rig)
  await (await backend.next()).until(({ length }) => length > 0)
  const opened = await rig.untilRecord('dev.waybill.connection.opened.v1', ({ data }) => data.client?.port === port)
  expect(opened.data).toMatchObject({ backend: `app.internal:${backend.port}`, backend_address: { ip: '127.0.0.1' } })
  expect(opened.data.attempts).toMatchObject([{ ip: '127.0.0.3', code: 'ECONNREFUSED' }])
  tap.socket.resetAndDestroy()

  network.hosts.set('app.internal', ['127.0.0.1'])
  const again = await knock(rig)
  await (await backend.next()).until(({ length }) => length > 0)
  again.tap.socket.resetAndDestroy()
  const changed = await rig.untilRecord('dev.waybill.health.addresses_changed.v1', ({ data }) => data.before !== null)
  expect(changed.data).toMatchObject({ host: 'app.internal', before: ['127.0.0.1', '127.0.0.3'], after: ['127.0.0.1'] })

  // Known before: goes on being used while the resolver is dead. Never known: a dial that failed, in time.
  const dead = Promise.withResolvers<readonly string[]>()
  network.hosts.set('app.internal', () => dead.promise)
  const third = await knock(rig)
  await (await backend.next()).until(({ length }) => length > 0)
  third.tap.socket.resetAndDestroy()
  dead.resolve(['127.0.0.1'])
  network.hosts.set('other.internal', () => new Promise(() => {}))
  await rig.addPool({ name: 'other', serverNames: ['app.example.test'], backends: [{ host: 'other.internal', port: 1 }, { host: 'nowhere.internal', port: 1 }] })
  const data = await refusal(rig)
  expect(data.attempts.map(({ code, ip }) => `${code} ${ip}`).toSorted()).toEqual(['ENOTFOUND null', 'timeout null'])
})

test('clients are spread by weight, and a backend that is added takes its share', async () => {
  const counts = new Map<string, number>()
  const named = (name: string) =>
    tcpBackend((socket) => {
      counts.set(name, (counts.get(name) ?? 0) + 1)
      socket.resume().on('end', () => socket.end())
    })
  await using one = await named('one')
  await using two = await named('two')
  await using three = await named('three')
  await using rig = await startRig()
  await rig.addPool({ algorithm: 'round_robin', backends: [{ port: one.port, weight: 3 }, { port: two.port, weight: 1 }] })
  const clientsOf = async (clients: number): Promise<number[]> => {
    counts.clear()
    const taps = await Promise.all(Array.from({ length: clients }, () => knock(rig)))
    while ([...counts.values()].reduce((sum, count) => sum + count, 0) < clients) await new Promise((resolve) => setTimeout(resolve, 5))
    for (const { tap } of taps) tap.socket.resetAndDestroy()
    return ['one', 'two', 'three'].map((name) => counts.get(name) ?? 0)
  }
  expect(await clientsOf(40)).toEqual([30, 10, 0])
  await rig.change(BackendAdded, `backends/app/127.0.0.1:${three.port}`, {
    declaration: null, host: '127.0.0.1', id: `127.0.0.1:${three.port}`, pool: 'app', port: three.port, weight: 4,
  })
  expect(await clientsOf(40)).toEqual([15, 5, 20])
})

test('health checks: connect and end with FIN, three failures take a backend down, two successes bring it back', async () => {
  const checks: Tap[] = []
  const first = await tcpBackend((socket) => {
    checks.push(new Tap(socket))
    socket.on('end', () => socket.end())
  })
  await using rig = await startRig({ healthChecks: true })
  const { port } = first
  await rig.addPool({ backends: [{ port }], healthCheckIntervalMs: 100 })
  const id = `127.0.0.1:${port}`
  await rig.untilRecord('dev.waybill.health.changed.v1', ({ data }) => data.from === 'new' && data.to === 'up')
  while (checks.length < 3) await new Promise((resolve) => setTimeout(resolve, 10))
  await checks[0]!.until(({ closed }) => closed)
  expect([checks[0]!.length, checks[0]!.fin, checks[0]!.error]).toEqual([0, true, null])
  await first[Symbol.asyncDispose]()
  const down = await rig.untilRecord('dev.waybill.health.changed.v1', ({ data }) => data.to === 'down')
  expect(down.data).toMatchObject({ backend: id, because: 'check_failed', code: 'ECONNREFUSED', consecutive: 3, from: 'up' })
  expect(rig.proxy.healthOf('app', id)).toEqual({ state: 'down', code: 'ECONNREFUSED', checkedAt: expect.stringMatching(/Z$/) })
  expect(await refusal(rig)).toMatchObject({ because: 'no_healthy_backend' })
  await using _again = await tlsEcho('back', {}, port)
  const up = await rig.untilRecord('dev.waybill.health.changed.v1', ({ data }) => data.from === 'down')
  expect(up.data).toMatchObject({ because: 'check_succeeded', code: null, consecutive: 2, to: 'up' })
  const client = await tlsClient(rig.port)
  client.write('hello')
  expect(String(await once(client, 'data'))).toBe('back:hello')
  client.end()
})
