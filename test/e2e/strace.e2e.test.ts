import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, readFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { realHello, tcpBackend, type Peer } from '../support/peers.ts'
import { rawLines, rawRecords, startWaybill, TemporaryFolder, type RawRecord } from '../support/waybill.ts'

/**
 * Each system call of an append broken once in a real process, by strace: what was acknowledged is on record, what was
 * refused is not, the chain is whole, and the node goes on.
 */

type Stream = 'connections' | 'control'

interface Break {
  readonly call: string
  readonly error: string
  /** Of the stream's open segment, the segment that follows a failed sync (while it is made), or their folder. */
  readonly on: 'folder' | 'next' | 'segment'
  /** Which ones of these calls, counted from the first append on, where it is not the first alone. */
  readonly calls?: readonly [first: number, last: number]
}

/** What has to fail before the next segment is made at all. */
const syncFails: Break = { call: 'fdatasync', error: 'EIO', on: 'segment' }
const writeFails: Break = { call: 'pwrite64', error: 'ENOSPC', on: 'segment' }

const cases: readonly (readonly [name: string, stream: Stream, breaks: readonly Break[]])[] = [
  ['pwrite64 on a full disk', 'control', [writeFails]],
  ['pwrite64 on a full disk', 'connections', [writeFails]],
  ['pwrite64 on a broken disk', 'control', [{ ...writeFails, error: 'EIO' }]],
  ['ftruncate after a failed write', 'control', [writeFails, { call: 'ftruncate', error: 'EIO', on: 'segment' }]],
  ['fdatasync', 'control', [syncFails]],
  ['fdatasync', 'connections', [syncFails]],
  ['openat of the next segment', 'control', [syncFails, { call: 'openat', error: 'EMFILE', on: 'next' }]],
  ['pwrite64 to the next segment', 'connections', [syncFails, { ...writeFails, calls: [2, 2], on: 'next' }]],
  ['fdatasync, and that of the next segment', 'control', [{ ...syncFails, calls: [1, 2], on: 'next' }]],
  ['rename of the next segment', 'control', [syncFails, { call: 'rename', error: 'EIO', on: 'next' }]],
  ['fsync of the folder', 'control', [syncFails, { call: 'fsync', error: 'EIO', on: 'folder' }]],
]

const attemptsMin = 4
/** A full disk is looked at once a second; the rest is patience with a slow machine. */
const attemptsMax = 150
const pauseMs = 100

let whyNot: string | null = null
/** A folder that was used and closed, to be copied for each case, and the calls that a start makes in such a folder. */
let prepared: { readonly backend: Peer; readonly callsAtStart: readonly string[]; readonly data: string; readonly folder: TemporaryFolder }

beforeAll(async () => {
  whyNot = reasonAgainst()
  if (whyNot !== null) return
  // One thread of the pool: strace counts calls per thread.
  process.env['UV_THREADPOOL_SIZE'] = '1'
  const folder = new TemporaryFolder()
  const data = join(folder.path, 'data')
  const backend = await answeringBackend()
  {
    await using waybill = await startWaybill(data)
    const created = await waybill.post('/api/pools', { name: 'app', health_check_interval: 3_600_000 })
    const added = await waybill.post('/api/pools/app/backends', { url: `https://127.0.0.1:${backend.port}` })
    expect([created.status, added.status]).toEqual([201, 201])
    await waybill.stop()
  }
  prepared = { backend, callsAtStart: await callsOfStart(folder, data), data, folder }
}, 60_000)

afterAll(async () => {
  if (whyNot !== null) return
  await prepared.backend[Symbol.asyncDispose]()
  prepared.folder[Symbol.dispose]()
})

