import type { Endpoint } from '../../src/core/network.ts'
import type { Link, LinkClosed } from '../../src/proxy/engine.ts'
import { SocketEngine } from '../../src/proxy/sockets/socket-engine.ts'
import { FakeNetwork, type FakeSocket } from './fake-network.ts'
import { ManualClock } from './manual-clock.ts'
import { plainHello } from './peers.ts'

/** One link on a network in which every order of events can be had. */

const door: Endpoint = { ip: '192.0.2.9', port: 443 }
const backendAddress: Endpoint = { ip: '192.0.2.77', port: 8443 }
export const hello = plainHello()
const timeouts = { peekTimeoutMs: 5_000, idleTimeoutMs: 60_000, halfCloseTimeoutMs: 20_000 }

/** The stages in small: dial what was asked for, wait for the permit that stands for the record, go. */
export class Stand {
  readonly network = new FakeNetwork()
  readonly clock = new ManualClock()
  readonly engine = new SocketEngine(
    this.clock, this.network, { helloBytesMax: 65_536, recordsMax: 4_096 }, timeouts,
  )
  readonly permit = Promise.withResolvers<'go' | 'refuse'>()
  client!: FakeSocket
  link: Link | null = null
  went = false
  closed: LinkClosed | null = null
  failure: Error | null = null

  async start(): Promise<this> {
    await this.engine.listen(door, {
      gate: () => true,
      serve: (link) => {
        this.link = link
        void link.closed.then((closed) => (this.closed = closed))
        this.#serve(link).catch((error: unknown) => (this.failure = new Error('the stages threw', { cause: error })))
      },
    })
    this.client = this.network.client(door)
    return this
  }

  get backend(): FakeSocket | undefined {
    return this.network.sockets[1]
  }

  /** Everything that can happen on the proxy's side, until nothing can. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 2;) {
      await microtasks()
      const [step] = this.network.steps()
      quiet = step === undefined ? quiet + 1 : 0
      step?.()
    }
    if (this.failure !== null) throw this.failure
  }

  async relaying(): Promise<this> {
    await this.start()
    this.client.peerSends(hello)
    this.permit.resolve('go')
    await this.settle()
    this.backend!.peerReads(1e9)
    this.client.peerReads(1e9)
    await this.settle()
    return this
  }

  async #serve(link: Link): Promise<void> {
    const peeked = await link.hello
    if (peeked.kind !== 'hello') return void link.refuse(null)
    const dialled = await link.dial(backendAddress, 5_000)
    if (dialled.kind !== 'connected') return void link.refuse(null)
    if ((await this.permit.promise) === 'refuse') return void link.refuse(null)
    this.went = link.go(null)
  }
}

export async function microtasks(): Promise<void> {
  for (let turn = 0; turn < 12; turn += 1) await Promise.resolve()
}

/** Bytes in which every place can be told from every other. */
export function pattern(length: number, from: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let index = 0; index < length; index += 1) bytes[index] = ((from + index) * 31 + ((from + index) >> 8)) & 0xff
  return bytes
}
