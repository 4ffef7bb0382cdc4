import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Socket, SocketHandler } from '../../src/core/network.ts'
import { bulkBuffers } from '../../src/core/system/bulk-buffers.ts'
import { SystemNetwork } from '../../src/core/system/network.ts'
import { endpointOf } from '../../src/core/system/socket.ts'
import { tapBackend, tcpClient, type Tap, type TapBackend } from '../support/peers.ts'

/** The promises of the Socket port where they are hard to keep, on real sockets. */

const mebibyte = 1_048_576
let network: SystemNetwork
let far: TapBackend

beforeAll(async () => {
  network = await SystemNetwork.create()
  far = await tapBackend({ greets: false })
})
afterAll(() => far[Symbol.asyncDispose]())

class Recorder implements SocketHandler {
  readonly connected = Promise.withResolvers<void>()
  readonly closed = Promise.withResolvers<string | null>()
  onBytes: (chunk: Uint8Array) => void = () => {}
  onEnd: () => void = () => {}
  onDrained: () => void = () => {}
  onConnected(): void {
    this.connected.resolve()
  }
  onClosed(code: string | null): void {
    this.closed.resolve(code)
  }
}

async function dialled(): Promise<{ socket: Socket; handler: Recorder; peer: Tap }> {
  const handler = new Recorder()
  const next = far.next()
  const socket = network.connect({ ip: '127.0.0.1', port: far.port }, handler)
  await handler.connected.promise
  return { socket, handler, peer: await next }
}

/** Passes on what `from` receives to `to`, as the relay does. */
function passOn(from: { socket: Socket; handler: Recorder }, to: { socket: Socket; handler: Recorder }): void {
  from.handler.onBytes = (chunk) => {
    if (!to.socket.write(chunk)) from.socket.pause()
  }
  to.handler.onDrained = () => from.socket.resume()
}

const soon = (ms = 50): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Fills every buffer that is free with other bytes. */
async function overwriteSpares(): Promise<void> {
  const sources = await Promise.all(Array.from({ length: 4 }, () => dialled()))
  for (const { peer } of sources) peer.socket.write(Buffer.alloc(4 * mebibyte, 0xee))
  await soon(200)
  for (const { socket } of sources) socket.reset()
}

test.each(['paused for long', 'reset meanwhile'])('a lent chunk that the other side has not taken stays what it is: source %s', async (fate) => {
  const source = await dialled()
  const sink = await dialled()
  sink.peer.socket.pause()
  passOn(source, sink)
  let received = 0
  const { onBytes } = source.handler
  source.handler.onBytes = (chunk) => {
    received += chunk.length
    onBytes(chunk)
  }
  source.peer.socket.write(Buffer.alloc(32 * mebibyte, 0x41))
  await soon(300)
  expect(received).toBeLessThan(32 * mebibyte)
  expect(bulkBuffers.taken).toBe(1)
  if (fate === 'reset meanwhile') {
    source.socket.reset()
    await source.handler.closed.promise
  } else {
    bulkBuffers.releaseQuiet()
    bulkBuffers.releaseQuiet()
    source.peer.socket.resetAndDestroy()
  }
  await overwriteSpares()
  const taken = received
  sink.handler.onDrained = () => {}
  sink.peer.socket.resume()
  await sink.peer.until(({ length }) => length >= taken)
  expect(sink.peer.length).toBe(taken)
  expect(sink.peer.bytes.equals(Buffer.alloc(taken, 0x41))).toBe(true)
  sink.socket.reset()
  source.socket.reset()
})

test('what a broken socket is given is not taken for delivered', async () => {
  const { socket, handler, peer } = await dialled()
  socket.pause()
  expect(socket.write(Buffer.alloc(100))).toBe(true)
  await peer.until(({ length }) => length === 100)
  peer.socket.resetAndDestroy()
  await soon()
  expect(socket.write(Buffer.alloc(1_000))).toBe(false)
  expect(socket.write(Buffer.alloc(1_000))).toBe(false)
  expect([socket.bytesTaken, socket.bytesDelivered]).toEqual([2_100, 100])
  expect(['ECONNRESET', 'EPIPE']).toContain(await handler.closed.promise)
  expect(socket.write(Buffer.alloc(1_000))).toBe(false)
  expect([socket.bytesTaken, socket.bytesDelivered]).toEqual([3_100, 100])
})

test('small chunks that waited and went out are counted, though nobody waits for them', async () => {
  const { socket, peer } = await dialled()
  peer.socket.pause()
  // Until the kernel is full, then a little more that has to wait here.
  while (socket.write(Buffer.alloc(mebibyte))) continue
  socket.write(Buffer.alloc(10))
  const { bytesTaken } = socket
  expect(socket.bytesDelivered).toBeLessThan(bytesTaken)
  peer.socket.resume()
  await peer.until(({ length }) => length === bytesTaken)
  await soon()
  expect(socket.bytesDelivered).toBe(bytesTaken)
  socket.reset()
  expect(socket.bytesDelivered).toBe(bytesTaken)
})

test('a reset between asking for FIN and sending it neither throws nor keeps the handle', async () => {
  const { socket, handler, peer } = await dialled()
  socket.write(Buffer.from('bye'))
  socket.end()
  socket.reset()
  socket.reset()
  socket.destroy()
  expect(await handler.closed.promise).toBeNull()
  await peer.until(({ length }) => length === 3)

  const other = await dialled()
  other.socket.end()
  other.socket.reset()
  expect(await other.handler.closed.promise).toBeNull()
})

test('a reset during the connect, and one after the end, do no harm', async () => {
  const handler = new Recorder()
  const socket = network.connect({ ip: '127.0.0.1', port: far.port }, handler)
  socket.reset()
  expect(await handler.closed.promise).toBeNull()
  socket.reset()
  socket.resume()
  socket.pause()
})

test('destroy says FIN when all was read, and RST when something was not', async () => {
  const accepted: Socket[] = []
  await using listening = await network.listen({ ip: '127.0.0.1', port: 0 }, (socket) => {
    socket.handler = new Recorder()
    socket.pause()
    accepted.push(socket)
  })
  const polite = await tcpClient(listening.endpoint.port)
  const talking = await tcpClient(listening.endpoint.port)
  talking.socket.write('unread')
  while (accepted.length < 2) await soon(5)
  await soon()
  for (const socket of accepted) socket.destroy()
  await polite.until(({ fin }) => fin)
  await talking.until(({ closed }) => closed)
  expect([polite.error, talking.error]).toEqual([null, 'ECONNRESET'])
  polite.socket.destroy()
})

test('accepting goes the fast way on this Node', () => {
  expect(network.acceptsFast).toBe(true)
  expect(SystemNetwork.ordinary().acceptsFast).toBe(false)
})

test.each([
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['fe80::1%eth0', 'fe80::1'],
  ['2001:db8::1', '2001:db8::1'],
])('%s is %s', (raw, ip) => {
  expect(endpointOf(raw, 1)).toEqual({ ip, port: 1 })
})

test('an address that is not there is null', () => {
  expect(endpointOf(undefined, undefined)).toBeNull()
})
