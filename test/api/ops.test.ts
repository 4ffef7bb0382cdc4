import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { serveOps, type OpsServer, type OpsView } from '../../src/api/ops.ts'
import { systemClock } from '../../src/core/system/clock.ts'
import { ManualClock } from '../support/manual-clock.ts'

const loopback = { ip: '127.0.0.1', port: 0 }
const none: OpsView['metrics'] = async () => null
const ready: OpsView = { metrics: none, reasons: () => [] }

function portOf({ address }: OpsServer): number {
  return Number(address.slice(address.lastIndexOf(':') + 1))
}

async function exchange(ops: OpsServer, text: string): Promise<string> {
  const socket = connect(portOf(ops))
  socket.on('error', () => {}).write(text)
  let answer = ''
  socket.on('data', (chunk) => (answer += chunk.toString()))
  await once(socket, 'close')
  return answer
}

describe('scrapers', () => {
  test('get the counts in the format that they accept, and nothing of a HEAD', async () => {
    const metrics: OpsView['metrics'] = async (accept) => ({ body: Buffer.from(`# ${accept}\n`), contentType: 'text/plain; version=0.0.4' })
    await using ops = await serveOps(loopback, { ...ready, metrics }, systemClock)
    const answer = await fetch(`http://${ops.address}/metrics?x`, { headers: { accept: 'text/plain' } })
    expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([200, 'text/plain; version=0.0.4', '# text/plain\n'])
    expect(await exchange(ops, 'HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 [^]*content-length: 12\r\n[^]*\r\n\r\n$/)
  })

  test('that read slowly do not hold more than a few answers', async () => {
    const body = Buffer.alloc(20_000_000, '#')
    await using ops = await serveOps(loopback, { ...ready, metrics: async () => ({ body, contentType: 'text/plain' }) }, systemClock)
    const slow: Socket[] = []
    for (let index = 0; index < 4; index += 1) {
      const socket = connect(portOf(ops)).on('error', () => {}).pause()
      socket.write('GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n')
      await once(socket, 'readable')
      slow.push(socket)
    }
    expect(await exchange(ops, 'GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n')).toMatch(/^HTTP\/1\.1 503 [^]*\{"status":"busy"\}$/)
    expect(await exchange(ops, 'GET /health/ready HTTP/1.1\r\nHost: a\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /)
    slow[0]!.destroy()
    let answer = ''
    while (!answer.startsWith('HTTP/1.1 200 ')) answer = await exchange(ops, 'GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(answer.length).toBeGreaterThan(body.length)
    for (const socket of slow) socket.destroy()
  })

  test('that take too long are cut off, and others get their turn', async () => {
    const clock = new ManualClock()
    const body = Buffer.alloc(20_000_000, '#')
    await using ops = await serveOps(loopback, { ...ready, metrics: async () => ({ body, contentType: 'text/plain' }) }, clock)
    const slow = connect(portOf(ops)).on('error', () => {}).pause()
    slow.write('GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n')
    await once(slow, 'readable')
    clock.advance(5_000)
    slow.resume()
    await once(slow, 'close')
    expect(slow.bytesRead).toBeLessThan(body.length)
    expect(clock.pending).toBe(0)
  })

  test('are told when there is nothing to show', async () => {
    await using ops = await serveOps(loopback, ready, systemClock)
    expect(await exchange(ops, 'GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n')).toMatch(/^HTTP\/1\.1 503 [^]*\{"status":"failed"\}$/)
  })
})

describe('probes', () => {
  test('are told whether the node is alive and should get clients, whoever they think they ask', async () => {
    const reasons: string[] = []
    await using ops = await serveOps(loopback, { metrics: none, reasons: () => reasons }, systemClock)
    const url = `http://${ops.address}`
    const ask = async (path: string) => {
      const answer = await fetch(url + path, { headers: { origin: 'http://elsewhere.example' } })
      return [answer.status, await answer.json()]
    }
    expect(await ask('/health/live')).toEqual([200, { status: 'live' }])
    expect(await ask('/health/ready?verbose')).toEqual([200, { status: 'ready' }])
    reasons.push('starting', 'log_unavailable')
    expect(await ask('/health/ready')).toEqual([503, { status: 'not_ready', reasons: ['starting', 'log_unavailable'] }])
    expect(await ask('/health/live')).toEqual([200, { status: 'live' }])
  })

  test('get no other address and no other method, and none of the API', async () => {
    await using ops = await serveOps(loopback, ready, systemClock)
    for (const path of ['/', '/api/pools', '/openapi.json', '/health', '/health/live/', '//health/live', '/metrics/', '*']) {
      expect(await exchange(ops, `GET ${path} HTTP/1.0\r\n\r\n`)).toMatch(/^HTTP\/1\.1 404 /)
    }
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE']) {
      expect(await exchange(ops, `${method} /health/live HTTP/1.0\r\n\r\n`)).toMatch(/^HTTP\/1\.1 405 [^]*allow: GET, HEAD\r\n/)
    }
    expect(await exchange(ops, 'HEAD /health/ready HTTP/1.1\r\nHost: a\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 [^]*\r\n\r\n$/)
  })

  test('a connection carries one answer, and nothing of a body is waited for', async () => {
    await using ops = await serveOps(loopback, ready, systemClock)
    const two = 'GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(2)
    expect((await exchange(ops, two)).match(/HTTP\/1\.1/g)).toHaveLength(1)
    expect(await exchange(ops, 'GET /health/live HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /)
  })

  test.each(['NOT HTTP\r\n\r\n', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(8_192)}\r\n\r\n`, 'GET / HTTP/1.1\r\n\r\n'])('%j gets no help', async (text) => {
    await using ops = await serveOps(loopback, ready, systemClock)
    expect(await exchange(ops, text)).not.toMatch(/^HTTP\/1\.1 (?:200|5)/)
  })

  test('there is an end to how many connections are held', async () => {
    await using ops = await serveOps(loopback, ready, systemClock)
    const held: Socket[] = []
    for (let index = 0; index < 64; index += 1) {
      const socket = connect(portOf(ops)).on('error', () => {})
      await once(socket, 'connect')
      held.push(socket)
    }
    expect(await exchange(ops, 'GET /health/live HTTP/1.0\r\n\r\n')).toBe('')
    for (const socket of held) socket.destroy()
  })
})

test('an address that is taken stops the start with a sentence', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  await expect(serveOps({ ip: '127.0.0.1', port }, ready, systemClock)).rejects.toMatchObject({
    code: 'ops_not_bound', source: 'network', message: `probes can't be answered on 127.0.0.1:${port}: EADDRINUSE. Stop what uses that address or choose another one (--ops).`,
  })
  taken.close()
})

test('ends at once, whoever still holds a connection', async () => {
  const ops = await serveOps(loopback, ready, systemClock)
  const socket = connect(portOf(ops)).on('error', () => {})
  await once(socket, 'connect')
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.write('GET /health')
  await ops[Symbol.asyncDispose]()
  await closed
})
