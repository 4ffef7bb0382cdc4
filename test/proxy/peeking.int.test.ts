import { once } from 'node:events'
import net from 'node:net'
import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { refusalKeysPerSecond } from '../../src/core/limits.ts'
import type { Network } from '../../src/core/network.ts'
import { SystemNetwork } from '../../src/core/system/network.ts'
import { plainHello, tapBackend, tcpClient, tlsEcho, type TapBackend } from '../support/peers.ts'
import { startRig, type Rig } from '../support/rig.ts'
import { cut, helloMessage, records, serverName } from '../support/tls-hellos.ts'

/** The first bytes on real sockets: however they come, and clients that never send what they should. */

const hello = plainHello()

async function refusedCount(rig: Rig, because: string): Promise<{ clients: number; records: number; singles: number }> {
  const found = { clients: 0, records: 0, singles: 0 }
  for (const event of await rig.records('connections')) {
    if (event.type !== 'dev.waybill.connection.refused.v1' || event.data.because !== because) continue
    found.clients += event.data.count
    found.records += 1
    if (event.data.client !== null) found.singles += 1
  }
  return found
}

async function untilRefused(rig: Rig, because: string, clients: number): Promise<void> {
  while ((await refusedCount(rig, because)).clients < clients) await new Promise((resolve) => setTimeout(resolve, 30))
}

async function arrives(backend: TapBackend, rig: Rig, pieces: readonly Uint8Array[], turnBetween: boolean): Promise<void> {
  const client = await tcpClient(rig.port)
  client.socket.setNoDelay(true)
  for (const piece of pieces) {
    client.socket.write(piece)
    if (turnBetween) await new Promise((resolve) => setImmediate(resolve))
  }
  const server = await backend.next()
  const all = Buffer.concat(pieces)
  await server.until(({ length }) => length === all.length)
  expect(server.bytes.equals(all)).toBe(true)
  client.socket.resetAndDestroy()
}

test.each([
  ['fast', () => SystemNetwork.create()],
  ['ordinary', () => Promise.resolve(SystemNetwork.ordinary())],
])('a hello arrives whole however it is cut, with what follows it (%s accept)', async (_, create) => {
  await using backend = await tapBackend()
  await using rig = await startRig({ network: await create() })
  await rig.addPool({ backends: [{ port: backend.port }] })
  await arrives(backend, rig, cut(hello, [1]), true)
  const message = helloMessage({ extensions: [serverName('app.example.test')] })
  await arrives(backend, rig, [records(message, [1, 7, 3])], false)
  const earlyData = Buffer.alloc(300_000, 'early data ')
  await arrives(backend, rig, [Buffer.concat([hello, earlyData])], false)
  await arrives(backend, rig, [hello, ...cut(earlyData, [40_000])], true)
})

test('a client that sends nothing, and one that sends half, are refused in time, with FIN', async () => {
  await using rig = await startRig({ timeouts: { peekTimeoutMs: 300 } })
  const silent = await tcpClient(rig.port)
  const half = await tcpClient(rig.port)
  half.socket.write(hello.subarray(0, 40))
  await Promise.all([silent, half].map((tap) => tap.until(({ fin }) => fin)))
  expect([silent.error, half.error]).toEqual([null, null])
  silent.socket.destroy()
  half.socket.destroy()
  await untilRefused(rig, 'peek_timeout', 2)
  for (const event of await rig.records('connections')) {
    expect(event.data).toMatchObject({ because: 'peek_timeout', listener: 'shared', pool: null })
  }
})

test('2,000 half hellos at once: a good client gets through, and each of them is on record', async () => {
  const before = descriptors()
  {
    await using backend = await tapBackend()
    await using rig = await startRig({ timeouts: { peekTimeoutMs: 4_000 } })
    await rig.addPool({ backends: [{ port: backend.port }] })
    const slow: net.Socket[] = []
    for (let batch = 0; batch < 20; batch += 1) {
      slow.push(...(await Promise.all(Array.from({ length: 100 }, () => connected(rig.port)))))
    }
    for (const socket of slow) socket.write(hello.subarray(0, 50))
    while (rig.engine.peeking < 2_000) await new Promise((resolve) => setTimeout(resolve, 5))
    await arrives(backend, rig, [hello], false)
    await untilRefused(rig, 'peek_timeout', 2_000)
    expect((await refusedCount(rig, 'peek_timeout')).clients).toBe(2_000)
    for (const socket of slow) socket.destroy()
  }
  while (descriptors() > before + 5) await new Promise((resolve) => setTimeout(resolve, 20))
}, 60_000)

