/**
 * Sends the same fresh hellos to nginx, HAProxy and Waybill and compares where each of them sends them with what the
 * clients were told to ask for. Whatever Waybill gets wrong is a fault; what the others get wrong is counted.
 */
import { SeededRandom } from '../simulation/seeded-random.ts'
import { TemporaryFolder } from '../support/waybill.ts'
import { Backends } from './backends.ts'
import { casesOf, damagesFor, type Case } from './cases.ts'
import { realClients } from './clients.ts'
import { placeReached } from './drive.ts'
import { drawRoutes, makeHello, type Place, type Routes } from './hellos.ts'
import { peers, startProxyOfOurs, type Peer } from './proxies.ts'
import { differencesOnRecord } from './records.ts'
import { detailOf, mismatchText, summaryOf, verdictOf, type Column, type Outcome } from './table.ts'

export interface Options {
  readonly seed: number
  /** Hellos that are caught; each becomes some twenty cases. */
  readonly hellos: number
  readonly say: (line: string) => void
}

export interface Result {
  readonly outcomes: readonly Outcome[]
  /** Two tables: every row, and the groups. */
  readonly detail: string
  readonly summary: string
  /** What Waybill did or recorded otherwise than it should have; empty when all is well. */
  readonly faults: readonly string[]
  /** For each group of rows and each other proxy: the first case that reached a pool which it should not have. */
  readonly examples: readonly string[]
}

/** All routes have to fit into eight pools of at most 256 names. */
export const hellosMax = 2_000
const damagesOfEachHello = 6
/** At once, for each proxy: what waits for its timeout must not hold up the rest. */
const casesAtOnce = 12
const progressEvery = 1_000

/** The packages of what is missing; empty when everything can be compared. */
export function missingPackages(): readonly string[] {
  return peers.filter((peer) => peer.version() === null).map(({ packages }) => packages)
}

export async function compare({ seed, hellos, say }: Options): Promise<Result> {
  const clients = realClients.filter(({ version }) => version !== null)
  const installed = peers.filter((peer) => peer.version() !== null)
  for (const { label } of realClients.filter(({ version }) => version === null)) say(`skipped: hellos of ${label}, which is not installed`)
  for (const { label, packages } of peers.filter((peer) => !installed.includes(peer))) {
    say(`skipped: ${label}, which is not installed (apt-get install ${packages})`)
  }
  say([...installed.map((peer) => `${peer.label} ${peer.version()}`), ...clients.map(({ version }) => version)].join(', '))
  const routes = drawRoutes(new SeededRandom(seed, 'routes'), hellos)
  const cases = await makeCases(seed, hellos, clients, routes)
  say(`seed ${seed}: ${cases.length} cases of ${hellos} hellos`)
  return send(cases, routes, installed, say)
}

async function makeCases(seed: number, hellos: number, clients: typeof realClients, routes: Routes): Promise<readonly Case[]> {
  const random = new SeededRandom(seed, 'cases')
  const cases: Case[] = []
  for (let index = 0; index < hellos; index += 1) {
    const hello = await makeHello(new SeededRandom(seed, `hello ${index}`), clients, routes, index)
    cases.push(...casesOf(random, routes, hello, damagesFor(index, damagesOfEachHello)))
  }
  return cases
}

async function send(cases: readonly Case[], routes: Routes, installed: readonly Peer[], say: Options['say']): Promise<Result> {
  await using stack = new AsyncDisposableStack()
  const backends = stack.use(await Backends.start())
  const folder = stack.use(new TemporaryFolder())
  const others = []
  for (const peer of installed) others.push(stack.use(await peer.start(routes, backends.ports)))
  const ours = stack.use(await startProxyOfOurs(folder.path, routes, backends.ports))
  const ports = [...others.map(({ port }) => port), ours.port]
  const places = await Promise.all(
    ports.map((port, column) => {
      const isOurs = column === others.length
      return inTurns(cases, (one, index) => reach(backends, port, one, index), isOurs ? say : () => {})
    }),
  )
  const code = await ours.stop()
  const met = cases.map((one, index) => ({ case: one, address: addressOf(index), place: places.at(-1)![index]! }))
  const stopped = code === 0 ? [] : [`Waybill ended with exit code ${code}`]
  const columns = [...installed.map(({ label }) => ({ label, isOurs: false })), { label: 'Waybill', isOurs: true }]
  const outcomes = cases.map((one, index) => ({ case: one, places: places.map((column) => column[index]!) }))
  return {
    outcomes,
    detail: detailOf(outcomes, columns),
    summary: summaryOf(outcomes, columns),
    faults: [...stopped, ...mismatches(outcomes, columns, true), ...differencesOnRecord(folder.path, met)],
    examples: mismatches(outcomes, columns, false),
  }
}

async function reach(backends: Backends, port: number, one: Case, index: number): Promise<Place> {
  using _expected = backends.expect(one.wire)
  return await placeReached(port, addressOf(index), one)
}

/** Every case from an address of its own; all of 127.0.0.0/8 is this machine. */
function addressOf(index: number): string {
  return `127.${16 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`
}

async function inTurns(cases: readonly Case[], run: (one: Case, index: number) => Promise<Place>, say: Options['say']): Promise<readonly Place[]> {
  const places: Place[] = []
  let begun = 0
  const lane = async (): Promise<void> => {
    while (begun < cases.length) {
      const index = begun++
      places[index] = await run(cases[index]!, index)
      if (begun % progressEvery === 0) say(`${begun} of ${cases.length} cases`)
    }
  }
  await Promise.all(Array.from({ length: casesAtOnce }, lane))
  return places
}

/** All of ours; of the others the first of each group that ended up at a pool. */
function mismatches(outcomes: readonly Outcome[], columns: readonly Column[], ours: boolean): readonly string[] {
  const seen = new Set<string>()
  return columns.flatMap(({ label, isOurs }, column) =>
    outcomes.flatMap(({ case: one, places }) => {
      const place = places[column]!
      const verdict = verdictOf(one, place, isOurs)
      const key = `${label} ${one.group}`
      if (isOurs !== ours || verdict === 'right' || (!ours && (verdict === 'refused' || seen.has(key)))) return []
      seen.add(key)
      return [mismatchText(one, label, place)]
    }),
  )
}
