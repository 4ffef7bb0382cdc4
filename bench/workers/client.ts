import { getSystemErrorName } from 'node:util'
import { answer } from './answers.ts'
import { bulkChunk, clientFinish, shortReply } from './payload.ts'
import { connect, type Peer, type RawSocket } from './raw-tcp.ts'

/** The load generator: one process that opens connections, sends the hello, and counts what comes back. */

export interface Round {
  readonly seconds: number
  readonly completed: number
  /** errno name or what was wrong, with how often. Anything here makes the measure an error. */
  readonly failures: Readonly<Record<string, number>>
}

let hello: Buffer = Buffer.alloc(0)
const idle = new Set<Idle>()
let lostIdle = 0

/** Many connections, a fixed number at a time. */
class Batch {
  readonly #port: number
  readonly #done: () => void
  /** The next connection starts when its time has come, not when one has ended. */
  readonly #paced: boolean
  #toStart: number
  #running = 0
  completed = 0
  readonly failures: Record<string, number> = {}

  constructor(port: number, count: number, paced: boolean, done: () => void) {
    this.#port = port
    this.#toStart = count
    this.#paced = paced
    this.#done = done
  }

  get toStart(): number {
    return this.#toStart
  }

  next(make: (socket: RawSocket, batch: Batch) => Peer): void {
    if (this.#toStart > 0) {
      this.#toStart -= 1
      this.#running += 1
      connect(this.#port, (socket) => make(socket, this))
    } else if (this.#running === 0) {
      this.#done()
    }
  }

  finished(failure: string | null, make: (socket: RawSocket, batch: Batch) => Peer): void {
    this.#running -= 1
    if (failure === null) this.completed += 1
    else this.failures[failure] = (this.failures[failure] ?? 0) + 1
    if (!this.#paced || this.#toStart === 0) this.next(make)
  }
}

/** Connect, hello, short reply, FIN both ways. */
class Short implements Peer {
  readonly #socket: RawSocket
  readonly #batch: Batch
  #got = 0
  #over = false

  constructor(socket: RawSocket, batch: Batch) {
    this.#socket = socket
    this.#batch = batch
  }

  connected(status: number): void {
    if (status < 0) this.#finish(getSystemErrorName(status))
    else this.#socket.write(hello)
  }

  read(length: number): void {
    this.#got += length
    if (this.#got === shortReply.length) this.#socket.end()
  }

  written(): void {}

  ended(status: number): void {
    if (status < 0) this.#finish(getSystemErrorName(status))
    else this.#finish(this.#got === shortReply.length ? null : `reply of ${this.#got} bytes`)
  }

  #finish(failure: string | null): void {
    if (this.#over) return
    this.#over = true
    this.#socket.close()
    this.#batch.finished(failure, makeShort)
  }
}

/** Connect, hello, short reply, what ends a handshake, and then nothing more. */
class Idle implements Peer {
  readonly socket: RawSocket
  readonly #batch: Batch
  #got = 0
  #over = false

  constructor(socket: RawSocket, batch: Batch) {
    this.socket = socket
    this.#batch = batch
  }

  connected(status: number): void {
    if (status < 0) this.ended(status)
    else this.socket.write(hello)
  }

  read(length: number): void {
    this.#got += length
    if (this.#got !== shortReply.length) return
    this.socket.write(clientFinish)
    idle.add(this)
    this.#batch.finished(null, makeIdle)
  }

  written(): void {}

  ended(status: number): void {
    this.socket.close()
    if (idle.delete(this)) lostIdle += 1
    if (this.#got >= shortReply.length || this.#over) return
    this.#over = true
    this.#batch.finished(status === 0 ? 'ended early' : getSystemErrorName(status), makeIdle)
  }
}

/** One connection that carries `bytes` one way. */
class Bulk implements Peer {
  readonly #socket: RawSocket
  readonly #upload: boolean
  readonly #bytes: number
  readonly #settle: (failure: string | null) => void
  #toSend = 0
  #got = 0
  startedAt = 0

  constructor(socket: RawSocket, upload: boolean, bytes: number, settle: (failure: string | null) => void) {
    this.#socket = socket
    this.#upload = upload
    this.#bytes = bytes
    this.#settle = settle
  }

  connected(status: number): void {
    if (status < 0) return this.ended(status)
    this.startedAt = performance.now()
    this.#socket.write(hello)
    if (this.#upload) this.#send(this.#bytes)
  }

  read(length: number): void {
    this.#got += length
    const expected = this.#upload ? shortReply.length : this.#bytes
    if (this.#got < expected) return
    this.#settle(this.#got === expected && this.#toSend === 0 ? null : `got ${this.#got} of ${expected} bytes`)
    this.#socket.end()
  }

  written(): void {
    if (this.#toSend > 0) this.#send(this.#toSend)
  }

  ended(status: number): void {
    this.#settle(`ended after ${this.#got} bytes (${status === 0 ? 'FIN' : getSystemErrorName(status)})`)
    this.#socket.close()
  }

  #send(bytes: number): void {
    this.#toSend = bytes
    let room = true
    while (room && this.#toSend > 0) {
      const chunk = this.#toSend < bulkChunk.length ? bulkChunk.subarray(0, this.#toSend) : bulkChunk
      this.#toSend -= chunk.length
      room = this.#socket.write(chunk)
    }
  }
}

/** So many connections a second, whatever becomes of those before. */
async function paced(parameters: { port: number; count: number; perSecond: number }): Promise<Round> {
  const startedAt = performance.now()
  const batch = await new Promise<Batch>((resolve) => {
    const started: Batch = new Batch(parameters.port, parameters.count, true, () => resolve(started))
    const timer = setInterval(() => {
      const due = Math.floor(((performance.now() - startedAt) / 1000) * parameters.perSecond)
      while (started.toStart > 0 && parameters.count - started.toStart < due) started.next(makeShort)
      if (started.toStart === 0) clearInterval(timer)
    }, 1)
  })
  const seconds = (performance.now() - startedAt) / 1000
  return { seconds, completed: batch.completed, failures: batch.failures }
}

const makeShort = (socket: RawSocket, batch: Batch): Peer => new Short(socket, batch)
const makeIdle = (socket: RawSocket, batch: Batch): Peer => new Idle(socket, batch)

async function many(
  parameters: { port: number; count: number; parallel: number },
  make: (socket: RawSocket, batch: Batch) => Peer,
): Promise<Round> {
  const startedAt = performance.now()
  const batch = await new Promise<Batch>((resolve) => {
    const started: Batch = new Batch(parameters.port, parameters.count, false, () => resolve(started))
    for (let lane = 0; lane < Math.min(parameters.parallel, parameters.count); lane += 1) started.next(make)
  })
  const seconds = (performance.now() - startedAt) / 1000
  return { seconds, completed: batch.completed, failures: batch.failures }
}

answer({
  hello: (parameters: { hello: string }) => {
    hello = Buffer.from(parameters.hello, 'base64')
  },
  short: (parameters: { port: number; count: number; parallel: number }) => many(parameters, makeShort),
  paced: (parameters: { port: number; count: number; perSecond: number }) => paced(parameters),
  openIdle: (parameters: { port: number; count: number; parallel: number }) => many(parameters, makeIdle),
  idleState: () => ({ open: idle.size, lost: lostIdle }),
  closeIdle: () => {
    for (const each of idle) each.socket.endAndClose()
    idle.clear()
    lostIdle = 0
  },
  bulk: async (parameters: { port: number; upload: boolean; bytes: number }) => {
    let peer: Bulk | undefined
    const failure = await new Promise<string | null>((resolve) => {
      connect(parameters.port, (socket) => (peer = new Bulk(socket, parameters.upload, parameters.bytes, resolve)))
    })
    if (failure !== null) throw new Error(`bulk transfer: ${failure}`)
    return { seconds: (performance.now() - peer!.startedAt) / 1000 }
  },
})
