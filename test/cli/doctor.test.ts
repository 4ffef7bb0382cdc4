import { chmodSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { doctorCommand } from '../../src/cli/doctor/doctor.ts'
import type { Finding } from '../../src/cli/doctor/finding.ts'
import { checkFolder, checkLog, checkSocketPath, checkSync } from '../../src/cli/doctor/folder-checks.ts'
import { checkBackends, checkPort, type PoolBackend } from '../../src/cli/doctor/network-checks.ts'
import { checkClock, checkDescriptors, checkNode } from '../../src/cli/doctor/process-checks.ts'
import type { Disk, File } from '../../src/core/disk.ts'
import { systemClock } from '../../src/core/system/clock.ts'
import { systemDisk } from '../../src/core/system/disk.ts'
import { SystemNetwork } from '../../src/core/system/network.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { fileLog, folder, objects, run, serving } from './harness.ts'

const levels = (findings: readonly Finding[]): string[] => findings.map(({ check, level }) => `${check}: ${level}`)
const noServices = { chronyd: false, ntpd: false, timesyncd: false }
const noon = Date.UTC(2026, 10, 24, 12)

describe('the process', () => {
  test.each([
    ['26.10.0', 'ok'], ['24.21.0', 'warning'], ['25.0.0', 'warning'], ['24.20.9', 'problem'], ['20.1.0', 'problem'],
  ])('Node %s is %s', (version, level) => {
    expect(checkNode(version).level).toBe(level)
  })
  test.each([
    [1_048_576, 523_904, null, 'ok'], [1_024, 128, null, 'warning'], [1_024, 128, 100, 'ok'], [1_024, 128, 1_000, 'problem'], [512, -128, null, 'problem'],
  ] as const)('%i descriptors, room for %i, connections_max %s: %s', (limit, allowed, connectionsMax, level) => {
    expect(checkDescriptors(limit, allowed, { connectionsMax }).level).toBe(level)
  })
  test.each([
    [0, noServices, 'problem'], [Date.UTC(2150, 0), noServices, 'problem'], [noon, noServices, 'unknown'],
    [noon, { ...noServices, timesyncd: true }, 'ok'], [noon, { ...noServices, chronyd: true }, 'unknown'],
  ] as const)('a clock at %i with %o is %s', (now, services, level) => {
    expect(checkClock(now, services).level).toBe(level)
  })
})

describe('the folder', () => {
  const settings = (data: string, spaceLowBytes = 0): { data: string; spaceLowBytes: number } => ({ data, spaceLowBytes })
  const ownId = process.getuid?.() ?? null

  test('one of our own is fine; one that others may look into, that is none, or has no room is not', async () => {
    await using data = folder()
    expect(levels(await checkFolder(settings(data.path), ownId)).slice(0, 2)).toEqual(['folder: ok', 'space: ok'])
    expect(levels(await checkFolder(settings(data.path, 2 ** 60), ownId))[1]).toBe('space: problem')
    chmodSync(data.path, 0o755)
    expect(levels(await checkFolder(settings(data.path), ownId))[0]).toBe('folder: warning')
    expect(levels(await checkFolder(settings(join(data.path, 'new', 'deeper')), ownId))).toEqual(['folder: ok'])
    writeFileSync(join(data.path, 'file'), '')
    expect(levels(await checkFolder(settings(join(data.path, 'file')), ownId))[0]).toBe('folder: problem')
    expect(levels(await checkFolder(settings(join(data.path, 'file', 'below')), ownId))).toEqual(['folder: problem'])
  })

  test('memory is no place for a log', async () => {
    const [, , fileSystem] = await checkFolder(settings('/dev/shm'), ownId)
    expect(fileSystem).toMatchObject({ level: 'warning', sentence: expect.stringContaining('tmpfs') })
  })

  test('a path too long for a socket is a problem', () => {
    expect(checkSocketPath({ data: `/${'x'.repeat(97)}` }).level).toBe('ok')
    expect(checkSocketPath({ data: `/${'x'.repeat(98)}` }).level).toBe('problem')
  })

  test('a slow disk is told by what a write takes, and the file is gone again', async () => {
    await using data = folder()
    const measure = async (tookMs: number): Promise<string> => {
      const clock = new ManualClock()
      return (await checkSync({ data: data.path }, slowDisk(clock, tookMs), clock, 1)).level
    }
    expect([await measure(1), await measure(50)]).toEqual(['ok', 'warning'])
    expect((await checkSync({ data: join(data.path, 'none') }, systemDisk, systemClock, 1)).level).toBe('unknown')
    expect(readdirSync(data.path)).toEqual([])
  })

  test('a log is looked into unless somebody holds it', async () => {
    await using data = folder()
    const look = async (): Promise<Finding> => checkLog({ data: data.path }, systemDisk, systemClock, 1)
    expect(await look()).toMatchObject({ level: 'ok', sentence: expect.stringContaining('no log') })
    const log = await fileLog(data)
    expect(await look()).toMatchObject({ level: 'warning', sentence: expect.stringContaining('in use') })
    await log.close(1_000)
    expect(await look()).toMatchObject({ level: 'ok', sentence: expect.stringContaining('0 of control') })
    writeFileSync(join(data.path, 'node.json'), '{')
    expect(await look()).toMatchObject({ level: 'problem' })
  })
})

describe('the network', () => {
  test('a port is free, ours, or somebody else\'s', async () => {
    const network = await SystemNetwork.create()
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const endpoint = { ip: '127.0.0.1', port }
    expect((await checkPort(network, 'api', endpoint, new Set([`127.0.0.1:${port}`]))).level).toBe('ok')
    expect(await checkPort(network, 'api', endpoint, new Set())).toMatchObject({ action: expect.stringContaining('ss -ltnp'), level: 'problem' })
    server.close()
    await once(server, 'close')
    expect((await checkPort(network, 'api', endpoint, new Set())).level).toBe('ok')
    expect((await checkPort(network, 'api', { ip: '203.0.113.1', port: 1 }, new Set())).level).toBe('problem')
  })

  test('backends are resolved and dialled', async () => {
    const network = await SystemNetwork.create()
    const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const backend = (host: string): PoolBackend => ({
      added_at: '', draining_since: null, host, id: `${host}:${port}`, managed_by: 'api', managed_by_file: null, pool: 'a', port, state: 'active', weight: 1,
    })
    expect((await checkBackends(network, systemClock, [backend('127.0.0.1')])).map(({ level }) => level)).toEqual(['ok'])
    server.close()
    await once(server, 'close')
    const [refused, unresolved] = await checkBackends(network, systemClock, [backend('127.0.0.1'), backend('does-not-exist.invalid')])
    expect(refused).toMatchObject({ level: 'problem', sentence: expect.stringContaining('ECONNREFUSED') })
    expect(unresolved).toMatchObject({ level: 'problem', sentence: expect.stringContaining('does not resolve') })
  })
})

describe('waybill doctor', () => {
  const flags = ['--api', '127.0.0.1:0', '--listen', '127.0.0.1:0']
  const doctor = async (...argv: string[]) => {
    const exits: number[] = []
    const ran = await run((ports) => doctorCommand({ ...ports, exit: (code) => exits.push(code) }), argv)
    return { ...ran, exits }
  }

  test('without a problem it answers 0, as lines or as objects', async () => {
    await using data = folder()
    const { error, exits, out } = await doctor('--data', data.path, ...flags)
    expect({ error, exits }).toEqual({ error: null, exits: [] })
    expect(out).toMatch(/^ok {7}All flags, variables and files are valid\.$/m)
    const found = objects((await doctor('--json', '--data', data.path, ...flags)).out) as unknown as Finding[]
    expect(found.map(({ check }) => check)).toEqual([
      'node', 'clock', 'settings', 'descriptors', 'folder', 'space', 'file system', 'socket', 'fdatasync', 'log', 'listen', 'api',
    ])
  })

  test('a problem is exit code 1', async () => {
    const { exits, out } = await doctor('--listen', 'nowhere')
    expect(exits).toEqual([1])
    expect(out).toMatch(/^problem {2}--listen: "nowhere" is not an address/m)
  })

  test('asks a server that holds the folder', async () => {
    await using data = folder()
    await using api = await serving(data)
    api.listeners.push({ address: '127.0.0.1:1', code: 'EACCES', listener: 'pools/a', pool: 'a', state: 'failed' })
    await api.post('/api/pools', { name: 'a', listen: '127.0.0.1:1', backends: [{ url: 'https://does-not-exist.invalid' }] })
    await api.post('/api/pools', { name: 'empty', allow_plaintext: true, business_need: 'terminals', default_route: false })
    await api.post('/api/pools', { name: 'tls', server_names: ['tls.example'], backends: [{ url: 'https://does-not-exist.invalid' }] })
    const empty = { pool: 'empty' }
    await api.call('PATCH', '/api/listeners/shared', {
      malformed: { pool: 'tls' }, no_sni: empty, not_tls: empty, sslv2: empty, timeout: empty, too_large: empty, unknown_sni: { pool: 'tls' },
    })
    await api.call('PATCH', '/api/listeners/pools/a', { malformed: empty, timeout: { pool: 'tls' } })
    api.notReady.push({ code: 'starting', sentence: 'It is starting.' })
    const { exits, out } = await doctor('--data', data.path, ...flags)
    expect(exits).toEqual([1])
    expect(out).toContain('The server is not ready: It is starting.')
    expect(out).toContain('shared sends clients to pool empty (no_sni, not_tls, sslv2, timeout, too_large), which has no backend: they are refused.')
    expect(out).toContain('shared lets clients in that may not be encrypted (not_tls, sslv2, timeout, too_large), to pool empty.')
    expect(out).toContain('pools/a lets clients in that may not be encrypted (malformed), to pool empty.')
    expect(out).not.toContain('to pool tls')
    expect(out).toContain("pools/a can't be bound to 127.0.0.1:1: EACCES.")
    expect(out).toContain('does-not-exist.invalid does not resolve')
  })
})

/** Every sync takes so long by the clock. */
function slowDisk(clock: ManualClock, tookMs: number): Disk {
  const create = async (path: string): Promise<File> => {
    const file = await systemDisk.create(path)
    const sync = file.sync.bind(file)
    return Object.assign(file, {
      sync: async () => {
        await sync()
        clock.advance(tookMs)
      },
    })
  }
  return { ...systemDisk, create }
}
