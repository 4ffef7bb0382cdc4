import { expect, test } from 'vitest'
import { idMaker } from '../../src/core/ids.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { Drafts } from '../../src/log/drafts.ts'
import { MemoryLog } from '../../src/log/memory.ts'
import { Notes } from '../../src/log/notes.ts'
import { Addresses } from '../../src/proxy/addresses.ts'
import { FakeNetwork } from '../support/fake-network.ts'
import { ManualClock, settled } from '../support/manual-clock.ts'

/** Names of backends while their resolver is slow, dead, or back with another answer. */

const host = 'backend.example'
const never = new Promise<never>(() => {})

test('a known answer serves while it is renewed, however long that takes', async () => {
  const clock = new ManualClock()
  const makeId = idMaker(clock, systemRandom)
  await using log = new MemoryLog({ clock, makeId, node: 'test' })
  const network = new FakeNetwork()
  const lookups: ((addresses: readonly string[]) => void)[] = []
  network.lookup = () => new Promise((resolve) => lookups.push(resolve))
  using notes = new Notes(log)
  const addresses = new Addresses(clock, network, notes, new Drafts(clock, makeId, 'test'), 10_000)

  const first = addresses.of(host, 5_000, never)
  lookups[0]!(['10.0.0.1'])
  expect(await first).toEqual(['10.0.0.1'])
  clock.advance(10_001)
  expect(await addresses.of(host, 5_000, never)).toEqual(['10.0.0.1'])
  expect(await addresses.of(host, 5_000, never)).toEqual(['10.0.0.1'])
  expect(lookups).toHaveLength(2)
  lookups[1]!(['10.0.0.2'])
  await settled()
  expect(await addresses.of(host, 5_000, never)).toEqual(['10.0.0.2'])
})
