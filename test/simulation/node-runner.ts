import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { WaybillEvent } from '../../events/catalog.ts'
import { streams } from '../../events/define.ts'
import { startCore, type CoreNode, type NodePorts } from '../../src/cli/core-node.ts'
import type { Settings } from '../../src/config/settings.ts'
import { Fault } from '../../src/core/errors.ts'
import type { Logger } from '../../src/core/logger.ts'
import { foldInto, foldNames, initialStates } from '../../src/live/folds.ts'
import { LogDamaged } from '../../src/log/event-log.ts'
import type { LifeEvidence } from './evidence.ts'
import { Life, LifeClock } from './life.ts'
import { readLog } from './log-reader.ts'
import { SeededRandom } from './seeded-random.ts'
import type { World } from './world.ts'

/** The node's process in a simulated world: started, killed, stopped and started again, one life after the other. */

const restartMsMax = 1_500
const stopMsMax = 60_000
const folder = '/data'

/** Began when nothing went wrong any more. */
type Current = LifeEvidence & { readonly bornSafe: boolean }

export class NodeRunner {
  readonly lives: LifeEvidence[] = []
  /** Null while it is down, starts or stops. */
  core: CoreNode | null = null
  readonly #world: World
  readonly #settings: Settings
  #current: Current | null = null
  #stopping = false

  constructor(world: World, settings: Settings) {
    this.#world = world
    this.#settings = settings
  }

  get life(): Life | null {
    return this.#current?.life ?? null
  }

  /** Until it accepts clients, or has failed and will be tried again. */
  start(): void {
    const { crashes, seed } = this.#world.options
    const number = this.lives.length
    const life = new Life(number, this.#world.schedule.nowMs, () => this.crash())
    const current: Current = { life, run: null, ending: null, bornSafe: this.#world.safe }
    const plan = this.#world.safe ? undefined : crashes[number]
    if (plan !== undefined) life.crashAtCall = plan.atCall
    this.lives.push(current)
    this.#current = current
    this.#world.troubles.attend(life)
    this.#world.trace(`life ${number} begins`)
    void this.#run(current, this.#ports(life, seed)).catch((error: unknown) => {
      if (!life.dead) this.#failed(current, error)
    })
  }

  /** The process dies in the middle of whatever it does; with `lost`, so does the power. */
  crash(): void {
    const current = this.#current
    if (current === null) return
    const { crashes } = this.#world.options
    const power = crashes[current.life.number]?.power ?? 'kept'
    this.#world.trace(`life ${current.life.number} crashes at call ${current.life.calls}, power ${power}`)
    this.#over(current, 'crashed')
    const { random } = this.#world
    this.#world.disk.crash(power === 'lost' ? () => random.float() : 'process_only')
    this.#world.network.died(current.life)
    this.#restartLater()
  }

