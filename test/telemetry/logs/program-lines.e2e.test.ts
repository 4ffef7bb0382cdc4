import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, readSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { closedPort, plainHello, tcpBackend } from '../../support/peers.ts'
import { rawRecords, root, runWaybill, startWaybill, TemporaryFolder } from '../../support/waybill.ts'

/** The program's own log of a real process: whoever reads it, or doesn't, neither holds it up nor loses its last words. */

interface Output {
  /** Standard output of the process to come. */
  readonly stdio: 'pipe' | number
  started(child: ChildProcess): void
  /** What is there to read now; null at its end. */
  read(): string | null
}

function socketOutput(): Output {
  let stream: net.Socket
  return {
    stdio: 'pipe',
    started: (child) => (stream = child.stdout as net.Socket),
    read: () => {
      // Who listens is not read away from when the process ends.
      if (stream.listenerCount('readable') === 0) stream.on('readable', () => {})
      const chunk = stream.read() as Buffer | null
      return chunk === null ? (stream.readableEnded ? null : '') : chunk.toString('latin1')
    },
  }
}

function pipeOutput(folder: string): Output {
  const path = join(folder, 'output')
  spawnSync('mkfifo', [path])
  const reading = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const writing = openSync(path, constants.O_WRONLY)
  return {
    stdio: writing,
    started: () => closeSync(writing),
    read: () => {
      const bytes = Buffer.alloc(65_536)
      try {
        const length = readSync(reading, bytes)
        return length === 0 ? null : bytes.toString('latin1', 0, length)
      } catch {
        return ''
      }
    },
  }
}

interface UnreadWaybill extends AsyncDisposable {
  readonly api: string
  readonly port: number
  readonly child: ChildProcess
  readonly exited: Promise<number | null>
}

/** Nothing of its output is read: that it is ready shows on its API. */
async function startUnread(data: string, output: Output, flags: readonly string[]): Promise<UnreadWaybill> {
  const [apiPort, port] = [await closedPort(), await closedPort()]
  const addresses = ['--api', `127.0.0.1:${apiPort}`, '--listen', `127.0.0.1:${port}`]
  const child = spawn(process.execPath, ['src/main.ts', 'serve', '--data', data, ...addresses, ...flags], {
    cwd: root, stdio: ['ignore', output.stdio, 'inherit'],
  })
  output.started(child)
  const exited = once(child, 'exit').then(([code]) => code as number | null)
  const api = `http://127.0.0.1:${apiPort}`
  while (!(await fetch(`${api}/health/ready`).then(({ ok }) => ok, () => false))) {
    if (child.exitCode !== null) throw new Error(`waybill ended with ${child.exitCode}`)
    await wait(20)
  }
  return { api, port, child, exited, [Symbol.asyncDispose]: async () => void (child.kill('SIGKILL') && (await exited)) }
}

async function addBackend(api: string, port: number): Promise<void> {
  const post = (path: string, body: object) => fetch(`${api}${path}`, { method: 'POST', body: JSON.stringify(body) })
  expect((await post('/api/pools', { name: 'app', health_check_interval: 3_600_000 })).status).toBe(201)
  expect((await post('/api/pools/app/backends', { url: `https://127.0.0.1:${port}` })).status).toBe(201)
}

const echo = () => tcpBackend((socket) => {
  socket.on('data', () => socket.end('answer'))
})

/** So many clients, one after the other in some rows; each gets an answer, or the test never ends. */
async function connections(port: number, count: number): Promise<void> {
  const hello = plainHello()
  let left = count
  const row = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      const socket = net.connect(port, '127.0.0.1').on('error', () => {})
      socket.write(hello)
      await once(socket, 'data')
      socket.end()
      await once(socket.resume(), 'close')
    }
  }
  await Promise.all(Array.from({ length: 20 }, row))
}

async function readToTheEnd(output: Output): Promise<Record<string, unknown>[]> {
  let text = ''
  for (let chunk = output.read(); chunk !== null; chunk = output.read()) {
    text += chunk
    if (chunk === '') await wait(5)
  }
  return text.split('\n').slice(0, -1).map((line) => JSON.parse(line) as Record<string, unknown>)
}

