import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { OwnBroker } from '../../support/kafka/own-broker.ts'
import { SeededRandom } from '../../simulation/seeded-random.ts'
import { allRoute, startRestartableBroker, TestCluster, type TestNode } from './cluster.ts'
import { Load, loadBackend, type LoadBackend } from './load.ts'

/**
 * Node and broker killed, paused and started again, in an order and for times that a seed gives, under load and while
 * changes are made on all nodes. The seed fixes what is done, not when what comes of it: a fault may need several runs.
 */

export interface ChaosOptions {
  readonly seed: number
  readonly seconds: number
  readonly rate: number
  /** Told what is done, as it is done. */
  readonly tell: (what: string) => void
}

export interface ChaosOutcome {
  readonly exitCodes: readonly (number | null)[]
  readonly passed: boolean
  readonly report: string
}

interface Stage {
  readonly broker: OwnBroker
  readonly load: Load
  readonly node: TestNode
  /** From 0 to this many milliseconds. */
  readonly some: (msMax: number) => Promise<void>
}

const pauseBetweenMs = 4_000
const changeEveryMs = 100
const troubles: Readonly<Record<string, (stage: Stage) => Promise<void>>> = {
  'kill the node': async ({ node, some }) => {
    await node.kill()
    await some(3_000)
    await node.start()
  },
  'pause the node': async ({ node, some }) => {
    process.kill(node.pid, 'SIGSTOP')
    await some(6_000)
    process.kill(node.pid, 'SIGCONT')
  },
  'restart the node': async ({ node }) => {
    await node.stop()
    await node.start()
  },
  'kill the broker': async ({ broker, load, some }) => {
    await broker.kill()
    await some(3_000)
    await broker.start()
    await load.nextServed()
  },
  'kill the broker and the node': async ({ broker, load, node }) => {
    await Promise.all([broker.kill(), node.kill()])
    await broker.start()
    await node.start()
    await load.nextServed()
  },
  // Longer than a request may take, and sometimes than a producer may hang.
  'pause the broker': async ({ broker, load, some }) => {
    broker.pause()
    await some(25_000)
    broker.resume()
    await load.nextServed()
  },
}

export async function runChaos(options: ChaosOptions): Promise<ChaosOutcome> {
  await using broker = await startRestartableBroker()
  await using cluster = new TestCluster(broker.brokers)
  await using backend = await loadBackend()
  const nodes = await cluster.nodes('n1', 'n2', 'n3')
  await nodes[0]!.call('POST', '/api/pools', { backends: [{ url: `https://127.0.0.1:${backend.port}` }], name: 'app' })
  await allRoute(nodes)
  const ledger = join(cluster.folder.path, 'ledger')
  await troubleAll(options, { backend, broker, ledger, nodes })
  const exitCodes = await cluster.stopAll()
  return { exitCodes, ...(await cluster.check('--ledger', ledger, '--stored-first')) }
}

interface Parts {
  readonly backend: LoadBackend
  readonly broker: OwnBroker
  readonly ledger: string
  readonly nodes: readonly TestNode[]
}

async function troubleAll({ rate, seconds, seed, tell }: ChaosOptions, { backend, broker, ledger, nodes }: Parts): Promise<void> {
  const random = new SeededRandom(seed, 'troubles')
  const some = (msMax: number): Promise<void> => wait(random.integer(0, msMax))
  await using load = await Load.start({ ledger, rate, targets: () => nodes.map(({ port }) => port) }, backend)
  const ended = new AbortController()
  const changing = change(nodes, ended.signal)
  const untilMs = performance.now() + seconds * 1_000
  while (performance.now() < untilMs) {
    await some(pauseBetweenMs)
    const [what, trouble] = random.pick(Object.entries(troubles))
    const node = random.pick(nodes)
    const before = { ...load.counts }
    const startedMs = performance.now()
    await trouble({ broker, load, node, some })
    const [served, unserved] = [load.counts.served - before.served, load.counts.unserved - before.unserved]
    tell(`${what} (${node.name}): ${Math.round(performance.now() - startedMs)} ms, served ${served}, unserved ${unserved}`)
  }
  ended.abort()
  tell(`${await changing} changes`)
}

/** Makes changes on all nodes in turn; answers how many were made. Whoever is away or says no makes none. */
async function change(nodes: readonly TestNode[], signal: AbortSignal): Promise<number> {
  let made = 0
  for (let index = 0; !signal.aborted; index++) {
    const node = nodes[index % nodes.length]!
    const body = { owner: `change ${index}` }
    const answer = node.runs ? await node.call('PATCH', '/api/pools/app', body).catch(() => null) : null
    if (answer?.status === 200) made += 1
    await wait(changeEveryMs)
  }
  return made
}
