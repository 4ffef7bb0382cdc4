import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import type { TlsOptions } from 'node:tls'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { certificate } from '../support/certificates.ts'
import { closedPort, plainHello, tcpBackend, tlsEcho, type Peer } from '../support/peers.ts'
import { rawRecords, root, runWaybill, startWaybill, TemporaryFolder, type RawRecord, type RunningWaybill } from '../support/waybill.ts'

/**
 * docs/troubleshooting.md: every failure is made with real processes, the commands are those of the page, and the
 * records give the answer that the page promises.
 */

const run = promisify(execFile)
const name = 'pay.example.com'
const page = readFileSync(join(root, 'docs', 'troubleshooting.md'), 'utf8')

let stack: AsyncDisposableStack
let waybill: RunningWaybill

beforeEach(async () => {
  stack = new AsyncDisposableStack()
  const folder = stack.use(new TemporaryFolder())
  waybill = stack.use(await startWaybill(folder.path, ['--dial-timeout-ms', '1000']))
})
afterEach(() => stack.disposeAsync())

/** What stands on the page for something that only a test run has. */
interface Stands {
  readonly backend?: string
  readonly connection?: string
}

/** Runs the page's `waybill` lines of one section, and gives back all that they print. */
async function commandsOf(section: string, { backend = '10.0.4.11:8443', connection = 'none' }: Stands = {}): Promise<string> {
  const [, text] = page.split(`\n## ${section}\n`)
  const lines = [...text!.split('\n## ')[0]!.matchAll(/^waybill .+$/gm)].map(([line]) => line)
  expect(lines.length, section).toBeGreaterThan(0)
  const printed: string[] = []
  for (const line of lines) {
    const actual = line.replace('10.0.4.11:8443', backend).replace('0199e3c1-7a52-7000-8000-000000000001', connection)
    const { code, stderr, stdout } = await runWaybill([...actual.split(' ').slice(1), '--data', waybill.data])
    // What the doctor finds is this machine's own affair.
    if (!line.startsWith('waybill doctor')) expect(code, `${line}: ${stderr}`).toBe(0)
    printed.push(stdout)
  }
  return printed.join('\n')
}

/** A pool of the page's name, with these backends, all of which the node has found to be up. */
async function payments(ports: readonly number[], fields: object = {}): Promise<void> {
  const backends = ports.map((port) => ({ url: `https://127.0.0.1:${port}` }))
  const created = await waybill.post('/api/pools', {
    name: 'payments', backends, server_names: [name], algorithm: 'round_robin', health_check_interval: 3_600_000, ...fields,
  })
  expect(created.status).toBe(201)
}

async function untilUp(count: number): Promise<void> {
  await until('operations', ({ data, type }) => type.endsWith('health.changed.v1') && data['to'] === 'up', count)
}

