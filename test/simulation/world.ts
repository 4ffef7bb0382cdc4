import { streams } from '../../events/define.ts'
import { formatEndpoint } from '../../src/core/endpoint.ts'
import type { Endpoint } from '../../src/core/network.ts'
import { MemoryDisk } from '../support/memory-disk.ts'
import { isAlert } from './check-connections.ts'
import { DiskTroubles } from './disk-troubles.ts'
import type { CommandEvidence, EndedEvidence, Evidence } from './evidence.ts'
import { WallClock } from './life.ts'
import { readLog, segmentsOf } from './log-reader.ts'
import { SimulatedNetwork, type DialOutcome } from './network.ts'
import { NodeRunner } from './node-runner.ts'
import { settingsOf, type Options } from './options.ts'
import { BackendPeer, ClientPeer } from './peers.ts'
import { Schedule } from './schedule.ts'
import { SeededRandom } from './seeded-random.ts'
import type { SimulatedSocket } from './socket.ts'

/** One simulated world: time, machine, network and everybody in it, all out of one seed. */
export class World {
  readonly options: Options
  readonly schedule = new Schedule()
  readonly wall = new WallClock(this.schedule)
  readonly disk = new MemoryDisk()
  readonly random: SeededRandom
  readonly troubles: DiskTroubles
  readonly network: SimulatedNetwork
  readonly node: NodeRunner
  readonly clients: ClientPeer[] = []
  readonly commands: CommandEvidence[] = []
  readonly ended: EndedEvidence[] = []
  readonly violations: string[] = []
  readonly lines: string[] = []
  /** The safety phase is over: nothing goes wrong any more. */
  safe = false
  over = false

  constructor(options: Options) {
    this.options = options
    const { seed } = options
    this.random = new SeededRandom(seed, 'world')
    this.troubles = new DiskTroubles(this.disk, this.schedule, new SeededRandom(seed, 'disk'), options)
    this.network = new SimulatedNetwork(
      { schedule: this.schedule, random: new SeededRandom(seed, 'wire'), latencyMs: options.latencyMs, windowBytes: options.windowBytes },
      { bind: () => this.#bind(), dial: () => this.#dial(), lookup: (host) => this.#lookup(host) },
      (socket, bytes) => this.#checkDurable(socket, bytes),
    )
    this.node = new NodeRunner(this, settingsOf(options))
  }

  trace(line: string): void {
    this.lines.push(`${this.schedule.nowMs.toFixed(3)} ${line}`)
  }

  violated(problem: string): void {
    this.trace(`VIOLATION: ${problem}`)
    this.violations.push(problem)
  }

  evidence(): Evidence {
    const log = readLog(this.disk, '/data', this.violations)
    const { accepted, dialled } = this.network
    return { log, lives: this.node.lives, accepted, dialled, commands: this.commands, ended: this.ended }
  }

  /** A client comes to an address; null when nobody listens there. */
  client(to: Endpoint, name: string, mood: ClientPeer['mood']): ClientPeer | null {
    const number = this.clients.length
    // Of some the kernel can't say who they were.
    const from = mood === 'gone_at_once' && this.random.chance(0.5) ? null : { ip: `198.51.${100 + (number % 3)}.7`, port: 10_000 + number }
    let peer: ClientPeer | null = null
    this.network.client(to, from, (socket) => (peer = new ClientPeer(socket, this.schedule, this.random, { mood, name, number })))
    const client = peer as ClientPeer | null
    this.trace(`client ${number} (${mood}) to ${name} at ${formatEndpoint(to)}${client === null ? ': nobody listens' : ''}`)
    if (client === null) return null
    this.clients.push(client)
    client.begin()
    return client
  }

  #bind(): string | null {
    return !this.safe && this.random.chance(0.05) ? 'EADDRINUSE' : null
  }

  #dial(): DialOutcome {
    const { random, schedule } = this
    if (!this.safe && random.chance(this.options.backendTrouble)) {
      const code = random.pick(['ECONNREFUSED', 'ECONNREFUSED', 'EHOSTUNREACH', 'EMFILE', 'silence'])
      return code === 'silence' ? code : { code }
    }
    const mood = this.safe ? 'echoes' : random.pick(this.options.backendMoods)
    return { peer: (socket) => new BackendPeer(socket, schedule, random, mood) }
  }

  #lookup(host: string): readonly string[] | { readonly code: string } | 'silence' {
    if (!this.safe && this.random.chance(0.2)) return this.random.chance(0.5) ? { code: 'ENOTFOUND' } : 'silence'
    const last = host === 'one.internal' ? 1 : 2
    return this.random.chance(0.3) ? [`10.0.1.${last}`, `10.0.2.${last}`] : [`10.0.1.${last}`]
  }

  /**
   * No record, no traffic: before a byte leaves, its opened record would survive a loss of power. An alert to a client
   * that is turned away is the node's own; that this is on record, the checkers see to.
   */
  #checkDurable(socket: SimulatedSocket, bytes: Uint8Array): void {
    const toBackend = socket.local.port >= 20_000
    if (!toBackend && isAlert([bytes])) return
    const { ip, port } = toBackend ? socket.local : socket.remote!
    const field = toBackend ? 'local_address' : 'client'
    const wanted = `"${field}":{"ip":"${ip}","port":${port}}`
    const found = segmentsOf(this.disk, '/data/connections').some(({ bytes }) => bytes.includes(wanted))
    if (!found) this.violated(`a byte left on ${formatEndpoint(socket.local)} before the opened record was durable`)
  }

  /** Lines of what is on the medium, for whoever has to understand a failing seed. */
  logLines(): string[] {
    const log = readLog(this.disk, '/data', [])
    return streams.flatMap((stream) => log[stream].map(({ text }) => `${stream} ${text}`))
  }
}
