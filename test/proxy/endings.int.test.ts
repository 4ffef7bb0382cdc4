import { once } from 'node:events'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { EventOf } from '../../events/define.ts'
import type { ConnectionClosed } from '../../events/connection.ts'
import { MemoryLog } from '../../src/log/memory.ts'
import { idMaker } from '../../src/core/ids.ts'
import { systemClock } from '../../src/core/system/clock.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { certificate } from '../support/certificates.ts'
import { greeting, listen, plainHello, tapBackend, tcpClient, tlsClient, type Tap, type TapBackend } from '../support/peers.ts'
import { startRig, type Rig } from '../support/rig.ts'
import tls from 'node:tls'

/** How connections end, on real sockets: FIN arrives as FIN, RST as RST, and the record says whose doing it was. */

const hello = plainHello()
let backend: TapBackend
let rig: Rig
let log: MemoryLog

beforeAll(async () => {
  log = new MemoryLog({ clock: systemClock, makeId: idMaker(systemClock, systemRandom), node: 'test' })
  backend = await tapBackend()
  rig = await startRig({ log })
  await rig.addPool({ backends: [{ port: backend.port }] })
})
afterAll(async () => {
  await rig[Symbol.asyncDispose]()
  await backend[Symbol.asyncDispose]()
})

/** A connection that is relaying: the hello has reached the backend. */
async function relaying(): Promise<{ client: Tap; server: Tap; closed: () => Promise<EventOf<typeof ConnectionClosed>> }> {
  const client = await tcpClient(rig.port)
  const port = client.socket.localPort
  client.socket.write(hello)
  const server = await backend.next()
  await server.until(({ length }) => length === hello.length)
  return { client, server, closed: () => closedOf(port!) }
}

function closedOf(port: number): Promise<EventOf<typeof ConnectionClosed>> {
  return rig.untilRecord('dev.waybill.connection.closed.v1', ({ data }) => data.client?.port === port)
}

test('a client that has finished still gets a long answer', async () => {
  const { client, server, closed } = await relaying()
  client.socket.end('over to you')
  await server.until(({ fin }) => fin)
  const answer = Buffer.alloc(3_000_000, 'answer ')
  server.socket.end(answer)
  await client.until(({ closed }) => closed)
  expect(client.bytes.equals(answer)).toBe(true)
  expect([client.fin, client.error, server.error]).toEqual([true, null, null])
  expect((await closed()).data).toMatchObject({
    bytes_quality: 'exact', bytes_to_backend: hello.length + 11, bytes_to_client: greeting.length + answer.length,
    close: { by: 'client', because: 'finished', code: null, phase: 'half_closed' },
  })
})

test('a backend that has finished still gets what the client goes on to send', async () => {
  const { client, server, closed } = await relaying()
  server.socket.end('that is all')
  await client.until(({ fin }) => fin)
  const upload = Buffer.alloc(3_000_000, 'upload ')
  client.socket.end(upload)
  await server.until(({ closed }) => closed)
  expect(server.bytes.subarray(hello.length).equals(upload)).toBe(true)
  expect((await closed()).data).toMatchObject({
    bytes_quality: 'exact', bytes_to_backend: hello.length + upload.length, bytes_to_client: greeting.length + 11,
    close: { by: 'backend', because: 'finished', phase: 'half_closed' },
  })
})

test.each(['client', 'backend'] as const)('RST from the %s while relaying arrives as RST', async (side) => {
  const { client, server, closed } = await relaying()
  const [breaking, other] = side === 'client' ? [client, server] : [server, client]
  breaking.socket.resetAndDestroy()
  await other.until((tap) => tap.closed)
  expect([other.fin, other.error]).toEqual([false, 'ECONNRESET'])
  expect((await closed()).data).toMatchObject({
    bytes_quality: 'exact', bytes_to_backend: hello.length,
    close: { by: side, because: 'reset', code: 'ECONNRESET', phase: 'relay' },
  })
})

test('RST from a client that has finished before, while the answer comes, arrives as RST', async () => {
  const { client, server, closed } = await relaying()
  client.socket.end()
  await server.until(({ fin }) => fin)
  server.socket.write('part of ')
  await client.until(({ length }) => length === 8)
  client.socket.resetAndDestroy()
  const pump = setInterval(() => server.socket.write(Buffer.alloc(1_000)), 5)
  await server.until((tap) => tap.closed)
  clearInterval(pump)
  expect(server.error === 'ECONNRESET' || server.error === 'EPIPE').toBe(true)
  expect((await closed()).data.close).toMatchObject({ by: 'client', because: 'reset', phase: 'half_closed' })
})

test('a backend that closes right after its answer, and a client that says goodbye into the closed door: finished', async () => {
  for (let round = 0; round < 10; round += 1) {
    const { client, server, closed } = await relaying()
    server.socket.end('answer and goodbye', () => server.socket.destroy())
    await client.until(({ fin }) => fin)
    client.socket.write('goodbye')
    await new Promise((resolve) => setTimeout(resolve, round))
    client.socket.end(' then')
    await client.until((tap) => tap.closed)
    expect([client.text, client.error]).toEqual(['answer and goodbye', null])
    expect((await closed()).data).toMatchObject({
      bytes_to_client: greeting.length + 18, close: { by: 'backend', because: 'finished', code: null, phase: 'half_closed' },
    })
  }
})

