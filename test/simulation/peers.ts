import { greeting } from '../support/peers.ts'
import { helloMessage, records, serverName } from '../support/tls-hellos.ts'
import type { Schedule } from './schedule.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { SimulatedSocket } from './socket.ts'
import type { Peer } from './wire.ts'

/** The two kinds of strangers around the node, in every mood: clients and backends. */

export const backendMoods = [
  'answers', 'bursts', 'deaf', 'echoes', 'ends_first', 'fin_then_reset', 'null_suite', 'old_version', 'plaintext', 'resets', 'silent', 'slow',
] as const
export type BackendMood = (typeof backendMoods)[number]

export const clientMoods = [
  'bulk', 'cut_hello', 'ends_early', 'ends_late', 'gone_at_once', 'half_hello', 'lingers', 'malformed', 'not_tls', 'no_sni', 'no_such_name', 'patient',
  'polite', 'resets', 'silent', 'slow_reader', 'sslv2',
] as const
export type ClientMood = (typeof clientMoods)[number]

const eager = { bytes: Number.POSITIVE_INFINITY, restMs: 0 }

/** What every peer keeps: the bytes that it sent, and how far things are. */
abstract class Stranger implements Peer {
  /** In order; compared with what came out at the other end. */
  readonly sent: Uint8Array[] = []
  sentBytes = 0
  got = 0
  gotFin = false
  gotReset = false
  ended = false
  protected readonly socket: SimulatedSocket
  protected readonly schedule: Schedule
  protected readonly random: SeededRandom

  constructor(socket: SimulatedSocket, schedule: Schedule, random: SeededRandom) {
    this.socket = socket
    this.schedule = schedule
    this.random = random
  }

  get over(): boolean {
    return this.gotReset || (this.gotFin && this.ended)
  }

  abstract pace(): { readonly bytes: number; readonly restMs: number } | null
  onBytes(bytes: Uint8Array): void {
    this.got += bytes.length
  }
  onFin(): void {
    this.gotFin = true
  }
  onReset(): void {
    this.gotReset = true
  }

  protected send(bytes: Uint8Array): void {
    if (this.ended || this.gotReset) return
    this.sent.push(bytes)
    this.sentBytes += bytes.length
    this.socket.peerSends(bytes)
  }
  protected end(): void {
    if (this.ended || this.gotReset) return
    this.ended = true
    this.socket.peerEnds()
  }
  protected reset(): void {
    if (this.gotReset) return
    this.ended = true
    this.gotReset = true
    this.socket.peerResets()
  }
  protected later(mostMs: number, run: () => void): void {
    this.schedule.after(this.random.float() * mostMs, run)
  }
}

export class BackendPeer extends Stranger {
  readonly #mood: BackendMood
  #served = false

  constructor(socket: SimulatedSocket, schedule: Schedule, random: SeededRandom, mood: BackendMood) {
    super(socket, schedule, random)
    this.#mood = mood
    if (mood === 'ends_first') this.later(20, () => this.end())
  }

