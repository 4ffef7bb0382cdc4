/** Catches the first bytes that real TLS clients send: a raw server reads, and hangs up when the hello is there. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'
import { HelloParser } from '../../src/proxy/hello/parser.ts'
import { limits } from './tls-hellos-judge.ts'

/** Runs `client` against a port of ours and resolves with the chunks up to the one that made the verdict. */
async function catchHello(client: (port: number) => () => void): Promise<Buffer[]> {
  const server = net.createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  const caught = new Promise<Buffer[]>((resolve, reject) => {
    server.once('connection', socket => {
      const parser = new HelloParser(limits)
      const chunks: Buffer[] = []
      socket.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        if (parser.push(chunk).kind === 'incomplete') return
        socket.destroy()
        resolve(chunks)
      })
      socket.on('error', reject)
      socket.on('end', () => reject(new Error('the client left before its hello was complete')))
    })
  })
  const stop = client(port)
  try {
    return await caught
  } finally {
    stop()
    server.close()
  }
}

export function catchNodeHello(options: tls.ConnectionOptions): Promise<Buffer[]> {
  return catchHello(port => {
    const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options })
    socket.on('error', () => {})
    return () => socket.destroy()
  })
}

/** The version line of the openssl command, or null where there is none or it is LibreSSL, whose options differ. */
export const opensslVersion: string | null = (() => {
  const run = spawnSync('openssl', ['version'], { encoding: 'utf8' })
  return run.status === 0 && run.stdout.startsWith('OpenSSL') ? run.stdout.trim() : null
})()

export function catchOpensslHello(args: readonly string[]): Promise<Buffer[]> {
  return catchHello(port => {
    const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...args], { stdio: 'ignore' })
    return () => {
      child.kill()
    }
  })
}