test('the same with real TLS: a server that ends after its answer', async () => {
  await using server = await listen(
    tls.createServer(certificate('app.example.test'), (socket) => {
      socket.on('error', () => {})
      socket.once('data', () => {
        socket.end('bye')
        setImmediate(() => socket.destroy())
      })
    }),
  )
  await rig.addPool({ name: 'closing', serverNames: ['closing.example.test'], backends: [{ port: server.port }] })
  const client = await tlsClient(rig.port, { servername: 'closing.example.test' })
  const port = client.localPort!
  client.write('hello')
  await once(client, 'data')
  client.end()
  const { data } = await closedOf(port)
  expect(data.close).toMatchObject({ because: 'finished', code: null })
})

test('a backend that ends and resets while the client goes on and on: a reset, and RST for the client', async () => {
  const { client, server, closed } = await relaying()
  server.socket.end('no more', () => server.socket.destroy())
  await client.until(({ fin }) => fin)
  const pump = setInterval(() => client.socket.write(Buffer.alloc(10_000)), 20)
  await client.until((tap) => tap.closed)
  clearInterval(pump)
  expect(client.error === 'ECONNRESET' || client.error === 'EPIPE').toBe(true)
  expect((await closed()).data).toMatchObject({
    bytes_quality: 'at_least', bytes_to_client: greeting.length + 7, close: { by: 'backend', because: 'reset', phase: 'half_closed' },
  })
})

test('a client that resets while its bytes wait in the proxy: at least those are on record that went on', async () => {
  const { client, server, closed } = await relaying()
  server.socket.pause()
  client.socket.write(Buffer.alloc(40_000_000))
  // The proxy has stopped reading by now, so it learns of the reset only when it reads again.
  await new Promise((resolve) => setTimeout(resolve, 300))
  client.socket.resetAndDestroy()
  server.socket.resume()
  await server.until((tap) => tap.closed)
  expect([server.fin, server.error]).toEqual([false, 'ECONNRESET'])
  const { data } = await closed()
  expect(data.close).toMatchObject({ by: 'client', because: 'reset', phase: 'relay' })
  expect(data.bytes_to_backend).toBeGreaterThanOrEqual(server.length)
  expect(data.bytes_to_backend).toBeLessThan(40_000_000)
})

test.each(['FIN', 'RST'] as const)('%s before a complete hello is a refusal', async (how) => {
  const client = await tcpClient(rig.port)
  const { localPort } = client.socket
  client.socket.write(hello.subarray(0, 30))
  if (how === 'FIN') client.socket.end()
  else {
    await new Promise((resolve) => setTimeout(resolve, 20))
    client.socket.resetAndDestroy()
  }
  const refused = await rig.untilRecord('dev.waybill.connection.refused.v1', ({ data }) => data.client?.port === localPort)
  expect(refused.data).toMatchObject({ because: 'client_gone', detail: how === 'FIN' ? 'FIN before a complete hello' : 'ECONNRESET' })
})

test.each(['FIN', 'RST'] as const)('%s while its record is being written: opened, closed, and not a byte went on', async (how) => {
  const stall = log.stallCommits('connections')
  const client = await tcpClient(rig.port)
  const { localPort } = client.socket
  client.socket.write(hello)
  const server = await backend.next()
  if (how === 'FIN') client.socket.end()
  else client.socket.resetAndDestroy()
  await server.until((tap) => tap.closed)
  stall[Symbol.dispose]()
  expect([server.length, server.error]).toEqual([0, 'ECONNRESET'])
  expect((await closedOf(localPort!)).data).toMatchObject({
    bytes_quality: 'exact', bytes_to_backend: 0, bytes_to_client: 0,
    close: { by: 'client', because: how === 'FIN' ? 'finished' : 'reset', phase: 'record' },
  })
})

test('a backend that resets while the record is being written: opened, closed by it, RST for the client', async () => {
  const stall = log.stallCommits('connections')
  const client = await tcpClient(rig.port)
  const { localPort } = client.socket
  client.socket.write(hello)
  const server = await backend.next()
  // Not before the proxy knows that it is connected: that would be a dial that failed.
  await new Promise((resolve) => setTimeout(resolve, 50))
  server.socket.resetAndDestroy()
  await new Promise((resolve) => setTimeout(resolve, 20))
  stall[Symbol.dispose]()
  await client.until((tap) => tap.closed)
  expect([client.fin, client.error]).toEqual([false, 'ECONNRESET'])
  expect((await closedOf(localPort!)).data).toMatchObject({
    bytes_quality: 'at_least', bytes_to_backend: 0, close: { by: 'backend', because: 'reset', phase: 'relay' },
  })
})
