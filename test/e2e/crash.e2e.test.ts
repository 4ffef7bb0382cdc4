import { createHash } from 'node:crypto'
import net from 'node:net'
import { expect, test } from 'vitest'
import { realHello, tcpBackend } from '../support/peers.ts'
import { rawLines, rawRecords, startWaybill, TemporaryFolder, type RawRecord } from '../support/waybill.ts'

const connections = 2_000
const atOnce = 200

interface Seen {
  /** Local ports of clients that got a byte back. */
  readonly clients: Set<number>
  /** The proxy's ports towards the backend on which the backend got a byte. */
  readonly backends: Set<number>
}

test('kill -9 in the middle of 2,000 connections: who got a byte is on record, and every opened one is closed once', async () => {
  using folder = new TemporaryFolder()
  const hello = await realHello()
  const seen: Seen = { clients: new Set(), backends: new Set() }
  await using backend = await tcpBackend((socket) => {
    socket.once('data', () => {
      seen.backends.add(socket.remotePort!)
      socket.write('answer')
    })
    socket.on('end', () => socket.end())
  })
  await using first = await startWaybill(folder.path)
  await first.post('/api/pools', { name: 'app' })
  await first.post('/api/pools/app/backends', { url: `https://127.0.0.1:${backend.port}` })

  await load(first.port, hello, seen, async (finished) => {
    if (finished === connections / 2) await first.kill()
  })
  expect(seen.clients.size).toBeGreaterThan(connections / 4)

  await using second = await startWaybill(folder.path)
  const records = rawRecords(folder.path, 'connections')
  const opened = records.filter(({ type }) => type.endsWith('.opened.v1'))
  const openedClients = new Set(opened.map(({ data }) => data['client'].port as number))
  const openedLocals = new Set(opened.map(({ data }) => data['local_address'].port as number))
  expect([...seen.clients].filter((port) => !openedClients.has(port))).toEqual([])
  expect([...seen.backends].filter((port) => !openedLocals.has(port))).toEqual([])
  expectEachClosedOnce(records)
  const lost = records.filter(({ type, data }) => type.endsWith('.closed.v1') && data['close'].because === 'node_lost')
  expect(lost.length).toBeGreaterThan(0)
  const nodeLost = rawRecords(folder.path, 'operations').filter(({ type }) => type.endsWith('node.lost.v1'))
  expect(nodeLost.map(({ data }) => data['connections_closed'])).toEqual([lost.length])
  for (const stream of ['connections', 'control', 'operations']) expectUnbroken(rawLines(folder.path, stream))

  // And it goes on as if nothing had happened.
  const after: Seen = { clients: new Set(), backends: seen.backends }
  await load(second.port, hello, after, async () => {}, 50)
  expect(after.clients.size).toBe(50)
  expect(await second.stop()).toBe(0)
  expectEachClosedOnce(rawRecords(folder.path, 'connections'))
})

/** Runs connections, `atOnce` of them open at a time; half of them stay open until they are cut or the end. */
async function load(
  port: number,
  hello: Buffer,
  seen: Seen,
  onFinished: (finished: number) => Promise<void>,
  count = connections,
): Promise<void> {
  let finished = 0
  let started = 0
  const held: net.Socket[] = []
  const one = async (): Promise<void> => {
    while (started < count) {
      const hold = started++ % 10 === 0
      const socket = net.connect({ port, host: '127.0.0.1' })
      await new Promise<void>((resolve) => {
        socket.on('error', () => {})
        socket.once('close', () => resolve())
        socket.once('connect', () => socket.write(hello))
        socket.once('data', () => {
          seen.clients.add(socket.localPort!)
          if (!hold) socket.end()
          else {
            held.push(socket)
            resolve()
          }
        })
      })
      await onFinished(++finished)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, one))
  for (const socket of held) socket.destroy()
}

function expectEachClosedOnce(records: readonly RawRecord[]): void {
  const opened = records.filter(({ type }) => type.endsWith('.opened.v1')).map(({ data }) => data['connection_id'] as string)
  const closed = records.filter(({ type }) => type.endsWith('.closed.v1')).map(({ data }) => data['connection_id'] as string)
  expect(new Set(opened).size).toBe(opened.length)
  expect(closed.toSorted()).toEqual(opened.toSorted())
}

function expectUnbroken(lines: readonly string[]): void {
  let prevhash = Buffer.alloc(32).toString('base64')
  for (const [index, line] of lines.entries()) {
    const record = JSON.parse(line) as RawRecord
    expect(Number(record.sequence)).toBe(index)
    expect(record.prevhash).toBe(prevhash)
    prevhash = createHash('sha256').update(`\0${line}`).digest('base64')
  }
}
