import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { OwnBroker } from '../../support/kafka/own-broker.ts'
import { allRoute, startRestartableBroker, TestCluster, until, type TestNode } from './cluster.ts'
import { Load, loadBackend, type LoadBackend, type LoadCounts } from './load.ts'

/**
 * Three nodes on one broker under load, of which a node and then the broker are killed and started again. Afterwards a
 * checker that knows nothing of our code reads what Kafka has, beside what clients and backends say they got.
 */

export interface KillOptions {
  /** Connections begun in a second, over all nodes. */
  readonly rate: number
  /** Under load with everything up; what the starts take comes on top. */
  readonly seconds: number
  /** How many changes are timed before the load. */
  readonly changes: number
}

export interface Phase extends Readonly<LoadCounts> {
  readonly name: string
  readonly ms: number
}

export interface KillOutcome {
  /** From the answer of the first node to "routed so" on the third, ms, ascending. */
  readonly changesMs: readonly number[]
  readonly phases: readonly Phase[]
  readonly nodeStartMs: number
  readonly brokerStartMs: number
  /** From the broker's first accepted connection to the first byte that a client which began later got. */
  readonly recoveryMs: number
  readonly exitCodes: readonly (number | null)[]
  /** What the checker says. */
  readonly passed: boolean
  readonly report: string
}

export async function runKills(options: KillOptions): Promise<KillOutcome> {
  await using broker = await startRestartableBroker()
  await using cluster = new TestCluster(broker.brokers)
  await using backend = await loadBackend()
  const [first, second, third] = (await cluster.nodes('n1', 'n2', 'n3')) as [TestNode, TestNode, TestNode]
  await first.call('POST', '/api/pools', { backends: [{ url: `https://127.0.0.1:${backend.port}` }], name: 'app' })
  await allRoute([second, third])
  const changesMs = await timeChanges(first, third, options.changes)
  const ledger = join(cluster.folder.path, 'ledger')
  const told = await killUnderLoad(options, { backend, broker, ledger, nodes: [first, second, third], victim: second })
  const exitCodes = await cluster.stopAll()
  return { ...told, ...(await cluster.check('--ledger', ledger, '--stored-first')), changesMs, exitCodes }
}

interface Stage {
  readonly backend: LoadBackend
  readonly broker: OwnBroker
  readonly ledger: string
  readonly nodes: readonly TestNode[]
  readonly victim: TestNode
}

type Told = Pick<KillOutcome, 'brokerStartMs' | 'nodeStartMs' | 'phases' | 'recoveryMs'>

async function killUnderLoad({ rate, seconds }: KillOptions, { backend, broker, ledger, nodes, victim }: Stage): Promise<Told> {
  const phaseMs = (seconds * 1_000) / 3
  await using load = await Load.start({ ledger, rate, targets: () => nodes.map(({ port }) => port) }, backend)
  const phases = new Phases(load)
  await wait(phaseMs)
  phases.end('all up')
  await victim.kill()
  const nodeStartMs = await timed(() => victim.start())
  phases.end('a node down')
  await wait(phaseMs)
  phases.end('all up')
  await broker.kill()
  const brokerStartMs = await timed(() => broker.start())
  const recoveryMs = await timed(() => load.nextServed())
  phases.end('broker down')
  await wait(phaseMs)
  phases.end('all up')
  return { brokerStartMs, nodeStartMs, phases: phases.all, recoveryMs }
}

/** What became of the load from one moment to the next. */
class Phases {
  readonly all: Phase[] = []
  readonly #load: Load
  #before: LoadCounts
  #sinceMs = performance.now()

  constructor(load: Load) {
    this.#load = load
    this.#before = { ...load.counts }
  }

  end(name: string): void {
    const [now, before, nowMs] = [{ ...this.#load.counts }, this.#before, performance.now()]
    this.all.push({
      name,
      begun: now.begun - before.begun,
      ms: nowMs - this.#sinceMs,
      served: now.served - before.served,
      skipped: now.skipped - before.skipped,
      unserved: now.unserved - before.unserved,
    })
    this.#before = now
    this.#sinceMs = nowMs
  }
}

/** Makes changes on one node, one after the other, and waits for each until the other one has it. */
async function timeChanges(on: TestNode, seenOn: TestNode, count: number): Promise<number[]> {
  const all: number[] = []
  for (let change = 1; change <= count; change++) {
    const owner = `change ${change}`
    const { status } = await on.call('PATCH', '/api/pools/app', { owner })
    if (status !== 200) throw new Error(`a change was answered with ${status}`)
    all.push(await timed(() => until(owner, () => seenOn.call('GET', '/api/pools/app'), ({ body }) => body.owner === owner)))
  }
  return all.toSorted((one, other) => one - other)
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return performance.now() - startedMs
}

/** For people. */
export function describeKills({ brokerStartMs, changesMs, exitCodes, nodeStartMs, phases, recoveryMs, report }: KillOutcome): string {
  const at = (share: number): string => (changesMs[Math.min(changesMs.length - 1, Math.floor(changesMs.length * share))] ?? NaN).toFixed(1)
  return [
    `changes: ${changesMs.length}, routed on another node after p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`,
    ...phases.map(phaseText),
    `node ready again after ${Math.round(nodeStartMs)} ms`,
    `broker listens after ${Math.round(brokerStartMs)} ms, clients served ${Math.round(recoveryMs)} ms later`,
    `exit codes ${exitCodes.join(' ')}`,
    report,
  ].join('\n')
}

function phaseText({ begun, ms, name, served, skipped, unserved }: Phase): string {
  const seconds = (ms / 1_000).toFixed(1)
  return `${name}: ${seconds} s, begun ${perSecond(begun, ms)}/s, served ${perSecond(served, ms)}/s, unserved ${unserved}, skipped ${skipped}`
}

function perSecond(count: number, ms: number): number {
  return Math.round((count * 1_000) / ms)
}
