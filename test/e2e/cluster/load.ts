import { createWriteStream, type WriteStream } from 'node:fs'
import { once } from 'node:events'
import net from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { greeting, listen, realHello, type Peer } from '../../support/peers.ts'

/**
 * Clients and a backend that keep their own book of who got a byte: at a fixed rate whatever becomes of them, over nodes
 * that may die and come back. Each client asks for a server name of its own, so that its record is known by it.
 */

export interface LoadOptions {
  /** Connections begun in a second, in turn to each target. */
  readonly rate: number
  /** Asked for each connection: ports of the nodes, which may change. */
  readonly targets: () => readonly number[]
  readonly ledger: string
}

export interface LoadCounts {
  begun: number
  /** Clients that got a byte. */
  served: number
  /** Ended, by the node or by the kernel, before they got one. */
  unserved: number
  /** Not begun because too many were open. */
  skipped: number
}

export interface LoadBackend extends AsyncDisposable {
  readonly port: number
  /** `book` gets a line for each connection that brought a byte. */
  keep(book: Ledger): void
}

/** Every so many clients stay until the end, or until they are cut. */
const heldOneIn = 20
const openMax = 4_000
const tickMs = 10
const patienceMs = 10_000
const nameDigits = 7
const answerBytes = Buffer.concat([greeting, Buffer.alloc(1_200, 7)])

/** Lines in the order of the bytes; what `check-records.py` reads. */
export class Ledger implements AsyncDisposable {
  readonly #file: WriteStream

  constructor(path: string) {
    this.#file = createWriteStream(path)
  }

  note(saw: 'backend' | 'client', port: number, name: string | null, at: number): void {
    this.#file.write(`${JSON.stringify({ at, name, port, saw })}\n`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#file.end()
    await once(this.#file, 'close')
  }
}

export async function loadBackend(): Promise<LoadBackend> {
  let book: Ledger | null = null
  const peer: Peer = await listen(net.createServer({ allowHalfOpen: true }, (socket) => {
    const port = socket.remotePort ?? 0
    socket.once('data', (hello: Buffer) => {
      book?.note('backend', port, nameIn(hello), Date.now())
      socket.write(answerBytes)
      socket.on('data', (more: Buffer) => socket.write(more))
    })
    socket.on('end', () => socket.end())
  }))
  return { keep: (given) => (book = given), port: peer.port, [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose]() }
}

export class Load implements AsyncDisposable {
  readonly counts: LoadCounts = { begun: 0, served: 0, skipped: 0, unserved: 0 }
  readonly #options: LoadOptions
  readonly #book: Ledger
  readonly #hello: Buffer
  readonly #open = new Set<net.Socket>()
  readonly #ended = new AbortController()
  readonly #running: Promise<void>
  readonly #onServed = new Set<(begunMs: number) => void>()

  static async start(options: LoadOptions, backend: LoadBackend): Promise<Load> {
    const book = new Ledger(options.ledger)
    backend.keep(book)
    return new Load(options, book, await realHello(nameOf(0)))
  }

  private constructor(options: LoadOptions, book: Ledger, hello: Buffer) {
    this.#options = options
    this.#book = book
    this.#hello = hello
    this.#running = this.#run()
  }

  /** Resolves when a client that began after now got a byte. */
  async nextServed(): Promise<void> {
    const afterMs = Date.now()
    await new Promise<void>((resolve) => {
      const look = (begunMs: number): void => {
        if (begunMs < afterMs || !this.#onServed.delete(look)) return
        resolve()
      }
      this.#onServed.add(look)
    })
  }

  /** Begins no more; those that are under way come to their end, those that were held are ended. */
  async end(): Promise<void> {
    this.#ended.abort()
    await this.#running
    for (const socket of this.#open) socket.end()
    const untilMs = Date.now() + patienceMs
    while (this.#open.size > 0 && Date.now() < untilMs) await wait(tickMs)
    for (const socket of this.#open) socket.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end()
    await this.#book[Symbol.asyncDispose]()
  }

  async #run(): Promise<void> {
    const startedMs = performance.now()
    let due = 0
    while (!this.#ended.signal.aborted) {
      const until = Math.floor(((performance.now() - startedMs) * this.#options.rate) / 1_000)
      for (; due < until; due++) this.#begin(due)
      await wait(tickMs)
    }
  }

  #begin(index: number): void {
    if (this.#open.size >= openMax) {
      this.counts.skipped += 1
      return
    }
    const ports = this.#options.targets()
    this.counts.begun += 1
    this.#client(index, ports[index % ports.length]!)
  }

  #client(index: number, port: number): void {
    const name = nameOf(index)
    const begunMs = Date.now()
    const socket = net.connect({ host: '127.0.0.1', port })
    let served = false
    this.#open.add(socket)
    socket.setTimeout(patienceMs, () => {
      if (!served) socket.destroy()
    })
    socket.on('error', () => {})
    socket.once('close', () => {
      this.#open.delete(socket)
      if (!served) this.counts.unserved += 1
    })
    socket.once('connect', () => {
      const own = socket.localPort!
      socket.write(helloFor(this.#hello, name))
      socket.once('data', () => {
        served = true
        this.counts.served += 1
        this.#book.note('client', own, name, Date.now())
        for (const look of this.#onServed) look(begunMs)
        socket.on('data', () => {})
        if (index % heldOneIn !== 0) socket.end()
      })
    })
  }
}

/** All of one length, so that they fit into one hello. */
function nameOf(index: number): string {
  return `c${String(index).padStart(nameDigits, '0')}.load.test`
}

function helloFor(hello: Buffer, name: string): Buffer {
  const copy = Buffer.from(hello)
  copy.write(name, hello.indexOf(nameOf(0)), 'latin1')
  return copy
}

function nameIn(hello: Buffer): string | null {
  return /c\d{7}\.load\.test/.exec(hello.toString('latin1'))?.[0] ?? null
}
