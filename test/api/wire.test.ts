import { once } from 'node:events'
import { mkdtempSync, statSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { connect, type AddressInfo, type NetConnectOpts } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { duplexPair } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { answerMalformed } from '../../src/api/errors.ts'
import { serveOnSocket } from '../../src/api/socket.ts'
import { systemDisk } from '../../src/core/system/disk.ts'
import { closeGraceMs } from '../../src/api/servers.ts'
import { ManualClock, settled } from '../support/manual-clock.ts'
import { harness, type Harness } from './harness.ts'

/** Sends bytes as they are and gives back everything that comes until the server closes. */
async function exchange(to: NetConnectOpts, text: string): Promise<string> {
  const socket = connect(to)
  socket.write(text)
  let answer = ''
  socket.on('data', (chunk) => (answer += chunk.toString()))
  await once(socket, 'close')
  return answer
}

async function listening(api: Harness): Promise<number> {
  await api.app.listen({ host: '127.0.0.1', port: 0 })
  return (api.app.server.address() as AddressInfo).port
}

function post(path: string, host: string, body: string, more = ''): string {
  return `POST ${path} HTTP/1.1\r\nHost: ${host}\r\n${more}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`
}

describe('raw bytes over TCP', () => {
  test('a POST without a Content-Type creates a pool; the port that was bound is the one in Host', async () => {
    await using api = await harness()
    const port = await listening(api)
    const answer = await exchange({ port }, post('/api/pools', `localhost:${port}`, '{"name":"secure-app"}'))
    expect(answer).toMatch(/^HTTP\/1\.1 201 Created\r\n/)
    expect(answer).toContain('"name":"secure-app"')
    const [record] = await api.records('control')
    expect(record?.data['origin']).toEqual({ ip: '127.0.0.1', port: expect.any(Number), via: 'api' })
    expect(await exchange({ port }, post('/api/pools', 'localhost:4000', '{}'))).toMatch(/^HTTP\/1\.1 421 /)
  })

  test('a chunked body and Expect: 100-continue', async () => {
    await using api = await harness()
    const port = await listening(api)
    const head = `POST /api/pools HTTP/1.1\r\nHost: localhost:${port}\r\nConnection: close\r\n`
    const chunked = `${head}Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\na\r\n{"name":"a\r\n2\r\n"}\r\n0\r\n\r\n`
    expect(await exchange({ port }, chunked)).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 /)
  })

  test.each([
    ['request_malformed', 400, 'NOT HTTP AT ALL\r\n\r\n'],
    ['request_malformed', 400, 'GET / HTTP/1.1\r\nHost: a\r\nHost : b\r\n\r\n'],
    ['headers_too_large', 431, `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`],
  ])('%s: what the parser refuses is a problem too', async (code, status, text) => {
    await using api = await harness()
    const answer = await exchange({ port: await listening(api) }, text)
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(answer).toContain('content-type: application/problem+json')
    expect(answer).toContain(`"code":"${code}"`)
  })

  test('a request that arrives too slowly is told so; a client that is gone is told nothing', async () => {
    const statuses: number[] = []
    const answer = answerMalformed(() => '0198c0de-0000-7000-8000-000000000009', (_socket, status) => statuses.push(status))
    const [ours, theirs] = duplexPair()
    answer(Object.assign(new Error('Request timeout'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), ours)
    theirs.end()
    expect(String(await theirs.toArray())).toMatch(/^HTTP\/1\.1 408 [^]*"code":"request_timeout"/)
    const [gone] = duplexPair()
    answer(Object.assign(new Error('reset'), { code: 'ECONNRESET' }), gone)
    expect(gone.destroyed).toBe(true)
    expect(statuses).toEqual([408])
  })

  test('a client that goes away in the middle of its body is no bug of this program', async () => {
    await using api = await harness()
    const port = await listening(api)
    const client = connect({ port })
    const asked = once(api.app.server, 'request') as Promise<[IncomingMessage]>
    client.write(`POST /api/pools HTTP/1.1\r\nHost: localhost:${port}\r\nContent-Length: 100\r\n\r\n{"name":`)
    const [request] = await asked
    const gone = new Promise((resolve) => request.once('close', resolve))
    client.resetAndDestroy()
    await gone
    await settled()
    expect(api.violations).toEqual([])
    expect(api.live.routing.revision).toBe(0)
  })

  test.each(['PUT', 'OPTIONS', 'TRACE', 'QUERY'])('%s is a method that no address takes: 405 says which it does', async (method) => {
    await using api = await harness()
    const port = await listening(api)
    const answer = await exchange({ port }, `${method} /api/pools HTTP/1.1\r\nHost: localhost:${port}\r\nConnection: close\r\n\r\n`)
    expect(answer).toMatch(/^HTTP\/1\.1 405 [^]*\r\nallow: GET, HEAD, POST\r\n/)
  })

  test('an HTTP/1.1 request without Host is none', async () => {
    await using api = await harness()
    expect(await exchange({ port: await listening(api) }, 'GET /health/live HTTP/1.1\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /)
    const port = (api.app.server.address() as AddressInfo).port
    expect(await exchange({ port }, 'GET /health/live HTTP/1.0\r\n\r\n')).toContain('host_not_ours')
  })
})

async function folder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = mkdtempSync(join(tmpdir(), 'waybill-api-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}
const ports = { disk: systemDisk }

describe('closing', () => {
  test('does not wait longer than its grace for a client with half a request', async () => {
    await using data = await folder()
    const clock = new ManualClock()
    const api = await harness({ clock })
    const port = await listening(api)
    const path = join(data.path, 'api.sock')
    await serveOnSocket(api.app, path, ports)
    const half = 'POST /api/pools HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{'
    const clients = [connect({ port }), connect({ path })]
    for (const client of clients) client.on('error', () => {}).write(half)
    const gone = clients.map((client) => once(client.resume(), 'close'))
    await Promise.all([once(api.app.server, 'request'), ...clients.map((client) => once(client, 'connect'))])
    let closed = false
    const closing = api.app.close().then(() => (closed = true))
    await clock.run(closeGraceMs - 1)
    expect(closed).toBe(false)
    await clock.run(1)
    await closing
    await Promise.all(gone)
    await Promise.all([api.live.stop(), api.log.close(1_000)])
  })
})

describe('the socket in the data folder', () => {
  test('serves the same API, whatever Host says, to its owner only; the actor is the socket', async () => {
    await using data = await folder()
    await using api = await harness()
    const path = join(data.path, 'api.sock')
    writeFileSync(path, 'left by a dead process')
    await using _served = await serveOnSocket(api.app, path, ports)
    expect(statSync(path).isSocket()).toBe(true)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const evil = 'Origin: http://evil.example\r\n'
    expect(await exchange({ path }, post('/api/pools', 'anything', '{"name":"a"}', evil))).toMatch(/^HTTP\/1\.1 201 /)
    expect((await api.records('control'))[0]?.data).toMatchObject({
      actor: { type: 'local', id: 'socket', authn: 'none' },
      origin: { ip: null, port: null, via: 'socket' },
    })
  })

  test('ends with the app: streams too, and the file is gone', async () => {
    await using data = await folder()
    const api = await harness()
    const path = join(data.path, 'api.sock')
    const served = await serveOnSocket(api.app, path, ports)
    const follow = exchange({ path }, 'GET /api/events?follow=true HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    for await (const batch of api.log.read('operations', { after: null, follow: true })) if (batch.length > 0) break
    await api.app.close()
    await served[Symbol.asyncDispose]()
    expect(await follow).toMatch(/^HTTP\/1\.1 200 /)
    expect(() => statSync(path)).toThrow('ENOENT')
    await api[Symbol.asyncDispose]()
  })

  test('a path that is too long for a socket is a fault that says so', async () => {
    await using api = await harness()
    const path = `/tmp/${'d'.repeat(95)}/api.sock`
    expect(Buffer.byteLength(path)).toBe(109)
    await expect(serveOnSocket(api.app, path, ports)).rejects.toMatchObject({
      code: 'socket_path_too_long',
      source: 'settings',
      message: expect.stringContaining('at most 107'),
    })
  })
})