  pace(): { readonly bytes: number; readonly restMs: number } | null {
    if (this.#mood === 'slow') return { bytes: 300, restMs: 20 }
    // Takes the hello and then reads no more.
    return this.#mood === 'deaf' && this.got > 0 ? null : eager
  }
  protected override send(bytes: Uint8Array): void {
    if (this.sentBytes === 0 && this.#mood !== 'plaintext') super.send(greetings.get(this.#mood) ?? greeting)
    super.send(bytes)
  }
  override onBytes(bytes: Uint8Array): void {
    super.onBytes(bytes)
    const first = !this.#served
    this.#served = true
    if (echoing.has(this.#mood)) this.send(Uint8Array.from(bytes))
    else if (this.#mood === 'resets' && this.random.chance(0.5)) this.reset()
    else if (first) this.#serveFirst()
  }
  override onFin(): void {
    super.onFin()
    if (this.#mood !== 'silent') this.later(10, () => this.end())
  }

  #serveFirst(): void {
    if (this.#mood === 'answers') {
      this.send(pattern(this.random.integer(1, 2_000), this.socket.local.port))
      this.later(50, () => this.end())
    } else if (this.#mood === 'bursts') {
      for (let burst = this.random.integer(1, 4); burst > 0; burst -= 1) {
        this.send(pattern(this.random.integer(1_000, 40_000), this.socket.local.port))
      }
    } else if (this.#mood === 'fin_then_reset') {
      this.send(pattern(this.random.integer(1, 500), this.socket.local.port))
      this.later(5, () => {
        this.end()
        this.later(5, () => this.reset())
      })
    }
  }
}

export class ClientPeer extends Stranger {
  readonly mood: ClientMood
  readonly name: string
  readonly number: number

  constructor(socket: SimulatedSocket, schedule: Schedule, random: SeededRandom, who: { mood: ClientMood; name: string; number: number }) {
    super(socket, schedule, random)
    this.mood = who.mood
    this.name = who.name
    this.number = who.number
  }

  /** Begins to act; called when the node has the connection. */
  begin(): void {
    const { mood, random } = this
    if (mood === 'gone_at_once') return this.reset()
    if (mood === 'silent') return
    if (mood === 'malformed' || mood === 'not_tls' || mood === 'sslv2') {
      this.send({ malformed: malformedHello, not_tls: request, sslv2: sslv2Hello }[mood])
      if (random.chance(0.5)) this.later(1_000, () => this.end())
      return
    }
    const hello = mood === 'no_sni' ? namelessHello : helloFor(mood === 'no_such_name' ? 'nobody.example' : this.name)
    if (mood === 'half_hello') {
      this.send(hello.subarray(0, random.integer(1, hello.length - 1)))
      if (random.chance(0.7)) this.later(200, () => (random.chance(0.5) ? this.end() : this.reset()))
      return
    }
    if (mood === 'cut_hello') {
      for (let at = 0; at < hello.length;) {
        const next = Math.min(hello.length, at + random.integer(1, 60))
        this.send(hello.subarray(at, next))
        at = next
      }
    } else this.send(hello)
    this.#afterHello()
  }

  pace(): { readonly bytes: number; readonly restMs: number } | null {
    return this.mood === 'slow_reader' ? { bytes: 500, restMs: 30 } : eager
  }
  override onBytes(bytes: Uint8Array): void {
    super.onBytes(bytes)
    if (this.mood === 'patient' && this.got >= this.sentBytes) this.end()
  }
  override onFin(): void {
    super.onFin()
    if (this.mood !== 'lingers' || this.random.chance(0.5)) this.later(10, () => this.end())
  }

  #afterHello(): void {
    const { mood, random } = this
    const say = (most: number): void => this.send(pattern(random.integer(1, most), this.number))
    if (mood === 'ends_early') this.later(random.chance(0.5) ? 2 : 100, () => this.end())
    else if (mood === 'resets') {
      if (random.chance(0.5)) say(3_000)
      this.later(random.chance(0.5) ? 5 : 500, () => this.reset())
    } else if (mood === 'lingers') this.later(3_000, () => say(200))
    else if (mood === 'patient') say(400)
    else {
      this.later(20, () => say(mood === 'bulk' ? 90_000 : 400))
      this.later(400, () => say(400))
      this.later(mood === 'ends_late' ? 8_000 : 1_000, () => this.end())
    }
  }
}

/** Those that answer with something else than the ordinary ServerHello: one of TLS 1.0, one without encryption. */
const greetings: ReadonlyMap<BackendMood, Buffer> = new Map([
  ['null_suite', Buffer.from(greeting).fill(Buffer.from([0, 2]), 44, 46)],
  ['old_version', Buffer.from(greeting).fill(1, 10, 11)],
])
const echoing: ReadonlySet<BackendMood> = new Set(['echoes', 'null_suite', 'old_version', 'plaintext', 'slow'])
const malformedHello = Buffer.from('16030100050100000100', 'hex')
const request = Buffer.from('GET / HTTP/1.1\r\n\r\n')
const namelessHello = records(helloMessage({ extensions: [] }))
const sslv2Hello = Buffer.from('802e0103010015000000100000050000040000030000060000070000', 'hex')

const hellos = new Map<string, Buffer>()

export function helloFor(name: string): Buffer {
  let hello = hellos.get(name)
  if (hello === undefined) {
    hello = records(helloMessage({ extensions: [serverName(name)] }))
    hellos.set(name, hello)
  }
  return hello
}

/** Bytes in which every place can be told from most others, and one stream from the next. */
export function pattern(length: number, stream: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let index = 0; index < length; index += 1) bytes[index] = (index * 31 + (index >> 8) + stream * 7) & 0xff
  return bytes
}
