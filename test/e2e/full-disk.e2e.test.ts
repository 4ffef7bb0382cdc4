import { once } from 'node:events'
import { rmSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { realHello, tcpBackend } from '../support/peers.ts'
import { fill, mountSmall } from '../support/small-disk.ts'
import { rawRecords, startWaybill, TemporaryFolder, type RunningWaybill } from '../support/waybill.ts'

const mebibyte = 1024 * 1024
const refusedClients = 25

test('the disk fills: nothing is forwarded unrecorded, changes get 503, no crash; space returns: it goes on by itself', async ({ skip }) => {
  using folder = new TemporaryFolder()
  using mounted = mountSmall(folder.path, 24)
  if (mounted === null) return skip('mounting a small tmpfs is not allowed here')
  const hello = await realHello()
  let reached = 0
  await using backend = await tcpBackend((socket) => {
    socket.once('data', () => (reached += 1))
    socket.on('data', () => socket.write('answer'))
    socket.on('end', () => socket.end())
  })
  await using waybill = await startWaybill(join(folder.path, 'data'), ['--reserve-bytes', String(mebibyte), '--space-low-bytes', String(8 * mebibyte)])
  await waybill.post('/api/pools', { name: 'app', health_check_interval: 3_600_000 })
  await waybill.post('/api/pools/app/backends', { url: `https://127.0.0.1:${backend.port}` })
  const before = await connect(waybill, hello)
  expect(await before.answer).toBe(true)
  expect(reached).toBe(1)

  const filler = join(folder.path, 'filler')
  fill(filler)
  // The block that the open segment ends in has room for a few more records; then nobody gets in.
  let admitted = 1
  let refusals = 0
  while (refusals < refusedClients) {
    const client = await connect(waybill, hello)
    if (await client.answer) admitted += 1
    else refusals += 1
    expect(admitted).toBeLessThan(20)
    expect(refusals === 0 || reached === admitted).toBe(true)
    client.socket.end()
  }
  expect(reached).toBe(admitted)
  const change = await waybill.post('/api/pools', { name: 'other' })
  expect(change.status).toBe(503)
  expect(await change.json()).toMatchObject({ code: 'not_applied' })
  expect((await fetch(`${waybill.api}/health/ready`)).status).toBe(503)
  expect((await fetch(`${waybill.api}/health/live`)).status).toBe(200)

  // What was open goes on, and its closing record is written out of the reserve.
  before.socket.write('more')
  await once(before.socket, 'data')
  before.socket.end()
  await until(() => closedRecords(waybill).length === admitted)

  await until(() => waybill.lines.some((line) => line.includes('nearly full')))
  rmSync(filler)
  await until(async () => (await fetch(`${waybill.api}/health/ready`)).status === 200)
  const after = await connect(waybill, hello)
  expect(await after.answer).toBe(true)
  after.socket.end()
  expect((await waybill.post('/api/pools', { name: 'other' })).status).toBe(201)
  expect(await waybill.stop()).toBe(0)

  const connections = rawRecords(waybill.data, 'connections')
  const refused = connections.filter(({ type }) => type.endsWith('.refused.v1'))
  expect(refused.reduce((sum, { data }) => sum + (data['count'] as number), 0)).toBe(refusedClients)
  expect(new Set(refused.map(({ data }) => data['because']))).toEqual(new Set(['log_unavailable']))
  expect(connections.filter(({ type }) => type.endsWith('.opened.v1'))).toHaveLength(admitted + 1)
  expect(closedRecords(waybill)).toHaveLength(admitted + 1)
  const operations = rawRecords(waybill.data, 'operations').map(({ type }) => type)
  for (const fact of ['log.space_low', 'log.failed', 'log.restored']) expect(operations).toContain(`dev.waybill.${fact}.v1`)
})

/** A client that sends its hello at once; `answer` is whether anything came back before the end. */
async function connect({ port }: RunningWaybill, hello: Buffer): Promise<{ socket: net.Socket; answer: Promise<boolean> }> {
  const socket = net.connect({ port, host: '127.0.0.1' })
  socket.on('error', () => {})
  const answer = new Promise<boolean>((resolve) => {
    socket.once('data', () => resolve(true))
    socket.once('close', () => resolve(false))
  })
  socket.write(hello)
  return { socket, answer }
}

function closedRecords({ data }: RunningWaybill): unknown[] {
  return rawRecords(data, 'connections').filter(({ type }) => type.endsWith('.closed.v1'))
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 50))
}
