import { mkdtempSync, readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { serveOnSocket, socketName } from '../../src/api/socket.ts'
import { eventsCommand } from '../../src/cli/events.ts'
import { openFolderLog } from '../../src/cli/folder-log.ts'
import { systemDisk } from '../../src/core/system/disk.ts'
import { systemClock } from '../../src/core/system/clock.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { idMaker } from '../../src/core/ids.ts'
import { Drafts } from '../../src/log/drafts.ts'
import { FileLog } from '../../src/log/file/file-log.ts'
import { LogInitialized } from '../../events/log.ts'
import { harness, type Harness } from '../api/harness.ts'
import { runVerb, Screen, type Printed } from './harness.ts'

const makeId = idMaker(systemClock, systemRandom)

interface Folder extends AsyncDisposable {
  readonly path: string
}
function folder(): Folder {
  const path = mkdtempSync(join(tmpdir(), 'waybill-cli-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

function filesIn(data: Folder): Set<string> {
  return new Set(readdirSync(data.path, { recursive: true, encoding: 'utf8' }))
}

async function events(...argv: string[]): Promise<Printed> {
  const screen = new Screen()
  return runVerb(eventsCommand({ stdout: screen, openFolder: openFolderLog }), screen, argv)
}

async function serving(data: Folder): Promise<Harness> {
  const api = await harness()
  const served = await serveOnSocket(api.app, join(data.path, socketName), { disk: systemDisk, makeId })
  const end = api[Symbol.asyncDispose].bind(api)
  return Object.assign(api, {
    [Symbol.asyncDispose]: async () => {
      await end()
      await served[Symbol.asyncDispose]()
    },
  })
}

async function fileLog(data: Folder): Promise<FileLog> {
  return FileLog.open({
    disk: systemDisk, clock: systemClock, makeId, folder: data.path, cluster: null, node: null, hostname: 'test-host',
    holder: { pid: process.pid, verb: 'test' }, reserveBytes: 1_048_576,
  })
}

describe('from the server that holds the folder', () => {
  test('--json gives the bytes as stored', async () => {
    await using data = folder()
    await using api = await serving(data)
    await api.post('/api/pools', { name: 'a' })
    const stored = (await api.get('/api/events?stream=control')).body
    expect(await events('--json', '--stream', 'control', '--data', data.path)).toEqual({ out: stored, error: null })
  })

  test('without it a line for people: when, what, about what, who, revision', async () => {
    await using data = folder()
    await using api = await serving(data)
    await api.post('/api/pools', { name: 'a' })
    const { out } = await events('--stream', 'control', '--data', data.path)
    expect(out).toMatch(/^20\d\d-[\d-]+T[\d:.]+Z {2}pool\.created +pools\/a {2}by=loopback {2}revision=1\n$/)
  })

  test('--after goes on; --api asks by address, with or without the scheme', async () => {
    await using data = folder()
    await using api = await serving(data)
    await api.app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = api.app.server.address() as AddressInfo
    await api.post('/api/pools', { name: 'a' })
    await api.post('/api/pools', { name: 'b' })
    const position = (await api.get('/api/events?stream=control')).headers['waybill-position']
    await api.post('/api/pools', { name: 'c' })
    for (const address of [`127.0.0.1:${port}`, `http://localhost:${port}/`]) {
      const { error, out } = await events('--api', address, '--stream', 'control', '--after', String(position))
      expect([error, out.split('\n').length]).toEqual([null, 2])
      expect(out).toContain('pools/c')
    }
  })

  test('--follow goes on until the reader is gone, which is no failure', async () => {
    await using data = folder()
    await using api = await serving(data)
    await api.post('/api/pools', { name: 'a' })
    const head = new Head()
    const done = eventsCommand({ stdout: head, openFolder: openFolderLog })
      .exitOverride()
      .parseAsync(['--json', '--follow', '--stream', 'control', '--data', data.path], { from: 'user' })
    await head.seen
    await api.post('/api/pools', { name: 'b' })
    await expect(done).resolves.toBeDefined()
    expect(head.text.trim().split('\n')).toHaveLength(1)
  })

  test('what the server refuses is said with its code', async () => {
    await using data = folder()
    await using _api = await serving(data)
    const { error } = await events('--data', data.path, '--stream', 'control', '--after', 'nonsense')
    expect(error).toMatchObject({ code: 'server_refused', message: expect.stringContaining('(position_unknown)') })
  })

  test('an answer that breaks off is a failure', async () => {
    await using data = folder()
    await using api = await serving(data)
    await api.post('/api/pools', { name: 'a' })
    api.log.read = () => {
      throw new Error('the disk is on fire')
    }
    const { error } = await events('--data', data.path, '--stream', 'control')
    expect(error).toMatchObject({ code: 'broken_off' })
    expect(api.lines).toContainEqual('reading events failed: the disk is on fire')
  })
})

/** Takes one line and then behaves like a pipe whose reader has ended. */
class Head extends Writable {
  readonly #seen = Promise.withResolvers<void>()
  readonly seen = this.#seen.promise
  text = ''
  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    if (this.text !== '') return done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
    this.text += chunk.toString()
    this.#seen.resolve()
    done()
  }
}

describe('from the files, when no server holds the folder', () => {
  test('prints what is there, changes nothing, and lets go of the folder', async () => {
    await using data = folder()
    const log = await fileLog(data)
    const drafts = new Drafts(systemClock, makeId, 'test-host')
    await log.append('operations', [drafts.make(LogInitialized, 'log', { adapter: 'file', hash: 'sha256-rfc6962-leaf' })], {
      purpose: 'owed',
    })
    await log.close(5_000)
    const before = filesIn(data)
    const { error, out } = await events('--json', '--data', data.path)
    expect(error).toBeNull()
    expect(JSON.parse(out)).toMatchObject({ type: 'dev.waybill.log.initialized.v1', subject: 'log' })
    expect(filesIn(data)).toEqual(before)
    await (await fileLog(data)).close(5_000)
  })

  test('a folder without a log is not touched', async () => {
    await using data = folder()
    const { error } = await events('--data', data.path)
    expect(error).toMatchObject({ code: 'no_log', message: expect.stringContaining(data.path) })
    expect(readdirSync(data.path)).toEqual([])
    expect((await events('--data', join(data.path, 'nowhere'))).error).toMatchObject({ code: 'no_log' })
  })

  test('--follow and --after need a server', async () => {
    await using data = folder()
    expect((await events('--follow', '--data', data.path)).error).toMatchObject({ code: 'no_server', source: 'network' })
    expect((await events('--after', '1', '--data', data.path)).error).toMatchObject({ code: 'no_server', source: 'settings' })
  })

  test('an address at which nobody listens, and one that is none', async () => {
    expect((await events('--api', 'http://127.0.0.1:1')).error).toMatchObject({ code: 'no_server', source: 'network' })
    expect((await events('--api', 'https://127.0.0.1:4000')).error).toMatchObject({ source: 'settings' })
  })
})

describe('usage', () => {
  test('--help shows an example', async () => {
    const { error, out } = await events('--help')
    expect(error).toBeNull()
    expect(out).toContain('waybill events --json --follow')
  })
  test.each([['--stream', 'everything'], ['--colour'], ['extra']])('%s is wrong', async (...argv) => {
    expect((await events(...argv)).error).toMatchObject({ name: 'CommanderError' })
  })
})
