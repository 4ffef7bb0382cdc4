import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { join } from 'node:path'
import type { AddressInfo } from 'node:net'
import type { TlsOptions } from 'node:tls'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { certificate } from '../support/certificates.ts'
import { rawRecords, runWaybill, startWaybill, TemporaryFolder, type RunningWaybill } from '../support/waybill.ts'

/** What a new user does, with the tools a new user has: curl and openssl, through the proxy to real TLS servers. */

const run = promisify(execFile)
const name = 'app.example.test'
const pair = certificate(name)
const clientPair = certificate('client.example.test')
/** Served by both backends; larger than every buffer on the way. */
const payload = randomBytes(48 * 1024 * 1024)

interface Backend extends AsyncDisposable {
  readonly port: number
}

async function httpsBackend(answer: string, options: TlsOptions = {}): Promise<Backend> {
  const server = createServer({ ...pair, ...options }, (request, response) => {
    if (request.url === '/payload') response.end(payload)
    else if (request.method === 'POST') {
      const digest = createHash('sha256')
      request.on('data', (chunk: Buffer) => digest.update(chunk)).on('end', () => response.end(digest.digest('hex')))
    } else response.end(answer)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

describe('the first hour', () => {
  const stack = new AsyncDisposableStack()
  let folder: TemporaryFolder
  let waybill: RunningWaybill
  let backends: Backend[]

  beforeAll(async () => {
    folder = stack.use(new TemporaryFolder())
    writeFileSync(join(folder.path, 'client.pem'), Buffer.concat([clientPair.key, clientPair.cert]))
    writeFileSync(join(folder.path, 'payload'), payload)
    backends = [stack.use(await httpsBackend('one')), stack.use(await httpsBackend('two'))]
    waybill = stack.use(await startWaybill(join(folder.path, 'data')))
  })
  afterAll(() => stack.disposeAsync())

  const curl = async (...args: string[]): Promise<string> => (await run('curl', ['-sS', ...args])).stdout
  const through = (path: string, port = waybill.port): string[] => ['-k', '--resolve', `${name}:${port}:127.0.0.1`, `https://${name}:${port}${path}`]

  test('two curl lines make a pool, one of them without a content type', async () => {
    const created = JSON.parse(
      await curl('-X', 'POST', `${waybill.api}/api/pools`, '-H', 'Content-Type: application/json',
        '-d', '{"name":"secure-app","algorithm":"least_connections","ssl_mode":"passthrough"}'),
    )
    expect(created).toMatchObject({ name: 'secure-app', default_route: true, default_route_reason: 'automatic' })
    for (const { port } of backends) {
      const url = `https://127.0.0.1:${port}`
      const added = JSON.parse(await curl('-X', 'POST', `${waybill.api}/api/pools/secure-app/backends`, '-d', JSON.stringify({ url })))
      expect(added).toMatchObject({ id: `127.0.0.1:${port}`, url, state: 'active' })
    }
    const pool = JSON.parse(await curl(`${waybill.api}/api/pools/secure-app`))
    expect(pool).toMatchObject({
      name: 'secure-app', algorithm: 'least_connections', ssl_mode: 'passthrough', health_check_interval: 10_000,
      stats: { total_backends: 2, healthy_backends: 2, current_connections: 0, total_bytes_transferred: 0 },
    })
  })

  test('curl reaches both backends, byte for byte in both directions', async () => {
    const answers = new Set<string>()
    for (let attempt = 0; attempt < 40 && answers.size < 2; attempt += 1) answers.add(await curl(...through('/')))
    expect([...answers].toSorted()).toEqual(['one', 'two'])

    await curl('-o', join(folder.path, 'received'), ...through('/payload'))
    await run('cmp', [join(folder.path, 'payload'), join(folder.path, 'received')])
    const digest = await curl('--data-binary', `@${join(folder.path, 'payload')}`, ...through('/'))
    expect(digest).toBe(createHash('sha256').update(payload).digest('hex'))
  })

  test.each(['-tls1_2', '-tls1_3'])('openssl %s sees the certificate, version and cipher of a direct connection', async (version) => {
    const direct = await handshake(backends[0]!.port, version)
    expect(direct).toMatchObject({ connected: true })
    expect(await handshake(waybill.port, version)).toEqual(direct)
  })

  test('a client certificate reaches the backend (mTLS), and without it the backend refuses, not the proxy', async () => {
    await using strict = await httpsBackend('mutual', { requestCert: true, rejectUnauthorized: true, ca: clientPair.cert })
    await waybill.post('/api/pools', { name: 'mutual', server_names: ['mutual.example.test'] })
    await waybill.post('/api/pools/mutual/backends', { url: `https://127.0.0.1:${strict.port}` })
    const url = `https://mutual.example.test:${waybill.port}/`
    const resolve = ['--resolve', `mutual.example.test:${waybill.port}:127.0.0.1`]
    expect(await curl('-k', '--cert', join(folder.path, 'client.pem'), ...resolve, url)).toBe('mutual')
    await expect(curl('-k', ...resolve, url)).rejects.toThrow(/curl/)
  })

  test('everything is on record, and the command line prints it byte for byte while the server runs', async () => {
    const { code, stdout } = await runWaybill(['events', '--json', '--stream', 'connections', '--data', waybill.data])
    expect(code).toBe(0)
    const records = rawRecords(waybill.data, 'connections')
    expect(stdout.trimEnd().split('\n').slice(0, records.length).map((line) => JSON.parse(line))).toEqual(records)
    const opened = records.filter(({ type }) => type.endsWith('.opened.v1'))
    expect(opened.length).toBeGreaterThanOrEqual(6)
    expect(new Set(opened.map(({ data }) => data['server_name']))).toContain(name)
    const bytes = records.filter(({ type }) => type.endsWith('.closed.v1')).map(({ data }) => data['bytes_to_client'] as number)
    expect(Math.max(...bytes)).toBeGreaterThan(payload.length)
    const control = rawRecords(waybill.data, 'control')
    expect(control.map(({ type }) => type)).toEqual([
      'dev.waybill.pool.created.v1', 'dev.waybill.backend.added.v1', 'dev.waybill.backend.added.v1',
      'dev.waybill.pool.created.v1', 'dev.waybill.backend.added.v1',
    ])
  })

  test('SIGTERM ends it in order: node.stopped is the last record, exit code 0', async () => {
    expect(await waybill.stop()).toBe(0)
    const operations = rawRecords(waybill.data, 'operations')
    expect(operations.at(-1)).toMatchObject({ type: 'dev.waybill.node.stopped.v1', data: { because: 'signal' } })
  })

  async function handshake(port: number, version: string): Promise<object> {
    const args = ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', name, version, '-cert', join(folder.path, 'client.pem')]
    const asked = run('openssl', args)
    asked.child.stdin!.end()
    const { stdout } = await asked
    return {
      connected: stdout.includes('CONNECTED'),
      certificate: /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/.exec(stdout)?.[0],
      cipher: /New, ([^,]+), Cipher is (\S+)/.exec(stdout)?.slice(1),
      serverKey: /Server public key is (\d+) bit/.exec(stdout)?.[1],
      temporaryKey: /(?:Server|Peer) Temp Key: (.*)/i.exec(stdout)?.[1],
    }
  }
})
