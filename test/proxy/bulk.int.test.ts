import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type net from 'node:net'
import { expect, test } from 'vitest'
import { bulkBuffers, bulkBuffersMax } from '../../src/core/system/bulk-buffers.ts'
import { SystemNetwork } from '../../src/core/system/network.ts'
import { greeting, plainHello, tapBackend, tcpBackend, tcpClient, type Tap } from '../support/peers.ts'
import { startRig, type Rig } from '../support/rig.ts'

/** Every byte of every connection arrives, in order, at its own peer and at no other: the buffers are shared and lent. */

const hello = plainHello()
const mebibyte = 1_048_576

const networks = [
  ['fast accept', () => SystemNetwork.create()],
  ['ordinary accept', () => Promise.resolve(SystemNetwork.ordinary())],
] as const

/** Each connection's own endless stream: what is at a place follows from who it is and which way it goes. */
class Pattern {
  readonly #base: Buffer
  constructor(key: string) {
    // A prime length, so that it never falls together with the size of a buffer or a chunk.
    this.#base = Buffer.alloc(65_521)
    for (let at = 0; at < this.#base.length; at += 32) {
      createHash('sha256').update(`${key} ${at}`).digest().copy(this.#base, at)
    }
  }
  at(from: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length)
    for (let done = 0; done < length;) {
      const start = (from + done) % this.#base.length
      done += this.#base.copy(bytes, done, start, Math.min(this.#base.length, start + length - done))
    }
    return bytes
  }
}

async function send(socket: net.Socket, pattern: Pattern, total: number, chunkBytes: (turn: number) => number): Promise<void> {
  for (let sent = 0, turn = 0; sent < total; turn += 1) {
    const bytes = pattern.at(sent, Math.min(chunkBytes(turn), total - sent))
    sent += bytes.length
    if (!socket.write(bytes)) await either(socket, 'drain')
    if (socket.destroyed) return
  }
}

/** Checks every byte as it comes; `received` counts on. */
function verify(socket: net.Socket, pattern: Pattern, skip: number): { received: number; wrong: string | null } {
  const seen = { received: -skip, wrong: null as string | null }
  socket.on('data', (chunk: Buffer) => {
    const body = seen.received < 0 ? chunk.subarray(Math.min(chunk.length, -seen.received)) : chunk
    const from = Math.max(0, seen.received)
    if (seen.wrong === null && !pattern.at(from, body.length).equals(body)) seen.wrong = `something else at ${from}`
    seen.received += chunk.length
  })
  return seen
}

test.each(networks)('64 MiB each way at once, in big and in small pieces, byte for byte (%s)', async (_, create) => {
  await using backend = await tapBackend({ keeps: false })
  await using rig = await startRig({ network: await create() })
  await rig.addPool({ backends: [{ port: backend.port }] })
  const block = randomBytes(mebibyte)
  const sizes = [mebibyte, 100, 16_384, 65_536, 1, 200_000, 16_383, 5_000]
  const total = 64 * mebibyte
  const client = await tcpClient(rig.port, { keeps: false })
  client.socket.write(hello)
  const server = await backend.next()
  const pour = async (socket: net.Socket): Promise<string> => {
    const hash = createHash('sha256')
    for (let sent = 0, turn = 0; sent < total; turn += 1) {
      const bytes = block.subarray(0, Math.min(sizes[turn % sizes.length]!, total - sent))
      hash.update(bytes)
      sent += bytes.length
      if (!socket.write(bytes)) await once(socket, 'drain')
    }
    socket.end()
    return hash.digest('hex')
  }
  const withHello = createHash('sha256').update(hello)
  const [up, down] = await Promise.all([pour(client.socket), pour(server.socket)])
  await Promise.all([client.until(({ closed }) => closed), server.until(({ closed }) => closed)])
  expect(client.digest()).toBe(down)
  expect(server.length).toBe(total + hello.length)
  for (let sent = 0, turn = 0; sent < total; turn += 1) {
    const bytes = block.subarray(0, Math.min(sizes[turn % sizes.length]!, total - sent))
    withHello.update(bytes)
    sent += bytes.length
  }
  expect(server.digest()).toBe(withHello.digest('hex'))
  expect(up).toBe(down)
  const closed = await rig.untilRecord('dev.waybill.connection.closed.v1')
  expect(closed.data).toMatchObject({
    bytes_quality: 'exact', bytes_to_backend: total + hello.length, bytes_to_client: greeting.length + total,
    close: { because: 'finished', phase: 'half_closed' },
  })
})

