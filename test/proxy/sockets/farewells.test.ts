import { expect, test } from 'vitest'
import { Farewells } from '../../../src/proxy/sockets/farewells.ts'
import { FakeNetwork, type FakeSocket } from '../../support/fake-network.ts'
import { ManualClock } from '../../support/manual-clock.ts'

/** Last bytes arrive, and nobody can stay for the sake of them. */

const door = { ip: '192.0.2.9', port: 443 }
const last = Uint8Array.of(21, 3, 3, 0, 2, 2, 112)

class Leaving {
  readonly network = new FakeNetwork()
  readonly clock = new ManualClock()
  readonly farewells = new Farewells(this.clock)

  async client(): Promise<FakeSocket> {
    await using _listening = await this.network.listen(door, () => {})
    const client = this.network.client(door)
    client.peerReads(1e6)
    return client
  }

  settle(): void {
    for (let step = this.network.steps()[0]; step !== undefined; step = this.network.steps()[0]) step()
  }

  sweepAfter(ms: number): void {
    this.clock.advance(ms)
    this.farewells.sweep(this.clock.monotonicMs())
    this.settle()
  }
}

test('last bytes, then FIN; what the client still sends is thrown away; its FIN is the end', async () => {
  const leaving = new Leaving()
  const client = await leaving.client()
  client.peerSends(Buffer.alloc(5_000))
  leaving.farewells.say(client, last)
  leaving.settle()
  expect(client.peerGot).toEqual([...last])
  expect([client.peerGotFin, client.peerGotReset]).toEqual([true, false])
  client.peerEnds()
  leaving.settle()
  expect(client.state).toBe('closed')
  leaving.sweepAfter(10_000)
})

test('a client that does not go is closed after a second, and not before', async () => {
  const leaving = new Leaving()
  const client = await leaving.client()
  leaving.farewells.say(client, last)
  leaving.sweepAfter(999)
  expect(client.state).not.toBe('closed')
  leaving.sweepAfter(1)
  expect(client.state).toBe('closed')
})

test('a client that sends on without end is closed at once', async () => {
  const leaving = new Leaving()
  const client = await leaving.client()
  leaving.farewells.say(client, last)
  for (let sent = 0; sent < 131_072; sent += 16_384) client.peerSends(Buffer.alloc(16_384))
  leaving.settle()
  expect(client.state).not.toBe('closed')
  client.peerSends(Buffer.alloc(1))
  leaving.settle()
  expect(client.state).toBe('closed')
})

test('of more than 256 at once the others are closed without last bytes, and each that has gone makes room', async () => {
  const leaving = new Leaving()
  const staying: FakeSocket[] = []
  for (let index = 0; index < 256; index += 1) {
    staying.push(await leaving.client())
    leaving.farewells.say(staying[index]!, last)
  }
  const over = await leaving.client()
  expect(leaving.farewells.say(over, last)).toBe(false)
  leaving.settle()
  expect([over.state, over.peerGot.length]).toEqual(['closed', 0])
  staying[7]!.peerResets()
  leaving.settle()
  const next = await leaving.client()
  expect(leaving.farewells.say(next, last)).toBe(true)
  leaving.settle()
  expect(next.peerGot).toEqual([...last])
})

test('all are closed with the engine', async () => {
  const leaving = new Leaving()
  const client = await leaving.client()
  leaving.farewells.say(client, last)
  leaving.farewells[Symbol.dispose]()
  leaving.settle()
  expect(client.state).toBe('closed')
})
