import { lentChunkBytesMin, type Endpoint, type Socket, type SocketHandler } from '../../src/core/network.ts'
import type { Life } from './life.ts'
import type { Peer, SocketWorld, WireTrace } from './wire.ts'

/**
 * A socket of the simulated node with the kernels and the wire behind it. Keeps the contract of the port as meanly as it
 * allows: short writes, lent chunks overwritten when their time is over, a paused socket that learns of nothing.
 */

const writeRoomBytes = lentChunkBytesMin
const readBytesMax = 65_536
const scribble = 0xee
const unset: SocketHandler = { onConnected: () => {}, onBytes: () => {}, onEnd: () => {}, onDrained: () => {}, onClosed: () => {} }

type State = 'closed' | 'dialling' | 'open'
type Arrival = Uint8Array | 'fin' | 'reset'

export class SimulatedSocket implements Socket {
  handler: SocketHandler = unset
  readonly life: Life
  readonly local: Endpoint
  readonly remote: Endpoint | null
  readonly trace: WireTrace = { read: [], readBytes: 0, taken: [], takenBytes: 0, lastTakenMs: 0 }
  bytesTaken = 0
  peer!: Peer
  /** Called before the first byte leaves the node's machine. */
  onFirstByte: (bytes: Uint8Array) => void = () => {}
  #state: State
  readonly #world: SocketWorld
  #paused = false
  /** Arrived and not read by the node. */
  readonly #inbox: Arrival[] = []
  #inboundMs = 0
  #reading = false
  #readFin = false
  #lent: Uint8Array | null = null
  /** Given by the node and not taken by the kernel. */
  #unsent: { readonly chunk: Uint8Array; sent: number }[] = []
  #unsentBytes = 0
  #waiting = false
  #ended = false
  #finSent = false
  #deliveredAtEnd: number | null = null
  /** In a kernel, not read by the peer. */
  readonly #outbox: Arrival[] = []
  #outboxBytes = 0
  #peerReading = false
  #peerDone = false

  constructor(world: SocketWorld, life: Life, ends: { readonly local: Endpoint; readonly remote: Endpoint | null }, state: 'dialling' | 'open') {
    this.#world = world
    this.life = life
    this.local = ends.local
    this.remote = ends.remote
    this.#state = state
  }

  get open(): boolean {
    return this.#state !== 'closed' && !this.life.dead
  }

  // The other end of the wire.