test.each(networks)('50 connections at once, slow readers and resets among them: no byte reaches another one (%s)', async (_, create) => {
  const total = 3 * mebibyte
  const seenByBackend: { received: number; wrong: string | null }[] = []
  const arrived = new Set<string>()
  await using backend = await tcpBackend((socket) => {
    let head = Buffer.alloc(0)
    const readKey = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk])
      if (head.length < hello.length + 4) return
      socket.off('data', readKey)
      socket.pause()
      const key = head.toString('latin1', hello.length, hello.length + 4)
      arrived.add(key)
      const rest = head.subarray(hello.length + 4)
      const seen = verify(socket, new Pattern(`up ${key}`), 0)
      seenByBackend.push(seen)
      if (rest.length > 0) socket.emit('data', rest)
      socket.resume()
      if (Number(key) % 3 === 0) slow(socket)
      void send(socket, new Pattern(`down ${key}`), total, (turn) => 1 + ((turn * 7_919 + Number(key) * 104_729) % 300_000)).then(() =>
        socket.end(),
      )
    }
    socket.on('data', readKey)
  })
  await using rig = await startRig({ network: await create() })
  await rig.addPool({ backends: [{ port: backend.port }] })
  const clients = await Promise.all(
    Array.from({ length: 50 }, async (__, index) => {
      const key = String(index).padStart(4, '0')
      const { socket } = await tcpClient(rig.port, { keeps: false })
      const seen = verify(socket, new Pattern(`down ${key}`), greeting.length)
      socket.write(Buffer.concat([hello, Buffer.from(key)]))
      if (index % 4 === 1) slow(socket)
      const sending = send(socket, new Pattern(`up ${key}`), total, (turn) => 1 + ((turn * 6_007 + index * 1_299_709) % 300_000))
      if (index % 5 === 2) {
        // Resets in the middle, while other connections are handed the buffers that it gives back.
        while (seen.received < mebibyte && !socket.destroyed) await either(socket, 'data')
        socket.resetAndDestroy()
        return { seen, reset: true }
      }
      await sending
      socket.end()
      if (!socket.destroyed) await once(socket, 'close')
      return { seen, reset: false }
    }),
  )
  expect(clients.map(({ seen }) => seen.wrong).filter((wrong) => wrong !== null)).toEqual([])
  expect(clients.filter(({ reset, seen }) => !reset && seen.received !== total).length).toBe(0)
  expect(seenByBackend.map(({ wrong }) => wrong).filter((wrong) => wrong !== null)).toEqual([])
  await until(() => seenByBackend.filter(({ received }) => received === total).length >= 40)
  expect(arrived.size).toBe(50)
  await until(() => rig.engine.links === 0)
  const closings = await closingsOf(rig)
  expect(closings.length).toBe(50)
  expect(closings.filter(({ data }) => data.close.because === 'finished' && data.bytes_quality === 'exact').length).toBe(40)
  expect(closings.filter(({ data }) => data.close.because === 'reset' && data.close.by === 'client').length).toBe(10)
  expect(bulkBuffers.taken).toBe(0)
})

/** Resolves at the event or when the socket closes. */
async function either(socket: net.Socket, event: 'data' | 'drain'): Promise<void> {
  await new Promise<void>((resolve) => {
    const settle = (): void => {
      socket.off(event, settle).off('close', settle)
      resolve()
    }
    socket.on(event, settle).on('close', settle)
  })
}

/** Reads in gulps with pauses, so that writes to it stay pending and their buffers lent. */
function slow(socket: net.Socket): void {
  socket.on('data', () => {
    if (Math.random() > 0.2) return
    socket.pause()
    setTimeout(() => socket.resume(), 2)
  })
}

