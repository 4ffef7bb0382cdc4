import { once } from 'node:events'
import { join } from 'node:path'
import { connect, createServer, type TLSSocket } from 'node:tls'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { certificate } from '../support/certificates.ts'
import { runWaybill, spawnWaybill, startWaybill, TemporaryFolder, type RunningWaybill } from '../support/waybill.ts'

/** Every verb as a process of its own: against a server that runs, and against the files that it leaves behind. */

const name = 'app.example.test'
const pair = certificate(name)

describe('every verb', () => {
  const stack = new AsyncDisposableStack()
  let waybill: RunningWaybill
  let data: string
  let backend: string
  let client: TLSSocket

  beforeAll(async () => {
    data = join(stack.use(new TemporaryFolder()).path, 'data')
    const server = createServer(pair, (socket) => socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1')
    stack.defer(() => void server.close())
    await once(server, 'listening')
    backend = `127.0.0.1:${(server.address() as AddressInfo).port}`
    waybill = stack.use(await startWaybill(data))
  })
  afterAll(() => stack.disposeAsync())

  /** The verb must succeed. What it prints. */
  async function waybillSays(...args: string[]): Promise<string> {
    const { code, stderr, stdout } = await runWaybill([...args, '--data', data])
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
    return stdout
  }
  /** As `waybillSays --json`: every line is an object. */
  async function objects(...args: string[]): Promise<Record<string, unknown>[]> {
    const lines = (await waybillSays(...args, '--json')).split('\n')
    expect(lines.pop()).toBe('')
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  }

  test('pools and backends are made, shown and changed', async () => {
    expect(await waybillSays('pools', 'create', 'app', '--server-name', name, '--backend', `https://${backend}`, '--ticket', 'CHG-1')).toBe(
      'Pool app is created, as revision 1.\n',
    )
    expect(await waybillSays('pools', 'change', 'app', '--algorithm', 'round_robin', '--if-match', '1')).toContain('its revision is 2')
    expect(await waybillSays('pools', 'list')).toMatch(/^app +round_robin +app\.example\.test/m)
    expect(await objects('pools', 'show', 'app')).toMatchObject([{ name: 'app', backends: [{ id: backend }] }])
    expect(await waybillSays('backends', 'add', 'app', 'https://127.0.0.1:1', '--weight', '2')).toContain('Backend 127.0.0.1:1')
    expect(await waybillSays('backends', 'change', 'app', '127.0.0.1:1', '--weight', '3')).toContain('has weight 3')
    expect(await objects('backends', 'list', 'app')).toHaveLength(2)
    expect(await objects('backends', 'show', 'app', '127.0.0.1:1')).toMatchObject([{ weight: 3 }])
    expect(await waybillSays('backends', 'remove', 'app', '127.0.0.1:1')).toContain('is removed')
  })

  test('listeners are listed, shown and changed', async () => {
    expect(await waybillSays('listeners', 'list')).toMatch(/^shared +\S+ +bound +refuses them all +0$/m)
    expect(await waybillSays('listeners', 'change', 'shared', '--no-sni', 'pool:app', '--ticket', 'CHG-2')).toMatch(/^Listener shared is as asked; its revision is \d+\.\n$/)
    expect(await waybillSays('listeners', 'show', 'shared')).toMatch(/^no_sni +pool app$/m)
    expect(await objects('events', '--type', 'listener.changed')).toMatchObject([{ data: { change: { ticket: 'CHG-2' }, set: { no_sni: { pool: 'app' } } } }])
    expect(await waybillSays('listeners', 'change', 'shared', '--no-sni', 'default')).toContain('is as asked')
  })

  test('--dry-run writes nothing', async () => {
    const before = await objects('events', '--stream', 'control')
    expect(await waybillSays('pools', 'remove', 'app', '--dry-run')).toContain('- pools/app')
    expect(await objects('events', '--stream', 'control')).toEqual(before)
  })

  test('connections are listed, shown and ended, and a drain is waited for', async () => {
    client = connect({ host: '127.0.0.1', port: waybill.port, servername: name, rejectUnauthorized: false })
    await once(client, 'secureConnect')
    const [connection] = await objects('connections', 'list', '--pool', 'app')
    const id = String(connection!['id'])
    const shown = await waybillSays('connections', 'show', id)
    expect(shown).toMatch(/^server name +app\.example\.test$/m)
    expect(shown).toMatch(/^JA4 +t13\S+\nnegotiated +TLSv1\.3 TLS_\w+ \w+$/m)

    const waiting = spawnWaybill(['backends', 'drain', 'app', backend, '--wait', '--data', data])
    let said = ''
    waiting.stderr!.on('data', (chunk: Buffer) => (said += chunk.toString()))
    const ended = once(waiting, 'close')
    while (!said.includes('1 open')) await once(waiting.stderr!, 'data')
    client.on('error', () => {})
    expect(await waybillSays('connections', 'end', id)).toBe(`Connection ${id} is ended.\n`)
    expect(await ended).toEqual([0, null])
    expect(said).toContain(`No connection is open on ${backend} any more.`)
    expect(await waybillSays('backends', 'resume', 'app', backend)).toContain('takes new connections')

    const closed = await objects('events', '--type', 'connection.closed', '--connection', id)
    expect(closed).toMatchObject([{ data: { close: { actor: { id: 'socket' }, because: 'operator_ended', by: 'operator' } } }])
    const [trail] = await objects('trail', `connections/${id}`)
    expect(trail).toMatchObject({ entries: [{ type: 'dev.waybill.connection.opened.v1' }, { type: 'dev.waybill.connection.closed.v1' }] })
  })

  test('--api is the same server by address', async () => {
    const { code, stdout } = await runWaybill(['pools', 'list', '--json', '--api', waybill.api])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ name: 'app' })
  })

  test('doctor finds the server in order', async () => {
    const { code, stdout } = await runWaybill(['doctor', '--json', '--data', data, '--api', '127.0.0.1:0', '--listen', '127.0.0.1:0'])
    expect({ code, stdout }).toMatchObject({ code: 0 })
    expect(stdout).toContain('is ready for clients')
  })

  test('a rule that says no is 1, a call that can never work is 2', async () => {
    const codes: [string[], number][] = [
      [['pools', 'create', 'app'], 1],
      [['pools', 'show', 'nowhere'], 1],
      [['pools', 'change', 'app', '--owner', 'me', '--if-match', '1'], 1],
      [['pools', 'create', 'Not A Name'], 2],
      [['pools', 'create', 'x', '--algorithm', 'dice'], 2],
      [['listeners', 'change', 'shared', '--no-sni', 'pool:nowhere'], 1],
      [['listeners', 'change', 'shared', '--no-sni', 'nowhere'], 2],
      [['listeners', 'show', 'app'], 2],
      [['pools', 'list', '--colour'], 2],
      [['pools'], 2],
      [['state', '--at', 'noon'], 2],
      [['trail', 'me'], 2],
      [['nonsense'], 2],
    ]
    await Promise.all(
      codes.map(async ([args, expected]) => {
        const { code, stderr, stdout } = await runWaybill(args.length === 1 ? args : [...args, '--data', data])
        expect([args, code, stdout]).toEqual([args, expected, ''])
        expect(stderr).not.toMatch(/\n +at /)
        expect(stderr).not.toBe('')
      }),
    )
  })

  test('a reader that has seen enough is no failure', async () => {
    const child = spawnWaybill(['events', '--follow', '--json', '--data', data])
    await once(child.stdout!, 'data')
    child.stdout!.destroy()
    const ended = once(child, 'close')
    await waybillSays('pools', 'change', 'app', '--owner', 'me')
    await waybillSays('pools', 'change', 'app', '--owner', 'us')
    expect(await ended).toEqual([0, null])
  })

  test('a follower is told when the server stops, and the files say what the server said', async () => {
    const about: string[][] = [['state'], ['state', '--revision', '1'], ['diff', '--from', '1', '--to', '3'], ['trail', 'pools/app']]
    const served = await Promise.all(about.map((args) => objects(...args)))
    const following = spawnWaybill(['events', '--follow', '--stream', 'control', '--data', data])
    let said = ''
    following.stderr!.on('data', (chunk: Buffer) => (said += chunk.toString()))
    await once(following.stdout!, 'data')
    const ended = once(following, 'close')
    expect(await waybill.stop()).toBe(0)
    expect(await ended).toEqual([0, null])
    expect(said).toBe('The server has stopped, so this is all for now.\n')

    for (const [index, args] of about.entries()) expect(await objects(...args)).toEqual(served[index])
    expect(await objects('listeners', 'list')).toMatchObject([{ listener: 'shared', policy: { no_sni: 'refuse' } }])
    const listed = await runWaybill(['pools', 'list', '--data', data])
    expect(listed).toMatchObject({ code: 0, stderr: expect.stringContaining('without statistics and health') })
    expect(await objects('events', '--type', 'node.stopped')).toHaveLength(1)
  })

  test('without a server, what needs one says so and is 1', async () => {
    for (const args of [['pools', 'create', 'b'], ['connections', 'list'], ['events', '--follow']]) {
      const { code, stderr } = await runWaybill([...args, '--data', data])
      expect([args, code]).toEqual([args, 1])
      expect(stderr).toContain('no server holds')
    }
  })
})

test('help goes to standard output, and is 0', async () => {
  for (const args of [['--help'], ['pools', '--help'], ['backends', 'drain', '--help'], ['--version']]) {
    const { code, stderr, stdout } = await runWaybill(args)
    expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' })
    expect(stdout).not.toBe('')
  }
})
