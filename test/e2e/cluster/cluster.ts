import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, mkdirSync, readFileSync, type WriteStream } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { reasonAgainstJars } from '../../support/kafka/jars.ts'
import { restartsSoon, startBroker, type OwnBroker } from '../../support/kafka/own-broker.ts'
import { freePort } from '../../support/kafka/ports.ts'
import { runWaybill, startWaybill, TemporaryFolder, type RawRecord, type RunningWaybill } from '../../support/waybill.ts'

/** Several nodes as processes of their own on one Kafka, which may be killed and started again, and what Kafka then has. */

const run = promisify(execFile)
const streams = ['control', 'connections', 'operations'] as const
export type TopicStream = (typeof streams)[number]
/** Lengths before bytes, so that no byte of a record can mislead whoever reads it. */
const dumpFormat = '%t %p %o %T %K %S\\n%k%s\\n'
const lookMs = 5
const patienceMs = 25_000

/** Why what Kafka has can't be checked here; null: it can. Under CI it is an error instead, so that no run passes without. */
export async function reasonAgainstCheck(): Promise<string | null> {
  return unlessUnderCi((await reasonAgainstTool('kcat', '-V')) ?? (await reasonAgainstTool('python3', '--version')))
}

/** The same of a broker of a test's own. */
export async function reasonAgainstBroker(): Promise<string | null> {
  return unlessUnderCi(await reasonAgainstJars())
}

function unlessUnderCi(because: string | null): string | null {
  if (because !== null && process.env['CI'] === 'true') throw new Error(`these tests are not skipped under CI: ${because}`)
  return because
}

async function reasonAgainstTool(tool: string, question: string): Promise<string | null> {
  return run(tool, [question]).then(() => null, () => `there is no ${tool}`)
}

export interface SourcedRecord extends RawRecord {
  readonly source: string
}

export interface Answer {
  readonly status: number
  readonly etag: string | null
  // A test looks into answers of every kind.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any
}

export function startRestartableBroker(): Promise<OwnBroker> {
  return startBroker({ properties: restartsSoon })
}

export class TestCluster implements AsyncDisposable {
  readonly folder = new TemporaryFolder()
  readonly #brokers: readonly string[]
  readonly #prefix: string
  readonly #nodes: TestNode[] = []

  constructor(brokers: readonly string[], prefix = 'waybill') {
    this.#brokers = brokers
    this.#prefix = prefix
  }