  peerSends(bytes: Uint8Array): void {
    this.#arrives(bytes)
  }
  peerEnds(): void {
    if (this.#peerDone) return
    this.#arrives('fin')
    this.#peerDone = true
  }
  peerResets(): void {
    this.#peerDone = false
    this.#arrives('reset')
    this.#peerDone = true
    this.#outbox.length = 0
    this.#outboxBytes = 0
  }
  /** The peer goes on reading after `pace` answered null. */
  peerReads(): void {
    this.#wakePeer(0)
  }

  // The port.

  get bytesDelivered(): number {
    return this.#deliveredAtEnd ?? this.bytesTaken - this.#unsentBytes
  }

  write(chunk: Uint8Array): boolean {
    if (!this.life.touch()) return true
    if (this.#state === 'dialling' || this.#ended) throw new Error('written at the wrong time')
    if (this.#state === 'open' && this.#inbox.includes('reset')) this.#broke('EPIPE')
    if (this.#state !== 'open') {
      this.bytesTaken += chunk.length
      return false
    }
    this.bytesTaken += chunk.length
    this.#unsent.push({ chunk, sent: 0 })
    this.#unsentBytes += chunk.length
    this.#send()
    this.#waiting = this.#unsentBytes >= writeRoomBytes
    return !this.#waiting
  }
  pause(): void {
    this.#paused = true
  }
  resume(): void {
    this.#paused = false
    this.#wakeReader()
  }
  end(): void {
    if (!this.life.touch()) return
    this.#ended = true
    if (this.#state === 'open') this.#send()
  }
  keepAlive(): void {}
  reset(): void {
    if (!this.life.touch() || this.#state === 'closed') return
    if (this.#state === 'open') this.#tellReset()
    this.#close(null)
  }
  destroy(): void {
    if (!this.life.touch() || this.#state === 'closed') return
    if (this.#state === 'open') this.#leave()
    this.#close(null)
  }

  // What the network makes of it.

  connected(): void {
    if (this.#state !== 'dialling' || !this.life.touch()) return
    this.#state = 'open'
    this.handler.onConnected()
    this.#wakeReader()
  }
  dialFailed(code: string): void {
    if (this.#state === 'dialling') this.#broke(code)
  }
  /** The process is dead: its kernel says goodbye for it. */
  orphaned(): void {
    if (this.#state === 'open') this.#leave()
    this.#state = 'closed'
  }

  // From the peer to the node.

  #arrives(arrival: Arrival): void {
    if (this.#peerDone) return
    const { latencyMs, random, schedule } = this.#world
    this.#inboundMs = Math.max(this.#inboundMs, schedule.nowMs + random.float() * latencyMs)
    schedule.after(this.#inboundMs - schedule.nowMs, () => {
      if (this.#state === 'closed' || this.life.dead) return
      // A reset throws away what was not read yet, or comes when all has been.
      if (arrival === 'reset' && random.chance(0.5)) this.#inbox.length = 0
      this.#inbox.push(arrival)
      this.#wakeReader()
    })
  }

  #wakeReader(): void {
    if (this.#reading || !this.#canRead()) return
    this.#reading = true
    this.#world.schedule.after(0, () => {
      this.#reading = false
      if (!this.#canRead() || !this.life.touch()) return
      this.#read()
      this.#wakeReader()
    })
  }

  #canRead(): boolean {
    return this.#state === 'open' && !this.#paused && !this.#readFin && this.#inbox.length > 0 && !this.life.dead
  }

  #read(): void {
    const next = this.#inbox.shift()!
    if (next === 'reset') this.#broke('ECONNRESET')
    else if (next === 'fin') {
      this.#readFin = true
      this.handler.onEnd()
      this.#closeIfOver()
    } else this.#readBytes(next)
  }

  #readBytes(next: Uint8Array): void {
    const { random } = this.#world
    let bytes = next
    const following = this.#inbox[0]
    if (following instanceof Uint8Array && random.chance(0.5)) bytes = Buffer.concat([bytes, this.#inbox.shift() as Uint8Array])
    const most = random.chance(0.1) ? random.integer(1, readBytesMax) : readBytesMax
    if (bytes.length > most) this.#inbox.unshift(bytes.subarray(most))
    this.#lent?.fill(scribble)
    const chunk = Uint8Array.from(bytes.subarray(0, most))
    this.#lent = chunk.length >= lentChunkBytesMin ? chunk : null
    this.trace.read.push(this.#lent === null ? chunk : Uint8Array.from(chunk))
    this.trace.readBytes += chunk.length
    this.handler.onBytes(chunk)
  }

  // From the node to the peer.

  #send(): void {
    while (this.#unsent.length > 0 && this.#outboxBytes < this.#world.windowBytes) {
      const entry = this.#unsent[0]!
      const bytes = Math.min(this.#world.windowBytes - this.#outboxBytes, entry.chunk.length - entry.sent)
      this.#take(Uint8Array.from(entry.chunk.subarray(entry.sent, entry.sent + bytes)))
      entry.sent += bytes
      if (entry.sent < entry.chunk.length) break
      this.#unsent.shift()
      this.#unsentBytes -= entry.chunk.length
    }
    if (this.#unsent.length > 0) return
    if (this.#waiting) {
      this.#waiting = false
      this.#later(() => {
        if (this.#state === 'open') this.handler.onDrained()
      })
    }
    if (!this.#ended || this.#finSent) return
    this.#finSent = true
    this.#post('fin')
    this.#closeIfOver()
  }

  #take(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    if (this.trace.takenBytes === 0) this.onFirstByte(bytes)
    this.trace.taken.push(bytes)
    this.trace.takenBytes += bytes.length
    this.trace.lastTakenMs = this.#world.schedule.nowMs
    this.#outboxBytes += bytes.length
    this.#post(bytes)
  }

  #post(arrival: Arrival): void {
    this.#outbox.push(arrival)
    this.#wakePeer(this.#world.random.float() * this.#world.latencyMs)
  }

  #wakePeer(afterMs: number): void {
    if (this.#peerReading || this.#outbox.length === 0) return
    this.#peerReading = true
    this.#world.schedule.after(afterMs, () => {
      this.#peerReading = false
      this.#peerTakes()
    })
  }

  #peerTakes(): void {
    const next = this.#outbox[0]
    if (next === undefined) return
    if (next === 'reset' || next === 'fin') {
      this.#outbox.shift()
      if (next === 'reset') this.peer.onReset()
      else this.peer.onFin()
      return this.#wakePeer(0)
    }
    const pace = this.peer.pace()
    if (pace === null) return
    const bytes = next.subarray(0, pace.bytes)
    if (bytes.length === next.length) this.#outbox.shift()
    else this.#outbox[0] = next.subarray(pace.bytes)
    this.#outboxBytes -= bytes.length
    this.peer.onBytes(bytes)
    if (this.#state === 'open' && this.#unsent.length > 0 && this.life.touch()) this.#send()
    this.#wakePeer(pace.restMs)
  }

  // Ends.

  #tellReset(): void {
    this.#outbox.length = 0
    this.#outboxBytes = 0
    this.#post('reset')
  }

  #leave(): void {
    if (this.#inbox.some((arrival) => arrival !== 'fin')) this.#tellReset()
    else if (!this.#finSent) this.#post('fin')
    this.#finSent = true
  }

  #broke(code: string): void {
    if (this.#state !== 'closed') this.#close(code)
  }

  #closeIfOver(): void {
    if (this.#readFin && this.#finSent && this.#state === 'open') this.#close(null)
  }

  #close(code: string | null): void {
    this.#deliveredAtEnd ??= this.bytesTaken - this.#unsentBytes
    this.#state = 'closed'
    this.#unsent = []
    this.#later(() => this.handler.onClosed(code))
  }

  #later(run: () => void): void {
    this.#world.schedule.after(0, () => {
      if (this.life.touch()) run()
    })
  }
}
