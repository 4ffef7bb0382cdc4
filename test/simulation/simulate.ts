import { greeting } from '../support/peers.ts'
import { createHash } from 'node:crypto'
import { check } from './check.ts'
import type { CommandEvidence, Evidence } from './evidence.ts'
import { nodeIp } from './network.ts'
import { digestOf } from './node-runner.ts'
import { createLastPool, operations, operator, operationWeights, poolNames, requestOf, type Asked, type Command, type Operation } from './operations.ts'
import { drawOptions, sharedListen, type Options } from './options.ts'
import type { ClientPeer } from './peers.ts'
import { SeededRandom } from './seeded-random.ts'
import { World } from './world.ts'

/** Runs one seed: a safety phase with everything that can go wrong, then a liveness phase in which all must come right. */

export interface Simulated {
  readonly options: Options
  /** What does not hold; empty when all is well. */
  readonly violations: readonly string[]
  /** Equal for equal seeds, in every process. */
  readonly traceHash: string
  readonly trace: readonly string[]
  readonly evidence: Evidence
  /** Virtual milliseconds. */
  readonly elapsedMs: number
}

/** Nothing that has to happen takes longer. */
const patienceMs = 60_000
/** Longer than the pause between two tries to bind a listener, and than every other retry. */
const retriesMs = 6_000
/** Two checks bring a backend up. */
const healthMs = 5_000
const lastClients = 3
const retriesMax = 3
const retryMsMax = 1_000
const lastPool = 'last'

