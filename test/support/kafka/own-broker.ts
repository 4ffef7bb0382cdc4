import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { closeSync, fstatSync, openSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { guard } from './guard.ts'
import { kafkaJars } from './jars.ts'
import { freePort, isServing } from './ports.ts'

/** Real brokers in KRaft mode, one process each, that a test may stop, kill, pause and start again. */

export interface BrokerOptions {
  /** More lines of server.properties; they win over the ones here. */
  readonly properties?: Readonly<Record<string, string>>
  /** Where clients are told to connect, when that is not the broker itself: the address of a proxy. */
  readonly advertised?: string
  /** More listeners, for clients that log in or speak TLS; the plain one stays, for the brokers themselves. */
  readonly listeners?: readonly ExtraListener[]
  /** More that `StorageTool format` is told, such as users. */
  readonly format?: readonly string[]
  /** Where the logs lie; default: a folder of its own. */
  readonly dataFolder?: string
}

export interface ExtraListener {
  readonly protocol: 'SASL_PLAINTEXT' | 'SASL_SSL' | 'SSL'
  readonly port: number
  /** Where its clients are told to connect; default: the listener itself. */
  readonly advertised?: string
}

export interface OwnBroker extends AsyncDisposable {
  /** For clients. */
  readonly brokers: string[]
  /** `host:port` of the listener itself. */
  readonly address: string
  readonly dataFolder: string
  readonly pid: number
  /** SIGTERM, or SIGKILL after a while; resolves at its end. */
  stop(): Promise<void>
  /** SIGKILL. */
  kill(): Promise<void>
  /** Again, on the same port and data; resolves when it serves. */
  start(): Promise<void>
  /** SIGSTOP. */
  pause(): void
  /** SIGCONT. */
  resume(): void
  /** The end of what it has printed. */
  output(): Promise<string>
}

/** A broker that was killed may register again only when its last life has timed out, after 9 s by default. */
export const restartsSoon = { 'broker.heartbeat.interval.ms': '500', 'broker.session.timeout.ms': '2000' } as const
const logging = '-Dorg.slf4j.simpleLogger'
const javaOptions = [
  '-Xmx400m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', `${logging}.defaultLogLevel=warn`, `${logging}.log.kafka.server.KafkaRaftServer=info`,
]
/** Said when every listener is open; one that is open early may belong to a broker that is about to give up. */
const startedText = 'Kafka Server started'
const startTimeoutMs = 60_000
const stopTimeoutMs = 15_000
const lookMs = 50
const clusterId = 'AAAAAAAAAAAAAAAAAAAAAQ'
const outputEnd = 4_000
/** Between finding a port free and taking it, somebody else may. */
const triesMax = 3

export function startBroker(options: BrokerOptions = {}): Promise<OwnBroker> {
  return withOtherPorts(async () => {
    const [port, controllerPort] = [await freePort(), await freePort()]
    await using starting = new AsyncDisposableStack()
    const broker = starting.use(new Broker(await folders(options), 1, port, options))
    await broker.format(['--standalone', ...(options.format ?? [])], {
      ...common(1, port, controllerPort, options),
      'controller.quorum.bootstrap.servers': `127.0.0.1:${controllerPort}`,
    })
    await broker.start()
    starting.move()
    return broker
  })
}

export interface OwnCluster extends AsyncDisposable {
  readonly brokers: string[]
  readonly nodes: readonly OwnBroker[]
}

/** Brokers that are all controllers as well, with everything on as many replicas as there are, at most three. */
export function startCluster(count: number, options: BrokerOptions = {}): Promise<OwnCluster> {
  return withOtherPorts(async () => {
    const ports = await Promise.all(Array.from({ length: count }, freePort))
    const controllers = await Promise.all(Array.from({ length: count }, freePort))
    const replicas = String(Math.min(3, count))
    const directories = ports.map((_, index) => `${'A'.repeat(20)}${index}g`)
    const initial = controllers.map((port, index) => `${index + 1}@127.0.0.1:${port}:${directories[index]}`).join(',')
    await using starting = new AsyncDisposableStack()
    const nodes = await Promise.all(ports.map(async (port, index) => {
      const broker = starting.use(new Broker(await folders(options), index + 1, port, options))
      await broker.format(['--initial-controllers', initial], {
        ...common(index + 1, port, controllers[index]!, options),
        'controller.quorum.bootstrap.servers': controllers.map((each) => `127.0.0.1:${each}`).join(','),
        'default.replication.factor': replicas,
        'offsets.topic.replication.factor': replicas,
      })
      return broker
    }))
    await Promise.all(nodes.map((node) => node.start()))
    const started = starting.move()
    return { brokers: nodes.map(({ address }) => address), nodes, [Symbol.asyncDispose]: () => started.disposeAsync() }
  })
}

async function withOtherPorts<Started>(start: () => Promise<Started>): Promise<Started> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await start()
    } catch (error) {
      if (tries === triesMax || !(error instanceof Error && error.message.includes('Address already in use'))) throw error
    }
  }
}