  /** A node of that name, not started. `folder`: what its data folder is called, if not as the node. */
  async node(name: string, folder = name): Promise<TestNode> {
    const data = join(this.folder.path, folder)
    mkdirSync(data, { recursive: true })
    const node = new TestNode(name, data, await freePort(), ['--kafka', this.#brokers.join(','), '--topic-prefix', this.#prefix])
    this.#nodes.push(node)
    return node
  }

  /** Nodes of these names, all started. */
  async nodes(...names: string[]): Promise<TestNode[]> {
    const nodes: TestNode[] = []
    for (const name of names) nodes.push(await this.node(name))
    await Promise.all(nodes.map((node) => node.start()))
    return nodes
  }

  /** SIGTERM to all that run; their exit codes. */
  async stopAll(): Promise<(number | null)[]> {
    return Promise.all(this.#nodes.filter(({ runs }) => runs).map((node) => node.stop()))
  }

  /** Everything that is in the topics, read by kcat into one file each. */
  async dump(): Promise<string[]> {
    return Promise.all(streams.map(async (stream) => {
      const path = join(this.folder.path, `${stream}.dump`)
      await this.#read(stream, dumpFormat, createWriteStream(path))
      return path
    }))
  }

  /** The records of a stream in the order of its topic, each once. */
  async records(stream: TopicStream): Promise<SourcedRecord[]> {
    const path = join(this.folder.path, `${stream}.lines`)
    await this.#read(stream, '%s\\n', createWriteStream(path))
    const records = new Map<string, SourcedRecord>()
    for (const line of readFileSync(path, 'utf8').split('\n')) {
      const record = line === '' ? null : (JSON.parse(line) as SourcedRecord)
      if (record !== null) records.set(`${record.source} ${record.sequence}`, record)
    }
    return [...records.values()]
  }

  /** Puts a message into a topic, from outside. */
  async produce(stream: TopicStream, key: string, value: string): Promise<void> {
    const args = ['-P', '-b', this.#brokers.join(','), '-t', `${this.#prefix}.${stream}`, '-p', '0', '-k', key]
    const kcat = spawn('kcat', args, { stdio: ['pipe', 'ignore', 'inherit'] })
    kcat.stdin.end(value)
    const [code] = (await once(kcat, 'exit')) as [number | null]
    if (code !== 0) throw new Error(`kcat ended with ${code} writing to ${stream}`)
  }

  /** What the independent checker says about everything in the topics. */
  async check(...options: string[]): Promise<{ readonly passed: boolean; readonly report: string }> {
    const script = join(import.meta.dirname, 'check-records.py')
    const checking = spawn('python3', [script, ...options, ...(await this.dump())], { stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = once(checking, 'exit')
    const report = await text(checking.stdout)
    const [code] = (await ended) as [number | null]
    return { passed: code === 0, report }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node[Symbol.asyncDispose]()))
    this.folder[Symbol.dispose]()
  }

  async #read(stream: TopicStream, format: string, into: WriteStream): Promise<void> {
    const args = ['-C', '-e', '-u', '-q', '-b', this.#brokers.join(','), '-t', `${this.#prefix}.${stream}`, '-f', format]
    const kcat = spawn('kcat', args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = once(kcat, 'exit')
    await pipeline(kcat.stdout, into)
    const [code] = (await ended) as [number | null]
    if (code !== 0) throw new Error(`kcat ended with ${code} reading ${stream}`)
  }
}

export class TestNode implements AsyncDisposable {
  readonly name: string
  readonly data: string
  /** Where its clients go, over all of its lives. */
  readonly port: number
  readonly #flags: readonly string[]
  #waybill: RunningWaybill | null = null

  constructor(name: string, data: string, port: number, flags: readonly string[]) {
    this.name = name
    this.data = data
    this.port = port
    this.#flags = flags
  }

  get runs(): boolean {
    return this.#waybill !== null
  }
  get pid(): number {
    return this.#running.pid
  }
  /** Lines of its own log in this life. */
  get lines(): readonly string[] {
    return this.#running.lines
  }

  /** Resolves when it is ready; rejects with what it said when it ends instead. */
  async start(...flags: string[]): Promise<void> {
    const own = ['--node', this.name, '--listen', `127.0.0.1:${this.port}`, '--ops', '127.0.0.1:0']
    this.#waybill = await startWaybill(this.data, [...this.#flags, ...own, ...flags])
  }

  async stop(): Promise<number | null> {
    const waybill = this.#running
    this.#waybill = null
    return waybill.stop()
  }

  async kill(): Promise<void> {
    const waybill = this.#running
    this.#waybill = null
    await waybill.kill()
  }

  /** Resolves with the exit code when it ends by itself. */
  async ended(): Promise<number | null> {
    const waybill = this.#running
    const code = await waybill.ended
    this.#waybill = null
    return code
  }

  async call(method: string, path: string, body?: object, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) }
    const answer = await fetch(`${this.#running.api}${path}`, { method, headers: { ...headers }, ...sent })
    const said = await answer.text()
    return { status: answer.status, etag: answer.headers.get('etag'), body: said === '' ? null : JSON.parse(said) }
  }

  /** What its port for probes says. */
  async ready(): Promise<Answer> {
    const said = this.lines.map((line) => JSON.parse(line) as { readonly message: string; readonly ops: string })
    const answer = await fetch(`http://${said.find(({ message }) => message === 'ready')!.ops}/health/ready`)
    return { status: answer.status, etag: null, body: await answer.json() }
  }

  verb(...args: string[]): ReturnType<typeof runWaybill> {
    return runWaybill([...args, '--api', this.#running.api])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#waybill !== null) await this.kill()
  }

  get #running(): RunningWaybill {
    if (this.#waybill === null) throw new Error(`node ${this.name} does not run`)
    return this.#waybill
  }
}

/** Asks until it is so, and answers what was then; a failure says what it was last. */
export async function until<Result>(
  what: string,
  ask: () => Promise<Result> | Result,
  isSo: (result: Result) => boolean,
  forMs = patienceMs,
): Promise<Result> {
  const lastMs = performance.now() + forMs
  for (;;) {
    const result = await ask()
    if (isSo(result)) return result
    if (performance.now() > lastMs) throw new Error(`${what}: still not so after ${forMs} ms, but ${JSON.stringify(result)}`)
    await wait(lookMs)
  }
}

/** Waits until all of them have the pool `app`. */
export async function allRoute(nodes: readonly TestNode[]): Promise<void> {
  for (const node of nodes) await until(`${node.name} routes`, () => node.call('GET', '/api/pools/app'), ({ status }) => status === 200)
}