describe('one broken system call', () => {
  test.for(cases)('%s (%s)', { timeout: 60_000 }, async ([, stream, breaks], { skip }) => {
    if (whyNot !== null) return skip(whyNot)
    using folder = new TemporaryFolder()
    const data = join(folder.path, 'data')
    cpSync(prepared.data, data, { recursive: true })
    const seen = join(folder.path, 'strace.txt')
    await using waybill = await startWaybill(data, [], [...strace(seen, breaks), ...watching(data, stream, breaks)])
    const answers = new Map<string, string>()
    const hello = await realHello()
    let served = 0
    let goesOn = false
    for (let attempt = 0; attempt < attemptsMin || (!goesOn && attempt < attemptsMax); attempt += 1) {
      const name = `pool-${attempt}`
      const response = await waybill.post('/api/pools', { name, server_names: [`${name}.example`] })
      const { status } = response
      const { code } = (await response.json()) as { code?: string }
      answers.set(name, status === 201 ? 'created' : status === 503 && code === 'not_applied' ? code : `${status} ${code}`)
      const isThere = await isServed(waybill.port, hello)
      if (isThere) served += 1
      goesOn = isThere && status === 201
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
    expect(goesOn, 'it goes on by itself').toBe(true)
    expect(await waybill.stop()).toBe(0)

    const injected = readFileSync(seen, 'utf8').split('\n').filter((line) => line.includes('(INJECTED)'))
    const wanted = breaks.flatMap(({ call, calls: [first, final] = [1, 1] }) => Array.from({ length: final - first + 1 }, () => call))
    expect(injected.map((line) => /([a-z0-9]+)(?:\(| resumed)/.exec(line)?.[1] ?? line).toSorted()).toEqual(wanted.toSorted())
    expectAnswersKept(answers, rawRecords(data, 'control'))
    expectConnectionsKept(served, rawRecords(data, 'connections'))
    for (const each of ['control', 'connections', 'operations']) expectUnbroken(rawLines(data, each))
    const failed = rawRecords(data, 'operations').filter(({ type, data: facts }) => type.endsWith('log.failed.v1') && facts['stream'] === stream)
    expect(failed.map(({ data: facts }) => facts['syscall'])).toEqual([isWrite(breaks[0]!) ? 'write' : 'fdatasync'])
  })
})

function reasonAgainst(): string | null {
  try {
    const words = ['-D', '-f', '--seccomp-bpf', '-qq', '-o', '/dev/null', '-e', 'trace=fsync', '-e', 'inject=fsync:error=EIO']
    execFileSync('strace', [...words, process.execPath, '--version'], { stdio: 'ignore' })
    return null
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'strace is not installed here' : 'strace may not trace processes here'
  }
}

function isWrite({ call, calls }: Break): boolean {
  return call === 'pwrite64' && calls === undefined
}

/** Answers every chunk with a word. */
function answeringBackend(): Promise<Peer> {
  return tcpBackend((socket) => {
    socket.on('data', () => socket.write('answer'))
    socket.on('end', () => socket.end())
  })
}

/** The calls of a start in a copy of the folder, with the paths that they concern, relative to it. */
async function callsOfStart(folder: TemporaryFolder, data: string): Promise<string[]> {
  const copy = join(folder.path, 'copy')
  cpSync(data, copy, { recursive: true })
  const seen = join(folder.path, 'strace.txt')
  const calls = new Set(cases.flatMap(([, , breaks]) => breaks.map(({ call }) => call)))
  await using waybill = await startWaybill(copy, [], ['strace', '-D', '-f', '--seccomp-bpf', '-y', '-qq', '-o', seen, '-e', `trace=${[...calls].join(',')}`])
  const lines = readFileSync(seen, 'utf8').split('\n')
  await waybill.stop()
  return lines.filter((line) => /^\d+ +[a-z0-9]+\(/.test(line)).map((line) => line.replace(/^\d+ +/, '').replaceAll(`${copy}/`, ''))
}

/** The paths of a stream as this file calls them, relative to the folder. */
function pathsOf(stream: Stream): Readonly<Record<Break['on'], string>> {
  // The next segment begins where the failed commit did: behind what the prepared folder holds.
  const records = String(rawLines(prepared.data, stream).length).padStart(20, '0')
  return { folder: stream, next: `${stream}/${records}.jsonl.tmp`, segment: `${stream}/${'0'.repeat(20)}.jsonl` }
}

/** The tracer beside the process instead of above it: signals reach the process itself. */
function strace(seen: string, breaks: readonly Break[]): string[] {
  return ['strace', '-D', '-f', '--seccomp-bpf', '-qq', '-o', seen, '-e', `trace=${breaks.map(({ call }) => call).join(',')}`]
}

function watching(data: string, stream: Stream, breaks: readonly Break[]): string[] {
  const paths = pathsOf(stream)
  const watched = [...new Set(['segment' as const, ...breaks.map(({ on }) => on)])].map((on) => paths[on])
  const injections = breaks.flatMap(({ call, calls: [first, last] = [1, 1], error }) => {
    const before = prepared.callsAtStart.filter((line) => line.startsWith(`${call}(`) && watched.some((path) => concerns(line, path))).length
    return ['-e', `inject=${call}:error=${error}:when=${before + first}..${before + last}`]
  })
  return [...watched.flatMap((path) => ['-P', join(data, path)]), ...injections]
}

function concerns(line: string, path: string): boolean {
  return line.includes(`"${path}"`) || line.includes(`<${path}>`)
}

function isServed(port: number, hello: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' })
    let answered = false
    socket.on('error', () => {})
    socket.once('connect', () => socket.write(hello))
    socket.once('data', () => {
      answered = true
      socket.end()
    })
    socket.once('close', () => resolve(answered))
  })
}

/** Created: on record once. Not applied: not on record. Unknown: either, as the log will have said. Nothing else is an answer. */
function expectAnswersKept(answers: ReadonlyMap<string, string>, control: readonly RawRecord[]): void {
  const created = control.filter(({ type }) => type.endsWith('pool.created.v1')).map(({ data }) => data['name'] as string)
  expect(new Set(created).size).toBe(created.length)
  for (const [name, answer] of answers) {
    expect(['created', 'not_applied', '503 outcome_unknown'], name).toContain(answer)
    if (answer === 'created') expect(created, name).toContain(name)
    if (answer === 'not_applied') expect(created, name).not.toContain(name)
  }
}

/** Who was served is on record as opened, and each opened connection was closed once. */
function expectConnectionsKept(served: number, connections: readonly RawRecord[]): void {
  const idsOf = (fact: string): string[] =>
    connections.filter(({ type }) => type.endsWith(`connection.${fact}.v1`)).map(({ data }) => data['connection_id'] as string).toSorted()
  const opened = idsOf('opened')
  expect(opened.length).toBeGreaterThanOrEqual(served)
  expect(new Set(opened).size).toBe(opened.length)
  expect(idsOf('closed')).toEqual(opened)
}

function expectUnbroken(lines: readonly string[]): void {
  let prevhash = Buffer.alloc(32).toString('base64')
  for (const [index, line] of lines.entries()) {
    const record = JSON.parse(line) as RawRecord
    expect(Number(record.sequence)).toBe(index)
    expect(record.prevhash).toBe(prevhash)
    prevhash = createHash('sha256').update(`\0${line}`).digest('base64')
  }
}
