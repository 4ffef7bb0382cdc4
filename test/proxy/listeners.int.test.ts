import net from 'node:net'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { PoolRemoved } from '../../events/pool.ts'
import { closedPort, plainHello, tapBackend, tcpClient, type TapBackend } from '../support/peers.ts'
import { startRig, type Rig } from '../support/rig.ts'

/** Where clients come in and which pool they go to. */

async function goesTo(rig: Rig, name: string | null, backend: TapBackend, port = rig.port): Promise<void> {
  const hello = plainHello(name ?? undefined)
  const client = await tcpClient(port)
  client.socket.write(hello)
  const server = await backend.next()
  await server.until(({ length }) => length === hello.length)
  client.socket.resetAndDestroy()
}

async function refusedFor(rig: Rig, name: string): Promise<string> {
  const client = await tcpClient(rig.port)
  client.socket.write(plainHello(name))
  await client.until(({ fin }) => fin)
  client.socket.destroy()
  const { data } = await rig.untilRecord('dev.waybill.connection.refused.v1', (event) => event.data.server_name === name)
  return data.because
}

test('exact name before wildcard before the default route; a wildcard is one label and never the apex', async () => {
  await using exact = await tapBackend()
  await using wild = await tapBackend()
  await using rest = await tapBackend()
  await using rig = await startRig()
  const to = (backend: TapBackend) => [{ port: backend.port }]
  await rig.addPool({ name: 'exact', serverNames: ['a.example.test'], backends: to(exact) })
  await rig.addPool({ name: 'wild', serverNames: ['*.example.test'], backends: to(wild) })
  expect(await refusedFor(rig, 'example.test')).toBe('unknown_sni')
  expect(await refusedFor(rig, 'x.y.example.test')).toBe('unknown_sni')
  await rig.addPool({ name: 'rest', defaultRoute: true, backends: to(rest) })
  await goesTo(rig, 'a.example.test', exact)
  await goesTo(rig, 'A.Example.TEST', exact)
  await goesTo(rig, 'b.example.test', wild)
  await goesTo(rig, 'x.y.example.test', rest)
  await goesTo(rig, 'example.test', rest)
  await goesTo(rig, 'elsewhere.test', rest)
})

test('a pool with its own address is reached there, whatever the name, until it is removed', async () => {
  await using shared = await tapBackend()
  await using own = await tapBackend()
  await using rig = await startRig()
  const port = await closedPort()
  await rig.addPool({ name: 'shared-one', serverNames: ['a.example.test'], backends: [{ port: shared.port }] })
  await rig.addPool({ name: 'own', listen: `127.0.0.1:${port}`, serverNames: [], backends: [{ port: own.port }] })
  const bound = await rig.untilRecord('dev.waybill.listener.bound.v1', ({ data }) => data.pool === 'own')
  expect(bound.data).toEqual({ address: `127.0.0.1:${port}`, listener: 'pools/own', pool: 'own' })
  await goesTo(rig, 'a.example.test', own, port)
  await goesTo(rig, 'a.example.test', shared)
  const opened = await rig.untilRecord('dev.waybill.connection.opened.v1')
  expect(opened.data).toMatchObject({ listener: 'pools/own', pool: 'own' })

  // Who is connected when the pool goes stays connected.
  const client = await tcpClient(port)
  client.socket.write(plainHello())
  const server = await own.next()
  await server.until(({ length }) => length > 0)
  await rig.change(PoolRemoved, 'pools/own', { force: false, name: 'own' })
  const closed = await rig.untilRecord('dev.waybill.listener.closed.v1')
  expect(closed.data).toEqual({ address: `127.0.0.1:${port}`, listener: 'pools/own', pool: 'own' })
  const late = await tcpClient(port)
  expect(late.error).toBe('ECONNREFUSED')
  server.socket.write('still here')
  await client.until(({ length }) => length === 10)
  client.socket.resetAndDestroy()
})

test('an address that is taken is on record once, tried again, and bound when it is free', async () => {
  await using backend = await tapBackend()
  await using rig = await startRig()
  const squatter = net.createServer()
  squatter.listen(0, '127.0.0.1')
  await once(squatter, 'listening')
  const { port } = squatter.address() as net.AddressInfo
  await rig.addPool({ name: 'own', listen: `127.0.0.1:${port}`, serverNames: [], backends: [{ port: backend.port }] })
  const failed = await rig.untilRecord('dev.waybill.listener.failed.v1')
  expect(failed.data).toEqual({ address: `127.0.0.1:${port}`, code: 'EADDRINUSE', listener: 'pools/own', pool: 'own' })
  expect(rig.proxy.notReady()).toEqual([])
  squatter.close()
  await once(squatter, 'close')
  await rig.untilRecord('dev.waybill.listener.bound.v1', ({ data }) => data.pool === 'own')
  await goesTo(rig, null, backend, port)
  const failures = (await rig.records('operations')).filter(({ type }) => type === 'dev.waybill.listener.failed.v1')
  expect(failures.length).toBe(1)
})

test('a shared listener that could not be bound makes the node not ready', async () => {
  const squatter = net.createServer()
  squatter.listen(0, '127.0.0.1')
  await once(squatter, 'listening')
  const { port } = squatter.address() as net.AddressInfo
  await expect(startRig({ settings: { listen: { ip: '127.0.0.1', port } }, endsUnfinished: true })).rejects.toThrow('shared is not bound: EADDRINUSE')
  squatter.close()
})

test('a dual-stack listener shows IPv4 clients as IPv4 and IPv6 clients as IPv6', async () => {
  await using backend = await tapBackend()
  await using rig = await startRig({ settings: { listen: { ip: '::', port: 0 } } })
  await rig.addPool({ backends: [{ port: backend.port }] })
  const ips: string[] = []
  for (const host of ['127.0.0.1', '::1']) {
    const client = await tcpClient(rig.port, { host })
    const { localPort } = client.socket
    client.socket.write(plainHello())
    await (await backend.next()).until(({ length }) => length > 0)
    const opened = await rig.untilRecord('dev.waybill.connection.opened.v1', ({ data }) => data.client?.port === localPort)
    ips.push(opened.data.client!.ip)
    client.socket.resetAndDestroy()
  }
  expect(ips).toEqual(['127.0.0.1', '::1'])
})