interface Folders {
  readonly folder: string
  readonly dataFolder: string
}

class Broker implements OwnBroker {
  readonly brokers: string[]
  readonly address: string
  readonly dataFolder: string
  readonly #folder: string
  readonly #port: number
  readonly #id: number
  #child: ChildProcess | null = null

  constructor({ dataFolder, folder }: Folders, id: number, port: number, options: BrokerOptions) {
    this.#folder = folder
    this.#id = id
    this.#port = port
    this.dataFolder = dataFolder
    this.address = `127.0.0.1:${port}`
    this.brokers = [options.advertised ?? this.address]
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  async format(how: readonly string[], properties: Readonly<Record<string, string>>): Promise<void> {
    const lines = Object.entries({ ...properties, 'log.dirs': this.dataFolder }).map(([name, value]) => `${name}=${value}`)
    await writeFile(this.#propertiesFile, `${lines.join('\n')}\n`)
    const jars = await kafkaJars()
    await promisify(execFile)('java', [
      '-Xmx200m', '-XX:TieredStopAtLevel=1', '-cp', `${jars}/*`, 'kafka.tools.StorageTool', 'format', ...how, '-t', clusterId, '-c', this.#propertiesFile,
    ])
  }

  async start(): Promise<void> {
    const jars = await kafkaJars()
    // What earlier lives said stands before it.
    const output = openSync(this.#outputFile, 'a')
    const { size } = fstatSync(output)
    const child = spawn('java', [...javaOptions, '-cp', `${jars}/*`, 'kafka.Kafka', this.#propertiesFile], { stdio: ['ignore', output, output] })
    closeSync(output)
    if (child.pid === undefined) throw new Error('java is not there')
    this.#child = child
    const watched = guard(child.pid, this.#folder)
    child.once('exit', () => watched[Symbol.dispose]())
    const untilMs = Date.now() + startTimeoutMs
    while (!(await this.#said(size)).includes(startedText) || !(await isServing(this.#port, this.#id))) {
      if (child.exitCode !== null || child.signalCode !== null || Date.now() > untilMs) {
        throw new Error(`broker ${this.#id} did not start:\n${await this.output()}`)
      }
      await wait(lookMs)
    }
  }

  async stop(): Promise<void> {
    this.#child?.kill('SIGCONT')
    await this.#end('SIGTERM')
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  pause(): void {
    this.#child?.kill('SIGSTOP')
  }
  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  async output(): Promise<string> {
    return (await this.#said(0)).slice(-outputEnd)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    await rm(this.#folder, { force: true, recursive: true })
  }

  get #propertiesFile(): string {
    return join(this.#folder, 'server.properties')
  }
  get #outputFile(): string {
    return join(this.#folder, 'output.log')
  }

  async #said(from: number): Promise<string> {
    const all = await readFile(this.#outputFile).catch(() => Buffer.alloc(0))
    return all.toString('utf8', from)
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    this.#child = null
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    const impatient = new AbortController()
    void wait(stopTimeoutMs, undefined, { signal: impatient.signal }).then(() => child.kill('SIGKILL'), () => {})
    await ended
    impatient.abort()
  }
}

function common(id: number, port: number, controllerPort: number, { advertised, listeners = [], properties }: BrokerOptions): Record<string, string> {
  const more = listeners.map((each) => `,${each.protocol}://127.0.0.1:${each.port}`).join('')
  const moreAdvertised = listeners.map((each) => `,${each.protocol}://${each.advertised ?? `127.0.0.1:${each.port}`}`).join('')
  return {
    'advertised.listeners': `PLAINTEXT://${advertised ?? `127.0.0.1:${port}`},CONTROLLER://127.0.0.1:${controllerPort}${moreAdvertised}`,
    'auto.create.topics.enable': 'false',
    'controller.listener.names': 'CONTROLLER',
    'group.initial.rebalance.delay.ms': '0',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL',
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}${more}`,
    'node.id': String(id),
    'offsets.topic.num.partitions': '1',
    'offsets.topic.replication.factor': '1',
    'process.roles': 'broker,controller',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '1',
    'transaction.state.log.replication.factor': '1',
    ...properties,
  }
}

async function folders({ dataFolder }: BrokerOptions): Promise<Folders> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-kafka-'))
  return { dataFolder: dataFolder ?? join(folder, 'data'), folder }
}