/** The calls that set the stage. */
const isOfChange = ({ message }: Record<string, unknown>): boolean => String(message).startsWith('POST /api/')

test.each([['a pipe', pipeOutput], ['a socket', socketOutput]])('%s that nobody reads: clients and API go on; then what was lost is counted', async (_, make) => {
  using folder = new TemporaryFolder()
  const output = make(folder.path)
  await using backend = await echo()
  await using waybill = await startUnread(join(folder.path, 'data'), output, ['--log-level', 'debug'])
  await addBackend(waybill.api, backend.port)
  const count = 3_000
  await connections(waybill.port, count)
  expect((await fetch(`${waybill.api}/api/pools/app`)).status).toBe(200)

  waybill.child.kill('SIGTERM')
  const lines = await readToTheEnd(output)
  expect(await waybill.exited).toBe(0)
  const lost = lines.filter(({ message }) => String(message).startsWith('lines of this log were lost'))
  expect(lost.length).toBeGreaterThan(0)
  const lostLines = lost.reduce((sum, { lines: its }) => sum + (its as number), 0)
  const changes = lines.filter(isOfChange)
  // Opened and closed of each; replayed, ready, the signal, the end.
  expect(lines.length - lost.length - changes.length + lostLines).toBe(2 * count + 4)
  expect(lines.at(-1)).toMatchObject({ message: 'stopped; everything is on record' })
  expect(rawRecords(join(folder.path, 'data'), 'connections').filter(({ type }) => type.endsWith('.closed.v1'))).toHaveLength(count)
})

test.each([['a pipe', pipeOutput], ['a socket', socketOutput]])('%s that is full takes nothing and holds up nobody', async (_, make) => {
  using folder = new TemporaryFolder()
  const output = make(folder.path)
  const source = `
    import { openStandardOutput } from ${JSON.stringify(join(root, 'src/core/system/standard-output.ts'))}
    const output = openStandardOutput()
    const taken = []
    for (let number = 0; number < 40; number += 1) taken.push(output.write(Buffer.alloc(65_536, 'x')))
    process.stderr.write(JSON.stringify(taken))`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', output.stdio, 'pipe'] })
  output.started(child)
  let text = ''
  child.stderr!.on('data', (chunk: Buffer) => (text += chunk.toString()))
  // The other end stays open and unread.
  await once(child.stderr!, 'end')
  const taken = JSON.parse(text) as number[]
  expect(taken[0]).toBe(65_536)
  expect(taken.at(-1)).toBe(0)
})

test('an orderly end does not wait for a reader that never comes', async () => {
  using folder = new TemporaryFolder()
  const output = pipeOutput(folder.path)
  await using backend = await echo()
  await using waybill = await startUnread(join(folder.path, 'data'), output, ['--log-level', 'debug'])
  await addBackend(waybill.api, backend.port)
  await connections(waybill.port, 1_000)
  waybill.child.kill('SIGTERM')
  expect(await waybill.exited).toBe(0)
})

test('whoever read it is gone: the node goes on', async () => {
  using folder = new TemporaryFolder()
  const output = socketOutput()
  await using backend = await echo()
  await using waybill = await startUnread(join(folder.path, 'data'), output, ['--log-level', 'debug'])
  waybill.child.stdout!.destroy()
  await addBackend(waybill.api, backend.port)
  await connections(waybill.port, 20)
  waybill.child.kill('SIGTERM')
  expect(await waybill.exited).toBe(0)
})

test('at the default level five hundred connections make no line', async () => {
  using folder = new TemporaryFolder()
  await using backend = await echo()
  await using waybill = await startWaybill(join(folder.path, 'data'))
  await addBackend(waybill.api, backend.port)
  const before = waybill.lines.length
  await connections(waybill.port, 500)
  expect(await waybill.stop()).toBe(0)
  const lines = waybill.lines.slice(before).map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(lines.filter((line) => !isOfChange(line)).map(({ message }) => message)).toEqual([
    expect.stringMatching(/^SIGTERM: /), 'stopped; everything is on record',
  ])
  expect(rawRecords(waybill.data, 'connections').length).toBe(1_000)
})