  /** In order; resolves when it is down, by itself or by a crash on the way. */
  async stop(): Promise<void> {
    const [current, core] = [this.#current, this.core]
    if (current === null || core === null || this.#stopping) return
    this.#stopping = true
    this.#world.trace(`life ${current.life.number} is told to stop`)
    const recorded = await core.stop(new AbortController().signal, () => core.desk.idle())
    if (current.life.dead) return
    this.#stopping = false
    this.#world.trace(`life ${current.life.number} stopped, ${recorded ? 'all' : 'not all'} on record`)
    this.core = null
    this.#over(current, recorded ? 'stopped' : 'crashed')
    this.#checkNothingHeld(current.life, core, recorded)
    // Its process ends, and with it whatever the disk has not answered.
    current.life.dead = true
    this.#world.disk.crash('process_only')
    this.#world.network.died(current.life)
  }

  /** Stops within its time, or says so. */
  async stopInTime(): Promise<void> {
    const stopped = this.stop()
    let done = false
    void stopped.then(() => (done = true))
    const { schedule } = this.#world
    const intime = await schedule.run(schedule.nowMs + stopMsMax, () => done)
    if (!intime) this.#world.violated(`the node did not stop within ${stopMsMax} ms`)
  }

  /** When nothing is under way: what the node holds in memory is what its log says. */
  checkFolds(): void {
    const { core } = this
    if (core === null) return
    const problems: string[] = []
    // Half a line may be on the medium while a commit is under way; whether the log is whole is asked at the end.
    const log = readLog(this.#world.disk, folder, [])
    const states = initialStates()
    for (const stream of streams) {
      for (const { json, hash } of log[stream]) foldInto(states, stream, { event: json as WaybillEvent, leafHash: hash })
    }
    for (const name of foldNames) {
      if (!isDeepStrictEqual(core.live[name], states[name])) problems.push(`the live ${name} is not what a replay gives`)
    }
    for (const problem of problems) this.#world.violated(problem)
  }

  async #run(current: LifeEvidence, ports: NodePorts): Promise<void> {
    const core = await startCore(ports, this.#settings, this.#logger(current.life))
    current.run = core.log.writer.run
    await core.proxy.start()
    if (current.life.dead) return
    this.core = core
    this.#world.trace(`life ${current.life.number} runs`)
  }

  #failed(current: Current, error: unknown): void {
    const expected = error instanceof Fault && !(error instanceof LogDamaged) && !current.bornSafe
    this.#world.trace(`life ${current.life.number} could not start: ${String(error)}`)
    if (!expected) this.#world.violated(`the node does not start: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    this.#over(current, 'start_failed')
    this.#checkNothingHeld(current.life, null, false)
    current.life.dead = true
    this.#world.disk.crash('process_only')
    this.#world.network.died(current.life)
    this.#restartLater()
  }

  #over(current: LifeEvidence, ending: LifeEvidence['ending']): void {
    if (ending === 'crashed') current.life.dead = true
    current.ending = ending
    this.#current = null
    this.core = null
    this.#stopping = false
  }

  #restartLater(): void {
    this.#world.schedule.after(this.#world.random.float() * restartMsMax, () => {
      if (this.#current === null && !this.#world.over) this.start()
    })
  }

  #checkNothingHeld(life: Life, core: CoreNode | null, recorded: boolean): void {
    const { busy, held: { files, locks } } = this.#world.disk
    // A stop waits for a slow disk only so long: what that has not answered may still hold a file.
    const isAnswered = busy === 0 && (recorded || core === null)
    const { listeners, sockets } = this.#world.network.held(life)
    const left = { leases: core?.proxy.leases ?? 0, listeners, sockets, timers: life.timers, ...(isAnswered ? { files, locks } : {}) }
    for (const [what, count] of Object.entries(left)) {
      if (count !== 0) this.#world.violated(`${count} ${what} are left when the node has ended`)
    }
  }

  #ports(life: Life, seed: number): NodePorts {
    const { disk, network, schedule, wall } = this.#world
    return {
      clock: new LifeClock(life, schedule, wall, new SeededRandom(seed, `timers ${life.number}`)),
      disk: disk.attach(),
      machine: { descriptorsMax: 100_000, hostname: 'node-1', pid: 1, versions: { node: '0', openssl: '0', waybill: '0' } },
      network: network.attach(life),
      random: new SeededRandom(seed, `node ${life.number}`),
    }
  }

  #logger(life: Life): Logger {
    const say = (level: string) => (sentence: string, fields?: object): void => {
      if (life.dead) return
      this.#world.trace(`${level}: ${sentence}${fields === undefined ? '' : ` ${JSON.stringify(fields)}`}`)
      if (sentence.includes('what it should not')) this.#world.violated(`${sentence} ${JSON.stringify(fields)}`)
    }
    return { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') }
  }
}

/** One line for all that is on the medium. */
export function digestOf(world: World): string {
  const digest = createHash('sha256')
  for (const stream of streams) for (const [name, bytes] of world.disk.durable(`${folder}/${stream}`)) digest.update(name).update(bytes)
  return digest.digest('hex')
}
