/** One TCP backend for each pool; it says which pool it is when it got exactly the bytes of a case that is under way. */
import type net from 'node:net'
import { createServer } from 'node:net'
import { greeting, listen, type Peer } from '../support/peers.ts'
import { defaultPlace, namedPlaces, type Place } from './hellos.ts'

/** Stands before the place in an answer; nothing that a proxy says by itself looks like it. */
export const answerMark = 'place:'
/** A backend of this pool got bytes that nobody sent. */
export const altered = 'altered'

export class Backends implements AsyncDisposable {
  readonly ports: ReadonlyMap<Place, number>
  readonly #stack: AsyncDisposableStack
  readonly #expected: Set<Buffer>

  private constructor(ports: ReadonlyMap<Place, number>, stack: AsyncDisposableStack, expected: Set<Buffer>) {
    this.ports = ports
    this.#stack = stack
    this.#expected = expected
  }

  static async start(): Promise<Backends> {
    await using stack = new AsyncDisposableStack()
    const expected = new Set<Buffer>()
    const ports = new Map<Place, number>()
    for (const place of [defaultPlace, ...namedPlaces]) {
      const peer: Peer = stack.use(await listen(createServer((socket) => serve(socket, place, expected))))
      ports.set(place, peer.port)
    }
    return new Backends(ports, stack.move(), expected)
  }

  /** Until the block ends, these bytes are what a backend may get. */
  expect(wire: Buffer): Disposable {
    // A set of its own objects: two cases may send the same bytes.
    const own = wire.subarray()
    this.#expected.add(own)
    return { [Symbol.dispose]: () => void this.#expected.delete(own) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}

function serve(socket: net.Socket, place: Place, expected: ReadonlySet<Buffer>): void {
  let got: Buffer = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    if (socket.writableEnded) return
    got = Buffer.concat([got, chunk])
    if (some(expected, (wire) => wire.equals(got))) answer(socket, place)
    else if (!some(expected, (wire) => wire.subarray(0, got.length).equals(got))) answer(socket, `${altered}, ${place}`)
  })
}

function answer(socket: net.Socket, what: string): void {
  socket.end(Buffer.concat([greeting, Buffer.from(`${answerMark}${what}\n`)]))
}

function some(set: ReadonlySet<Buffer>, test: (wire: Buffer) => boolean): boolean {
  return [...set].some(test)
}