test('at the level debug each connection has its lines, with its id', async () => {
  using folder = new TemporaryFolder()
  await using backend = await echo()
  await using waybill = await startWaybill(join(folder.path, 'data'), ['--log-level', 'debug', '--node', 'n1'])
  await addBackend(waybill.api, backend.port)
  await connections(waybill.port, 1)
  expect(await waybill.stop()).toBe(0)
  const [opened, closed] = rawRecords(waybill.data, 'connections')
  const about = { cluster: 'default', node: 'n1', connection_id: opened!.data['connection_id'] as string, pool: 'app' }
  const lines = waybill.lines.map((line) => JSON.parse(line) as object)
  expect(lines).toContainEqual(expect.objectContaining({ ...about, level: 'debug', message: 'a connection was opened' }))
  expect(lines).toContainEqual(expect.objectContaining({
    ...about, level: 'debug', because: 'finished', bytes_to_client: closed!.data['bytes_to_client'] as number, message: 'a connection was closed',
  }))
})

/** A process with the log of a server, and this to do. Its output is read only when it has ended or its pipe is full. */
async function script(body: string): Promise<{ code: number | null; lines: Record<string, unknown>[]; stderr: string }> {
  const source = `
    import { startProgramLines } from ${JSON.stringify(join(root, 'src/cli/program-lines.ts'))}
    const otel = { logs: null, resource: {}, withoutSecrets: (text) => text }
    const { logger } = await startProgramLines({ otel, settings: { log: 'json', logLevel: 'info' } })
    for (let number = 0; number < 500; number += 1) logger.info('before', { number, text: 'x'.repeat(1_000) })
    ${body}`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, lines: stdout.split('\n').slice(0, -1).map((line) => JSON.parse(line) as Record<string, unknown>), stderr }
}

test.each([
  ['the end of its work', `logger.info('last')`, 0, 'last'],
  ['process.exit', `logger.info('last'); process.exit(3)`, 3, 'last'],
  ['a violation', `throw new TypeError('our bug')`, 1, 'a bug of this program ends it'],
  ['a rejection that nobody awaits', `void Promise.reject(new TypeError('our bug')); setTimeout(() => {}, 60_000)`, 1, 'a bug of this program ends it'],
])('%s loses no line', async (_, body, expectedCode, last) => {
  const { code, lines, stderr } = await script(body)
  expect(code).toBe(expectedCode)
  expect(lines).toHaveLength(501)
  expect(lines.slice(0, -1).map(({ number }) => number)).toEqual(Array.from({ length: 500 }, (_none, number) => number))
  expect(lines.at(-1)).toMatchObject({ message: last })
  if (expectedCode !== 1) return
  expect(lines.at(-1)).toMatchObject({ level: 'error', error: { type: 'TypeError', message: 'our bug' } })
  expect(stderr).toContain('TypeError: our bug')
})

test('--log pretty writes lines for people, and the wrong word is refused', async () => {
  using folder = new TemporaryFolder()
  const flags = ['serve', '--data', folder.path, '--api', '127.0.0.1:0', '--listen', '127.0.0.1:0', '--log']
  expect(await runWaybill([...flags, 'xml'])).toMatchObject({ code: 2, stderr: expect.stringContaining('--log: "xml" is none of json, pretty') })

  const child = spawn(process.execPath, [join(root, 'src/main.ts'), ...flags, 'pretty'], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const closed = once(child, 'close')
  while (!text.includes('ready') && child.exitCode === null) await wait(10)
  child.kill('SIGTERM')
  await closed
  expect(text).toMatch(/^\[[\d-]+ [\d:.]+ [+-]\d{4}\] INFO: replayed/)
  expect(text).toMatch(/\] INFO: stopped; everything is on record/)
  expect(text).not.toContain('\u001b')
})