test('more peeks than are allowed at once are refused at the gate; when they are over, clients get in again', async () => {
  await using backend = await tapBackend()
  await using rig = await startRig({ settings: { peeksMax: 10 } })
  await rig.addPool({ backends: [{ port: backend.port }] })
  const peeking = await Promise.all(Array.from({ length: 10 }, () => connected(rig.port)))
  while (rig.engine.peeking < 10) await new Promise((resolve) => setTimeout(resolve, 5))
  const over = await Promise.all(Array.from({ length: 3 }, () => tcpClient(rig.port)))
  await Promise.all(over.map((tap) => tap.until(({ closed }) => closed)))
  expect(over.map(({ error }) => error)).toEqual(['ECONNRESET', 'ECONNRESET', 'ECONNRESET'])
  for (const socket of peeking) socket.resetAndDestroy()
  while (rig.engine.peeking > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  await arrives(backend, rig, [hello], false)
  expect((await refusedCount(rig, 'peek_limit')).clients).toBe(3)
})

test('the limit on connections counts those that are open', async () => {
  await using backend = await tapBackend()
  await using rig = await startRig({ settings: { connectionsMax: 2 } })
  await rig.addPool({ backends: [{ port: backend.port }] })
  const open = []
  for (let index = 0; index < 2; index += 1) {
    const client = await tcpClient(rig.port)
    client.socket.write(hello)
    await (await backend.next()).until(({ length }) => length > 0)
    open.push(client)
  }
  const third = await tcpClient(rig.port)
  await third.until(({ closed }) => closed)
  await untilRefused(rig, 'connection_limit', 1)
  open[0]!.socket.resetAndDestroy()
  while (rig.engine.links > 1) await new Promise((resolve) => setTimeout(resolve, 5))
  await arrives(backend, rig, [hello], false)
  open[1]!.socket.resetAndDestroy()
})

test('a flood of 4,000 clients that do not speak TLS: every one counted, few records, nobody reaches the backend', async () => {
  const before = descriptors()
  {
    await using backend = await tapBackend()
    await using rig = await startRig()
    await rig.addPool({ backends: [{ port: backend.port }] })
    const started = performance.now()
    for (let batch = 0; batch < 40; batch += 1) {
      await Promise.all(
        Array.from({ length: 100 }, async () => {
          const socket = net.connect({ port: rig.port, host: '127.0.0.1' })
          socket.on('error', () => {})
          socket.write('GET / HTTP/1.1\r\n\r\n')
          socket.resume()
          await new Promise((resolve) => socket.once('close', resolve))
        }),
      )
    }
    const windows = Math.ceil((performance.now() - started) / 1_000) + 1
    await untilRefused(rig, 'not_tls', 4_000)
    const { clients, records: written, singles } = await refusedCount(rig, 'not_tls')
    expect(clients).toBe(4_000)
    expect(singles).toBeLessThanOrEqual(100 * windows)
    expect(written - singles).toBeLessThanOrEqual(Math.min(windows * 2, refusalKeysPerSecond))
    expect(backend.accepted()).toBe(0)
    expect(rig.engine.links).toBe(0)
  }
  while (descriptors() > before + 5) await new Promise((resolve) => setTimeout(resolve, 20))
}, 60_000)

async function connected(port: number): Promise<net.Socket> {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.resume()
  return socket
}

function descriptors(): number {
  return readdirSync('/proc/self/fd').length
}

test('a client whose address nobody can tell is turned away: it would be on record as nobody', async () => {
  await using backend = await tlsEcho('one')
  const real = await SystemNetwork.create()
  const network: Network = {
    connect: (endpoint, handler) => real.connect(endpoint, handler),
    lookup: (host) => real.lookup(host),
    listen: (endpoint, accept) =>
      real.listen(endpoint, (socket) => accept(Object.defineProperty(socket, 'remote', { value: null }))),
  }
  await using rig = await startRig({ network })
  await rig.addPool({ backends: [{ port: backend.port }] })
  const client = net.connect(rig.port, '127.0.0.1')
  client.on('error', () => {})
  await new Promise<void>((resolve) => client.once('close', () => resolve()))
  const refused = await rig.untilRecord('dev.waybill.connection.refused.v1')
  expect(refused.data).toMatchObject({ because: 'client_gone', client: null, count: 1 })
  expect(backend.accepted()).toBe(0)
})
