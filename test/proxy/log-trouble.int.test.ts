import { expect, test } from 'vitest'
import { idMaker } from '../../src/core/ids.ts'
import { systemClock } from '../../src/core/system/clock.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { MemoryLog } from '../../src/log/memory.ts'
import { plainHello, tapBackend, tcpClient } from '../support/peers.ts'
import { startRig } from '../support/rig.ts'

/** No record, no traffic: what clients and backends see while the log is slow, unsure or down. */

const hello = plainHello()
const memoryLog = (): MemoryLog => new MemoryLog({ clock: systemClock, makeId: idMaker(systemClock, systemRandom), node: 'test' })

test('not a byte reaches the backend before the record is durable, and then all of them do', async () => {
  const log = memoryLog()
  await using backend = await tapBackend()
  await using rig = await startRig({ log })
  await rig.addPool({ backends: [{ port: backend.port }] })
  const stall = log.stallCommits('connections')
  const client = await tcpClient(rig.port)
  client.socket.write(hello)
  const server = await backend.next()
  client.socket.write('early')
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(server.length).toBe(0)
  expect(rig.proxy.leases).toBe(1)
  stall[Symbol.dispose]()
  await server.until(({ length }) => length === hello.length + 5)
  expect(server.bytes.equals(Buffer.concat([hello, Buffer.from('early')]))).toBe(true)
  const [opened] = await rig.records('connections')
  expect(opened!.type).toBe('dev.waybill.connection.opened.v1')
  client.socket.resetAndDestroy()
})

test('a record that waits too long for its turn: refused, with RST for the backend', async () => {
  const log = memoryLog()
  await using backend = await tapBackend()
  await using rig = await startRig({ log, settings: { appendTimeoutMs: 200 } })
  await rig.addPool({ backends: [{ port: backend.port }] })
  const stall = log.stallCommits('connections')
  // The first one is in the commit that hangs; the second one is not written yet.
  const first = await tcpClient(rig.port)
  first.socket.write(hello)
  const firstServer = await backend.next()
  await new Promise((resolve) => setTimeout(resolve, 50))
  const second = await tcpClient(rig.port)
  const { localPort } = second.socket
  second.socket.write(hello)
  const secondServer = await backend.next()
  await Promise.all([firstServer, secondServer, first].map((tap) => tap.until(({ closed }) => closed)))
  await second.until(({ fin }) => fin)
  second.socket.destroy()
  expect([firstServer.length, secondServer.length]).toEqual([0, 0])
  expect([firstServer.error, secondServer.error]).toEqual(['ECONNRESET', 'ECONNRESET'])
  stall[Symbol.dispose]()
  const refused = await rig.untilRecord('dev.waybill.connection.refused.v1', ({ data }) => data.client?.port === localPort)
  expect(refused.data).toMatchObject({ because: 'append_timeout', pool: 'app', count: 1 })
  const closed = await rig.untilRecord('dev.waybill.connection.closed.v1')
  expect(closed.data).toMatchObject({
    bytes_to_backend: 0, bytes_to_client: 0, bytes_quality: 'exact',
    close: { by: 'proxy', because: 'audit_timeout', phase: 'record' },
  })
  expect((await rig.records('connections')).filter(({ type }) => type === 'dev.waybill.connection.opened.v1').length).toBe(1)
})

test('while the log is down: who is connected goes on, who comes is turned away and counted, and all of it is on record later', async () => {
  const log = memoryLog()
  await using backend = await tapBackend()
  await using rig = await startRig({ log })
  await rig.addPool({ backends: [{ port: backend.port }] })
  const open = await tcpClient(rig.port)
  open.socket.write(hello)
  const server = await backend.next()
  await server.until(({ length }) => length === hello.length)
  const broken = log.breakCommits('connections', 'not_written', 'ENOSPC')

  // The first one finds out.
  const finder = await tcpClient(rig.port)
  finder.socket.write(hello)
  await finder.until(({ fin }) => fin)
  finder.socket.destroy()
  expect(log.availability('connections').available).toBe(false)
  const late = await Promise.all(Array.from({ length: 20 }, () => tcpClient(rig.port)))
  await Promise.all(late.map((tap) => tap.until(({ closed }) => closed)))
  expect(late.every((tap) => tap.length === 0)).toBe(true)

  open.socket.end('still here')
  await server.until(({ fin }) => fin)
  server.socket.end()
  await open.until(({ closed }) => closed)
  expect(server.text.endsWith('still here')).toBe(true)
  const before = await rig.records('connections')
  expect(before.map(({ type }) => type)).toEqual(['dev.waybill.connection.opened.v1'])

  broken[Symbol.dispose]()
  const closed = await rig.untilRecord('dev.waybill.connection.closed.v1')
  expect(closed.data).toMatchObject({ bytes_quality: 'exact', bytes_to_backend: hello.length + 10, close: { because: 'finished' } })
  const refusals = async (): Promise<number> =>
    (await rig.records('connections')).reduce(
      (sum, event) => (event.type === 'dev.waybill.connection.refused.v1' && event.data.because === 'log_unavailable' ? sum + event.data.count : sum), 0,
    )
  while ((await refusals()) < 21) await new Promise((resolve) => setTimeout(resolve, 20))
  expect(await refusals()).toBe(21)
})
