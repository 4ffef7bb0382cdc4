import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { closedPort, plainHello, tcpBackend } from '../support/peers.ts'
import { name, TroubledNode } from '../support/troubled-node.ts'
import type { RawRecord } from '../support/waybill.ts'

/**
 * docs/troubleshooting.md: every failure is made with real processes, the commands are those of the page, and the
 * records give the answer that the page promises. Handshakes have a file of their own.
 */

let node: TroubledNode
beforeEach(async () => {
  node = await TroubledNode.start()
})
afterEach(() => node[Symbol.asyncDispose]())

describe('Where to begin', () => {
  test('every command works', async () => {
    await node.payments([(await node.tlsBackend()).port])
    const printed = await node.commandsOf('Where to begin')
    expect(printed).toContain('created with 1 backend')
  })
})

describe('Backend refused', () => {
  test('a service that is down: dial_failed with ECONNREFUSED, then no_healthy_backend', async () => {
    const peer = await node.tlsBackend()
    const backend = `127.0.0.1:${peer.port}`
    await node.payments([peer.port])
    await node.untilUp(1)
    await peer[Symbol.asyncDispose]()
    for (let client = 0; client < 4; client += 1) await node.handshake()
    const refused = await node.refusals(4)
    expect(refused.map(({ data }) => data['because'])).toEqual(['dial_failed', 'dial_failed', 'dial_failed', 'no_healthy_backend'])
    expect(refused[0]!.data['attempts']).toMatchObject([{ backend, code: 'ECONNREFUSED', ip: '127.0.0.1' }])

    const printed = await node.commandsOf('Backend refused', { backend })
    expect(printed.match(/outcome=dial_failed/g)).toHaveLength(3)
    expect(printed).toContain('outcome=no_healthy_backend')
    expect(printed).toMatch(/down \(ECONNREFUSED\)/)
    expect(printed).toMatch(/down: dial_failed 3 times \(ECONNREFUSED\)/)
  })

  test('one of two is down: the client gets through, and the failed dial is counted', async () => {
    const [down, up] = [await closedPort(), await node.tlsBackend()]
    const backend = `127.0.0.1:${down}`
    // The first check may come first; then nobody dials it.
    await node.payments([down, up.port])
    await node.handshake()
    const [closed] = await node.closings()
    expect(closed!.data['backend']).toBe(`127.0.0.1:${up.port}`)
    expect(await node.commandsOf('Backend refused', { backend })).toMatch(/down: (?:check|dial)_failed 1 time \(ECONNREFUSED\)/)
  })

  test('nobody there: no_backend', async () => {
    await node.payments([])
    await node.handshake()
    await node.refusals()
    expect(await node.commandsOf('Backend refused')).toContain('outcome=no_backend')
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
    const socket = connect(node.waybill.port, '127.0.0.1')
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
    const backend = node.stack.use(await tcpBackend((socket) => socket.once('data', () => socket.end('x'))))
    await node.payments([backend.port])
    const socket = await client(plainHello(name), 20)
    socket.resume().on('end', () => socket.end())
    const [closed] = await node.closings()
    expect(slowest(closed!)).toBe('hello')
    await answered(closed!)
  })

  test('a backend that takes its time to answer', async () => {
    const backend = node.stack.use(await tcpBackend((socket) => socket.once('data', () => void pause().then(() => socket.end('x')))))
    await node.payments([backend.port])
    const socket = await client(plainHello(name))
    socket.resume().on('end', () => socket.end())
    const [closed] = await node.closings()
    expect(slowest(closed!)).toBe('first_backend_byte')
    await answered(closed!)
  })

  test('a backend that hangs: the dial, with the attempt that timed out', async () => {
    const hanging = node.stack.use(await hangingBackend())
    const backend = node.stack.use(await tcpBackend((socket) => socket.once('data', () => socket.end('x'))))
    await node.payments([hanging.port, backend.port])
    await node.untilUp(2)
    await hanging.hang()
    const socket = await client(plainHello(name))
    socket.resume().on('end', () => socket.end())
    const [closed] = await node.closings()
    expect(slowest(closed!)).toBe('dial')
    const [opened] = await node.until('connections', ({ type }) => type.endsWith('.opened.v1'))
    expect(opened!.data['attempts']).toMatchObject([{ backend: `127.0.0.1:${hanging.port}`, code: 'timeout' }])
    expect(await answered(closed!)).toContain('after 1 failed dial')
  })

  /** The page's commands show the timings, and the one connection from its beginning to its end. */
  async function answered(closed: RawRecord): Promise<string> {
    const printed = await node.commandsOf('Slow', { connection: closed.data['connection_id'] as string })
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