/** Waits for the records that match to be so many. */
async function until(stream: string, matches: (record: RawRecord) => boolean, count = 1): Promise<RawRecord[]> {
  for (;;) {
    const found = rawRecords(waybill.data, stream).filter(matches)
    if (found.length >= count) return found
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const closings = (count = 1) => until('connections', ({ type }) => type.endsWith('.closed.v1'), count)
const refusals = (count = 1) => until('connections', ({ type }) => type.endsWith('.refused.v1'), count)

/** A handshake by openssl; what it says does not matter, the records do. */
async function handshake(args: readonly string[] = [], serverName: readonly string[] = ['-servername', name]): Promise<void> {
  const asked = run('openssl', ['s_client', '-connect', `127.0.0.1:${waybill.port}`, ...serverName, ...args])
  asked.child.stdin!.end()
  await asked.catch(() => {})
}

async function tlsBackend(options: TlsOptions = {}): Promise<Peer> {
  return stack.use(await tlsEcho('backend', options))
}

describe('Where to begin', () => {
  test('every command works', async () => {
    await payments([(await tlsBackend()).port])
    const printed = await commandsOf('Where to begin')
    expect(printed).toContain('created with 1 backend')
  })
})

describe('Backend refused', () => {
  test('a service that is down: dial_failed with ECONNREFUSED, then no_healthy_backend', async () => {
    const peer = await tlsBackend()
    const backend = `127.0.0.1:${peer.port}`
    await payments([peer.port])
    await untilUp(1)
    await peer[Symbol.asyncDispose]()
    for (let client = 0; client < 4; client += 1) await handshake()
    const refused = await refusals(4)
    expect(refused.map(({ data }) => data['because'])).toEqual(['dial_failed', 'dial_failed', 'dial_failed', 'no_healthy_backend'])
    expect(refused[0]!.data['attempts']).toMatchObject([{ backend, code: 'ECONNREFUSED', ip: '127.0.0.1' }])

    const printed = await commandsOf('Backend refused', { backend })
    expect(printed.match(/outcome=dial_failed/g)).toHaveLength(3)
    expect(printed).toContain('outcome=no_healthy_backend')
    expect(printed).toMatch(/down \(ECONNREFUSED\)/)
    expect(printed).toMatch(/down: dial_failed 3 times \(ECONNREFUSED\)/)
  })

  test('one of two is down: the client gets through, and the failed dial is counted', async () => {
    const [down, up] = [await closedPort(), await tlsBackend()]
    const backend = `127.0.0.1:${down}`
    // The first check may come first; then nobody dials it.
    await payments([down, up.port])
    await handshake()
    const [closed] = await closings()
    expect(closed!.data['backend']).toBe(`127.0.0.1:${up.port}`)
    expect(await commandsOf('Backend refused', { backend })).toMatch(/down: (?:check|dial)_failed 1 time \(ECONNREFUSED\)/)
  })

  test('nobody there: no_backend', async () => {
    await payments([])
    await handshake()
    await refusals()
    expect(await commandsOf('Backend refused')).toContain('outcome=no_backend')
  })
})

describe('Handshake failures', () => {
  const section = 'Handshake failures'

  test('a client that speaks no TLS', async () => {
    await payments([(await tlsBackend()).port])
    await run('curl', ['-s', `http://127.0.0.1:${waybill.port}/`]).catch(() => {})
    expect((await refusals())[0]).toMatchObject({ data: { because: 'not_tls', detail: 'first byte is 0x47' } })
    expect(await commandsOf(section)).toContain('outcome=not_tls')
  })

  test('a name that leads nowhere, and no name at all', async () => {
    await payments([(await tlsBackend()).port])
    await handshake([], ['-servername', 'strange.example.com'])
    await handshake([], ['-noservername'])
    const refused = await refusals(2)
    expect(refused.map(({ data }) => [data['because'], data['server_name']])).toEqual([['no_route', 'strange.example.com'], ['no_route', null]])
    expect((await commandsOf(section)).match(/outcome=no_route/g)).toHaveLength(2)
  })

  test('no version in common: the backend answers with an alert of 7 bytes, and the record of the opening has the offer', async () => {
    await payments([(await tlsBackend({ minVersion: 'TLSv1.3' })).port])
    await handshake(['-tls1_2'])
    const [closed] = await closings()
    expect(closed!.data).toMatchObject({ bytes_to_client: 7 })
    const [opened] = await until('connections', ({ type }) => type.endsWith('.opened.v1'))
    expect(opened!.data['tls_versions']).toEqual(['TLSv1.2'])
    expect(await commandsOf(section)).toContain(' 7 to client')
  })

  test('a certificate that one side does not accept: the bytes to the backend say which', async () => {
    const { cert } = certificate('client.example.test')
    await payments([(await tlsBackend()).port])
    const strict = await tlsBackend({ requestCert: true, rejectUnauthorized: true, ca: cert })
    const backends = [{ url: `https://127.0.0.1:${strict.port}` }]
    // As long as the other name, so that the hellos have the same size.
    await waybill.post('/api/pools', { name: 'mutual', server_names: ['own.example.com'], backends })
    const bytes: number[] = []
    for (const [args, serverName] of [
      [['-tls1_3'], name],
      [['-tls1_3', '-verify_return_error', '-verify', '1'], name],
      [['-tls1_3'], 'own.example.com'],
    ] as const) {
      await handshake(args, ['-servername', serverName])
      bytes.push((await closings(bytes.length + 1)).at(-1)!.data['bytes_to_backend'] as number)
    }
    const [good, byClient, byBackend] = bytes as [number, number, number]
    expect(byClient).toBeLessThan(good)
    expect(byBackend).toBeGreaterThan(good)
    expect(await commandsOf(section)).toContain(`${byClient} bytes to backend`)
  })
})

describe('Slow', () => {
  const delayMs = 700
  const pause = () => new Promise((resolve) => setTimeout(resolve, delayMs))

  /** The phase that took longest. */
  function slowest(closed: RawRecord): string {
    const { total: _total, ...phases } = closed.data['timings'] as Record<string, number>
    return Object.entries(phases).reduce((one, other) => (other[1] > one[1] ? other : one))[0]
  }

  async function client(hello: Buffer, sentFirst = hello.length): Promise<Socket> {
    const socket = connect(waybill.port, '127.0.0.1')
    socket.on('error', () => {})
    await once(socket, 'connect')
    socket.write(hello.subarray(0, sentFirst))
    if (sentFirst < hello.length) {
      await pause()
      socket.write(hello.subarray(sentFirst))
    }
    return socket
  }

  test('a client that takes its time to say hello', async () => {
    const backend = stack.use(await tcpBackend((socket) => socket.once('data', () => socket.end('x'))))
    await payments([backend.port])
    const socket = await client(plainHello(name), 20)
    socket.resume().on('end', () => socket.end())
    const [closed] = await closings()
    expect(slowest(closed!)).toBe('hello')
    await answered(closed!)
  })

  test('a backend that takes its time to answer', async () => {
    const backend = stack.use(await tcpBackend((socket) => socket.once('data', () => void pause().then(() => socket.end('x')))))
    await payments([backend.port])
    const socket = await client(plainHello(name))
    socket.resume().on('end', () => socket.end())
    const [closed] = await closings()
    expect(slowest(closed!)).toBe('first_backend_byte')
    await answered(closed!)
  })

  test('a backend that hangs: the dial, with the attempt that timed out', async () => {
    const hanging = stack.use(await hangingBackend())
    const backend = stack.use(await tcpBackend((socket) => socket.once('data', () => socket.end('x'))))
    await payments([hanging.port, backend.port])
    await untilUp(2)
    await hanging.hang()
    const socket = await client(plainHello(name))
    socket.resume().on('end', () => socket.end())
    const [closed] = await closings()
    expect(slowest(closed!)).toBe('dial')
    const [opened] = await until('connections', ({ type }) => type.endsWith('.opened.v1'))
    expect(opened!.data['attempts']).toMatchObject([{ backend: `127.0.0.1:${hanging.port}`, code: 'timeout' }])
    expect(await answered(closed!)).toContain('after 1 failed dial')
  })

  /** The page's commands show the timings, and the one connection from its beginning to its end. */
  async function answered(closed: RawRecord): Promise<string> {
    const printed = await commandsOf('Slow', { connection: closed.data['connection_id'] as string })
    expect(printed).toContain(`"timings":${JSON.stringify(closed.data['timings'])}`)
    expect(printed).toMatch(/opened from .* to .*\n.*closed by/)
    return printed
  }
})

interface HangingBackend extends AsyncDisposable {
  readonly port: number
  /** From here on its connections are neither accepted nor refused, as when a process is stuck. */
  hang(): Promise<void>
}

async function hangingBackend(): Promise<HangingBackend> {
  const program = "const s = require('net').createServer((c) => c.on('error', () => {}).resume()); s.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(s.address().port))"
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  const port = Number(line)
  const fillers: Socket[] = []
  return {
    port,
    hang: async () => {
      child.kill('SIGSTOP')
      // A backlog of 1 holds two that nobody accepts; the kernel answers no more after them.
      for (let index = 0; index < 2; index += 1) {
        const filler = connect(port, '127.0.0.1')
        filler.on('error', () => {})
        fillers.push(filler)
        await once(filler, 'connect')
      }
    },
    [Symbol.asyncDispose]: async () => {
      for (const filler of fillers) filler.destroy()
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}