test('big buffers are given back when a connection goes quiet, and taken again', async () => {
  await using backend = await tapBackend()
  await using rig = await startRig()
  await rig.addPool({ backends: [{ port: backend.port }] })
  const pairs = await Promise.all(Array.from({ length: 4 }, () => pair(rig, backend)))
  for (let round = 0; round < 2; round += 1) {
    await Promise.all(
      pairs.map(async ({ client, server }, index) => {
        const bytes = Buffer.alloc(2 * mebibyte, 65 + index + round)
        const want = server.length + bytes.length
        client.socket.write(bytes)
        await server.until(({ length }) => length === want)
        expect(server.bytes.subarray(want - bytes.length).equals(bytes)).toBe(true)
      }),
    )
    expect(bulkBuffers.taken).toBeGreaterThan(0)
    if (round > 0) break
    // Not used since the last look, twice: the first look is at what was just read.
    bulkBuffers.releaseQuiet()
    bulkBuffers.releaseQuiet()
    expect(bulkBuffers.taken).toBe(0)
    // Quiet connections share a buffer again, and still get only what is theirs.
    await Promise.all(
      pairs.map(async ({ client, server }, index) => {
        const want = server.length + 5
        client.socket.write(`quiet`.replace('q', String(index)))
        await server.until(({ length }) => length === want)
        expect(server.text.slice(-5)).toBe(`${index}uiet`)
      }),
    )
  }
  for (const { client } of pairs) client.socket.resetAndDestroy()
})

test('there is a most of big buffers, and who gets none is served all the same', async () => {
  await using backend = await tapBackend({ keeps: false })
  await using rig = await startRig()
  await rig.addPool({ backends: [{ port: backend.port }] })
  const hoarders = Array.from({ length: bulkBuffersMax }, () => ({ releaseIfQuiet: () => {} }))
  const buffers = hoarders.map((hoarder) => bulkBuffers.take(hoarder))
  expect(bulkBuffers.take({ releaseIfQuiet: () => {} })).toBeNull()
  const { client, server } = await pair(rig, backend)
  const bytes = randomBytes(8 * mebibyte)
  client.socket.write(bytes)
  await server.until(({ length }) => length === bytes.length + hello.length)
  expect(server.digest()).toBe(createHash('sha256').update(hello).update(bytes).digest('hex'))
  hoarders.forEach((hoarder, index) => bulkBuffers.giveBack(hoarder, buffers[index]!))
  client.socket.resetAndDestroy()
})

test.each(['client', 'backend'] as const)('a %s that stops reading stops the other side, at a bound', async (slowSide) => {
  await using backend = await tapBackend({ keeps: false })
  await using rig = await startRig()
  await rig.addPool({ backends: [{ port: backend.port }] })
  const { client, server } = await pair(rig, backend)
  const [reader, writer] = slowSide === 'client' ? [client, server] : [server, client]
  reader.socket.pause()
  const already = reader.length
  const chunk = Buffer.alloc(mebibyte, 0x5a)
  let written = 0
  let stuck = false
  while (!stuck) {
    written += chunk.length
    if (writer.socket.write(chunk)) continue
    stuck = await Promise.race([once(writer.socket, 'drain').then(() => false), quiet(rig)])
  }
  // The rest lies in the buffers of three kernels' sockets and one chunk of ours.
  const open = rig.proxy.openByBackend('app', `127.0.0.1:${backend.port}`)
  expect(writer.socket.writableLength).toBeGreaterThan(0)
  expect(open.bytesToBackend + open.bytesToClient).toBeLessThan(written)
  expect(written).toBeLessThan(64 * mebibyte)
  reader.socket.resume()
  writer.socket.end()
  await reader.until(({ fin }) => fin)
  expect(reader.length - already).toBe(written)
  reader.socket.end()
  const closed = await rig.untilRecord('dev.waybill.connection.closed.v1')
  expect(closed.data.bytes_quality).toBe('exact')
})

async function pair(rig: Rig, backend: { next(): Promise<Tap> }): Promise<{ client: Tap; server: Tap }> {
  const client = await tcpClient(rig.port, { keeps: false })
  const next = backend.next()
  client.socket.write(hello)
  const server = await next
  await server.until(({ length }) => length >= hello.length)
  return { client, server }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10))
}

/** Resolves with true once no byte has moved through the proxy for a while. */
async function quiet(rig: Rig): Promise<true> {
  const [id] = rig.live.routing.pools.get('app')!.backends.keys()
  const moved = (): number => {
    const { bytesToBackend, bytesToClient } = rig.proxy.openByBackend('app', id!)
    return bytesToBackend + bytesToClient
  }
  for (let last = -1, same = 0; same < 10;) {
    const now = moved()
    same = now === last ? same + 1 : 0
    last = now
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return true
}

async function closingsOf(rig: Rig) {
  const records = await rig.records('connections')
  return records.filter((event) => event.type === 'dev.waybill.connection.closed.v1')
}