/** `change`: what a test wants to be otherwise than drawn. */
export async function simulate(seed: number, change: Partial<Options> = {}): Promise<Simulated> {
  const options = { ...drawOptions(seed), ...change }
  const world = new World(options)
  const crashed = (error: unknown): void => world.violated(`our own bug: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  process.on('unhandledRejection', crashed)
  try {
    await safetyPhase(world)
    await livenessPhase(world)
  } catch (error) {
    crashed(error)
  } finally {
    world.over = true
    process.off('unhandledRejection', crashed)
  }
  const evidence = world.evidence()
  world.violations.push(...check(evidence))
  const traceHash = createHash('sha256').update(world.lines.join('\n')).update(digestOf(world)).digest('hex')
  return { options, violations: world.violations, traceHash, trace: world.lines, evidence, elapsedMs: world.schedule.nowMs }
}

async function safetyPhase(world: World): Promise<void> {
  const { options, schedule } = world
  const random = new SeededRandom(options.seed, 'plan')
  world.node.start()
  planCommands(world, random)
  planClients(world, random)
  planEndings(world, random)
  for (let step = 0; step < options.clockSteps; step += 1) {
    const ms = random.pick([-3_600_000, -1_500, 900, 3_600_000])
    schedule.after(random.float() * options.safetyMs, () => {
      world.trace(`the wall clock steps by ${ms} ms`)
      world.wall.step(ms)
    })
  }
  for (let restart = 0; restart < options.orderlyRestarts; restart += 1) {
    schedule.after(random.float() * options.safetyMs, () => {
      void world.node.stop().then(() => {
        if (world.node.life === null && !world.over) world.node.start()
      })
    })
  }
  await schedule.run(options.safetyMs)
}

async function livenessPhase(world: World): Promise<void> {
  const { node, schedule } = world
  world.trace('from here on nothing goes wrong')
  world.safe = true
  world.troubles.end()
  if (node.life !== null) node.life.crashAtCall = Number.POSITIVE_INFINITY
  await schedule.run(schedule.nowMs + patienceMs, () => node.core !== null)
  await schedule.run(schedule.nowMs + retriesMs)
  if (node.core === null) {
    world.violated('the node does not run although nothing is wrong any more')
    return
  }
  const available = node.core.log.availability()
  if (!available.available) world.violated(`the log is still unavailable: ${JSON.stringify(available)}`)
  const created = await lastCommand(world)
  if (created) await serveLastClients(world)
  const { core } = node
  const quiet = await schedule.run(schedule.nowMs + patienceMs, () => core.live.openConnections.size === 0 && core.proxy.leases === 0)
  if (!quiet) world.violated(`${core.live.openConnections.size} connections are still open when every timeout has passed`)
  await schedule.run(schedule.nowMs + patienceMs, () => world.disk.busy === 0)
  node.checkFolds()
  await node.stopInTime()
  if (node.lives.at(-1)?.ending !== 'stopped') world.violated('the last stop was not in order')
}

async function lastCommand(world: World): Promise<boolean> {
  const asked = ask(world, 'createPool', { key: 'last', ticket: 'last' }, createLastPool(lastPool))
  const { schedule } = world
  await schedule.run(schedule.nowMs + patienceMs, () => asked === null || asked.answer !== null)
  if (asked?.answer?.kind === 'effective') return true
  world.violated(`a pool can't be created although nothing is wrong: ${JSON.stringify(asked?.answer)}`)
  return false
}

async function serveLastClients(world: World): Promise<void> {
  const { schedule } = world
  await schedule.run(schedule.nowMs + healthMs)
  const clients: ClientPeer[] = []
  for (let count = 0; count < lastClients; count += 1) {
    const client = world.client(sharedListen, `${lastPool}.example`, 'patient')
    if (client === null) world.violated('nobody listens although nothing is wrong')
    else clients.push(client)
  }
  await schedule.run(schedule.nowMs + patienceMs, () => clients.every((client) => client.over))
  for (const client of clients) {
    const answered = client.got - greeting.length
    if (answered !== client.sentBytes || client.gotReset) world.violated(`client ${client.number} sent ${client.sentBytes} bytes and got ${answered} back`)
  }
}

function planClients(world: World, random: SeededRandom): void {
  const { burst, clients, safetyMs } = world.options
  for (let come = 0; come < clients;) {
    const size = Math.min(burst, clients - come)
    come += size
    world.schedule.after(random.float() * safetyMs, () => {
      for (let one = 0; one < size; one += 1) comes(world, random, retriesMax)
    })
  }
}

/** Where nobody listens it tries again later, a few times. */
function comes(world: World, random: SeededRandom, retries: number): void {
  const to = random.chance(0.85) ? sharedListen : { ip: nodeIp, port: random.pick([9443, 9444]) }
  const client = world.client(to, `${random.pick(poolNames)}.example`, random.pick(world.options.clientMoods))
  if (client === null && retries > 0 && !world.safe) world.schedule.after(random.float() * retryMsMax, () => comes(world, random, retries - 1))
}

function planCommands(world: World, random: SeededRandom): void {
  const { commands, safetyMs } = world.options
  for (let number = 0; number < commands; number += 1) {
    // Most come early, so that clients find something.
    const atMs = number === 0 ? 0 : random.float() * (random.chance(0.6) ? Math.min(1_000, safetyMs) : safetyMs)
    const operation: Operation = number < 2 ? 'createPool' : random.weighted(operationWeights)
    world.schedule.after(atMs, () => command(world, random, operation, { key: `key-${number}`, ticket: `command-${number}` }))
  }
}

function planEndings(world: World, random: SeededRandom): void {
  const { endings, safetyMs } = world.options
  for (let ending = 0; ending < endings; ending += 1) {
    world.schedule.after(random.float() * safetyMs, () => {
      const { core, life } = world.node
      const open = core === null ? [] : [...core.proxy.openConnections(null)]
      if (core === null || life === null || open.length === 0) return
      const connectionId = random.pick(open).opened.connection_id
      world.trace(`the operator ends ${connectionId}`)
      if (core.proxy.endConnection(connectionId, operator)) world.ended.push({ connectionId, life })
    })
  }
}

/** Waits until there is a node to ask. */
function command(world: World, random: SeededRandom, operation: Operation, asked: Asked): void {
  const { node, safe, schedule } = world
  if (safe) return
  if (node.core === null) {
    schedule.after(random.float() * retryMsMax, () => command(world, random, operation, asked))
    return
  }
  const drawn = operations[operation](random, node.core.live.routing)
  void ask(world, operation, asked, drawn)
  if (!random.chance(0.25)) return
  // The same request once more, as from somebody who did not hear the answer.
  const again = { ...asked, ticket: `${asked.ticket}-again` }
  schedule.after(random.float() * random.pick([10, 6_000]), () => void ask(world, operation, again, drawn))
}

function ask(world: World, operation: string, asked: Asked, drawn: Command): CommandEvidence | null {
  const { node, schedule } = world
  const { core, life } = node
  if (core === null || life === null) return null
  const evidence: CommandEvidence = { ...asked, answer: null, answeredMs: Number.POSITIVE_INFINITY, life, operation }
  world.commands.push(evidence)
  world.trace(`${operation} ${asked.ticket}`)
  void drawn(requestOf(asked))(core.desk).then((answer) => {
    if (life.dead) return
    evidence.answer = answer
    evidence.answeredMs = schedule.nowMs
    world.trace(`${operation} ${asked.ticket}: ${answer.kind}${answer.kind === 'refused' ? ` ${answer.refusal.code}` : ''}`)
  })
  return evidence
}
