import { readdirSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { eventsCommand } from '../../src/cli/events.ts'
import { systemClock } from '../../src/core/system/clock.ts'
import { Drafts } from '../../src/log/drafts.ts'
import { LogInitialized, LogSpaceLow } from '../../events/log.ts'
import { fileLog, folder, makeId, objects, run, serving, type Folder, type Ran } from './harness.ts'

function filesIn(data: Folder): Set<string> {
  return new Set(readdirSync(data.path, { recursive: true, encoding: 'utf8' }))
}

function events(...argv: string[]): Promise<Ran> {
  return run(eventsCommand, argv)
}

describe('from the server that holds the folder', () => {
  test('--json gives the bytes as stored', async () => {
    await using data = folder()
    await using api = await serving(data)
    await api.post('/api/pools', { name: 'a' })
    const stored = (await api.get('/api/events?stream=control')).body
    expect(await events('--json', '--stream', 'control', '--data', data.path)).toEqual({ out: stored, error: null, said: '' })
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

  test('--limit goes page by page and says where to go on', async () => {
    await using data = folder()
    await using api = await serving(data)
    for (let index = 0; index < 5; index += 1) await api.post('/api/pools', { name: `p${index}` })
    const first = await events('--json', '--limit', '3', '--type', 'pool', '--data', data.path)
    expect(objects(first.out).map(({ subject }) => subject)).toEqual(['pools/p0', 'pools/p1', 'pools/p2'])
    const [, position] = /^Go on with --after '(.+)'\n$/.exec(first.said)!
    const rest = await events('--json', '--limit', '3', '--type', 'pool', '--after', position!, '--data', data.path)
    expect(objects(rest.out).map(({ subject }) => subject)).toEqual(['pools/p3', 'pools/p4'])
  })

  test('--limit beyond a page is the same as without one', async () => {
    await using data = folder()
    await using api = await serving(data)
    const drafts = new Drafts(systemClock, makeId, 'memory')
    const many = Array.from({ length: 2_500 }, (_, index) =>
      drafts.make(LogSpaceLow, `log/${index}`, { free_bytes: 1, threshold_bytes: 2, total_bytes: 3 }),
    )
    await api.log.append('operations', [many[0]!, ...many.slice(1)], { purpose: 'owed' })
    const argv = ['--json', '--type', 'log.space_low', '--data', data.path]
    const all = objects((await events(...argv)).out)
    expect(all).toHaveLength(2_500)
    expect(objects((await events(...argv, '--limit', '2200')).out)).toEqual(all.slice(0, 2_200))
    expect(objects((await events(...argv, '--limit', '9000')).out)).toEqual(all)
  })

  test('--follow with a --limit ends by itself', async () => {
    await using data = folder()
    await using api = await serving(data)
    await api.post('/api/pools', { name: 'a' })
    const following = events('--json', '--follow', '--limit', '1', '--type', 'pool.removed', '--data', data.path)
    await api.call('DELETE', '/api/pools/a')
    expect(objects((await following).out)).toMatchObject([{ subject: 'pools/a' }])
  })

  test('--follow goes on until the reader is gone, which is no failure', async () => {
    await using data = folder()
    await using api = await serving(data)
    await api.post('/api/pools', { name: 'a' })
    const head = new Head()
    const done = run(eventsCommand, ['--json', '--follow', '--stream', 'control', '--data', data.path], { stdout: head })
    await head.seen
    await api.post('/api/pools', { name: 'b' })
    expect(await done).toMatchObject({ error: null })
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
    await log.append('operations', [drafts.make(LogInitialized, 'log', { adapter: 'file', earlier: null, hash: 'sha256-rfc6962-leaf' })], {
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

  test('--follow needs a server', async () => {
    await using data = folder()
    expect((await events('--follow', '--data', data.path)).error).toMatchObject({ code: 'no_server', source: 'network' })
  })

  test('filters, --limit and --after work as on a server', async () => {
    await using data = folder()
    const log = await fileLog(data)
    const drafts = new Drafts(systemClock, makeId, 'test-host')
    const full = ['one', 'two', 'three'].map((stream) =>
      drafts.make(LogSpaceLow, `log/${stream}`, { free_bytes: 1, threshold_bytes: 2, total_bytes: 3 }),
    )
    const positions = await log.append('operations', [full[0]!, ...full.slice(1)], { purpose: 'owed' })
    await log.close(5_000)
    const subjects = async (...argv: string[]): Promise<unknown[]> => {
      const { error, out } = await events('--json', '--stream', 'operations', '--data', data.path, ...argv)
      expect(error).toBeNull()
      return objects(out).map(({ subject }) => subject)
    }
    expect(await subjects('--type', 'log.space_low')).toEqual(['log/one', 'log/two', 'log/three'])
    expect(await subjects('--type', 'connection')).toEqual([])
    expect(await subjects('--subject', 'log/t*')).toEqual(['log/two', 'log/three'])
    expect(await subjects('--limit', '2')).toEqual(['log/one', 'log/two'])
    expect(await subjects('--after', positions[1]!.position)).toEqual(['log/three'])
    expect(await subjects('--from', '-5m')).toHaveLength(3)
    expect(await subjects('--to', '-5m')).toEqual([])
  })

  test('in files an --after without a stream, and a time that is none, are wrong calls', async () => {
    await using data = folder()
    expect((await events('--after', '1', '--data', data.path)).error).toMatchObject({ code: 'stream_missing', source: 'settings' })
    expect((await events('--from', 'yesterday', '--data', data.path)).error).toMatchObject({ code: 'moment_invalid', source: 'settings' })
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
