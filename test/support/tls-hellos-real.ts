/** Catches the first bytes that real TLS clients send: a raw server reads, and hangs up when the hello is there. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'
import { helloEnd } from './tls-hellos.ts'

/** Starts a client against a port of 127.0.0.1 and returns how to end it. */
export type StartClient = (port: number) => () => void

/** A client that has said nothing until then is not coming; a browser starts for many seconds on a busy machine. */
const helloTimeoutMs = 60_000

/** Resolves with the chunks as they were read, up to the end of the record that completes the hello. */
export async function catchHello(start: StartClient): Promise<Buffer[]> {
  const server = net.createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const sockets = new Set<net.Socket>()
  server.on('connection', socket => sockets.add(socket.on('error', () => {})))
  const stop = start((server.address() as net.AddressInfo).port)
  try {
    return await Promise.race([firstHello(server), tooLate()])
  } finally {
    for (const socket of sockets) socket.destroy()
    stop()
    server.close()
  }
}

function firstHello(server: net.Server): Promise<Buffer[]> {
  return new Promise((resolve, reject) => {
    server.once('connection', socket => {
      const chunks: Buffer[] = []
      socket.on('data', (chunk: Buffer) => {
        const before = chunks.reduce((sum, { length }) => sum + length, 0)
        chunks.push(chunk)
        const end = helloEnd(Buffer.concat(chunks))
        if (end === null) return
        chunks[chunks.length - 1] = chunk.subarray(0, end - before)
        resolve(chunks)
      })
      socket.on('error', reject)
      socket.on('end', () => reject(new Error('the client left before its hello was complete')))
    })
  })
}

function tooLate(): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`no hello within ${helloTimeoutMs / 1_000} s`)), helloTimeoutMs).unref()
  })
}

export function catchNodeHello(options: tls.ConnectionOptions): Promise<Buffer[]> {
  return catchHello(port => {
    const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options })
    socket.on('error', () => {})
    return () => socket.destroy()
  })
}

/** `args` of a command that connects to the port by itself. */
export function catchCommandHello(command: string, args: (port: number) => readonly string[]): Promise<Buffer[]> {
  return catchHello(port => ending(spawn(command, args(port), { stdio: 'ignore', detached: true })))
}

/** Ends a child that leads a process group, and whatever it has started. */
function ending(child: ChildProcess): () => void {
  child.on('error', () => {})
  return () => {
    if (child.pid === undefined || child.exitCode !== null) return
    try {
      process.kill(-child.pid, 'SIGKILL')
    } catch {
      // It ended by itself.
    }
  }
}

export function catchOpensslHello(args: readonly string[]): Promise<Buffer[]> {
  return catchCommandHello('openssl', port => ['s_client', '-connect', `127.0.0.1:${port}`, ...args])
}

/** First line of what a command says of its version; null where there is no such command. */
export function versionOf(command: string, args: readonly string[] = ['--version']): string | null {
  const run = spawnSync(command, [...args], { encoding: 'utf8' })
  return run.status === 0 ? (run.stdout.trim().split('\n')[0] ?? null) : null
}

/** Null also where the command is LibreSSL, whose options differ. */
export const opensslVersion: string | null = (() => {
  const version = versionOf('openssl', ['version'])
  return version?.startsWith('OpenSSL') === true ? version : null
})()
