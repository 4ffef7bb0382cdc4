import { expect, test } from 'vitest'
import { PoolCreated } from '../../events/pool.ts'
import { apply } from '../../projections/projection.ts'
import { routing } from '../../projections/routing.ts'
import { idMaker } from '../../src/core/ids.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { Drafts } from '../../src/log/drafts.ts'
import { MemoryLog } from '../../src/log/memory.ts'
import { Notes } from '../../src/log/notes.ts'
import { Addresses } from '../../src/proxy/addresses.ts'
import { Backends } from '../../src/proxy/backends.ts'
import { HealthBook } from '../../src/proxy/health-book.ts'
import { HealthChecks } from '../../src/proxy/health-checks.ts'
import { FakeNetwork } from '../support/fake-network.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { recorded, RecordChain } from '../support/records.ts'

const [created] = PoolCreated.examples

function checksOf(host: string, network: FakeNetwork, clock: ManualClock): { checks: HealthChecks; backends: Backends } {
  const makeId = idMaker(clock, systemRandom)
  const drafts = new Drafts(clock, makeId, 'node-1')
  const notes = new Notes(new MemoryLog({ clock, makeId }))
  const backend = { declaration: null, host, id: `${host}:443`, port: 443, weight: 1 }
  const change = new RecordChain('control').make(PoolCreated, { ...created, backends: [backend], health_check_interval: 1_000 })
  const state = apply(routing, routing.initial(), recorded(change))
  const backends = new Backends()
  backends.update(state)
  const checks = new HealthChecks({
    addresses: new Addresses(clock, network, notes, drafts, 0), clock, health: new HealthBook(clock, notes, drafts), network,
    random: systemRandom, timeoutMs: 3_600_000,
  })
  checks.update(state, backends.all())
  return { backends, checks }
}

test.for([
  ['10.0.0.1', 'a dial that nobody answers'],
  ['silent.example.test', 'a name that nobody resolves'],
] as const)('what is under way ends with the checks: %s, %s', async ([host]) => {
  const network = new FakeNetwork()
  network.dialOutcomes.push('silence')
  network.lookup = (name) => (name === host ? new Promise(() => {}) : Promise.resolve([name]))
  const clock = new ManualClock()
  const { backends, checks } = checksOf(host, network, clock)
  await clock.run(600)
  expect(clock.pending, 'a check is under way').toBe(1)
  checks[Symbol.dispose]()
  await clock.run(0)
  expect(clock.pending).toBe(0)
  expect(network.sockets.filter(({ state }) => state === 'dialling')).toEqual([])
  expect([...backends.all()].map(({ health }) => health.state), 'a check that was given up says nothing').toEqual(['new'])
})
