import { expect, test } from 'vitest'
import type { ConnectionRefusedData, RefusalReason } from '../../events/connection.ts'
import { readRecord } from '../../events/catalog.ts'
import { connectionRefused } from '../../src/core/channels.ts'
import { idMaker } from '../../src/core/ids.ts'
import { refusalKeysPerSecond, refusalsRecordedPerSecond } from '../../src/core/limits.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { Drafts } from '../../src/log/drafts.ts'
import { MemoryLog } from '../../src/log/memory.ts'
import { clientNetwork, Refusals } from '../../src/proxy/refusals.ts'
import { ManualClock, settled } from '../support/manual-clock.ts'

class Stand {
  readonly clock = new ManualClock()
  readonly makeId = idMaker(this.clock, systemRandom)
  readonly log = new MemoryLog({ clock: this.clock, makeId: this.makeId, node: 'test' })
  readonly refusals = new Refusals(this.clock, this.log, new Drafts(this.clock, this.makeId, 'test'))

  refuse(ip: string | null, reason: RefusalReason = 'not_tls', listener = 'shared'): void {
    this.refusals.record({
      reason, client: ip === null ? null : { ip, port: 1_000 }, listener, afterMs: 1, alert: null, attempts: [], detail: null, ja4: null,
      pool: null, serverName: null,
    })
  }

  async records(): Promise<ConnectionRefusedData[]> {
    const found: ConnectionRefusedData[] = []
    for await (const batch of this.log.read('connections', { after: null, follow: false })) {
      for (const { bytes } of batch) {
        const reading = readRecord(bytes)
        if (reading.kind === 'event') found.push(reading.event.data as ConnectionRefusedData)
      }
    }
    return found
  }
}

const sum = (records: readonly ConnectionRefusedData[]): number => records.reduce((total, { count }) => total + count, 0)

test('one record each up to the rate; above it counts by reason and network, written within a second', async () => {
  const stand = new Stand()
  for (let index = 0; index < 350; index += 1) stand.refuse(`203.0.${index % 2}.${index % 250}`)
  await settled()
  expect((await stand.records()).length).toBe(refusalsRecordedPerSecond)
  expect(stand.refusals.settled).toBe(false)
  await stand.clock.run(1_000)
  const records = await stand.records()
  expect(records.slice(refusalsRecordedPerSecond)).toEqual([
    expect.objectContaining({ client: null, client_network: '203.0.0.0/24', count: 125, because: 'not_tls', after_ms: null }),
    expect.objectContaining({ client: null, client_network: '203.0.1.0/24', count: 125, because: 'not_tls', after_ms: null }),
  ])
  expect(sum(records)).toBe(350)
  expect([stand.refusals.total, stand.refusals.settled]).toEqual([350, true])
  stand.refuse('203.0.113.1')
  await settled()
  expect((await stand.records()).at(-1)).toMatchObject({ count: 1, client: { ip: '203.0.113.1' } })
})

test('whoever measures is told of every client, with its record if it has one of its own', async () => {
  const stand = new Stand()
  const told: (string | undefined)[] = []
  using _heard = connectionRefused.listen(({ record }) => told.push(record?.id))
  const clients = refusalsRecordedPerSecond + 3
  for (let index = 0; index < clients; index += 1) stand.refuse('203.0.113.1')
  await settled()
  const ids: string[] = []
  for await (const batch of stand.log.read('connections', { after: null, follow: false })) {
    for (const { bytes } of batch) ids.push((JSON.parse(Buffer.from(bytes).toString()) as { id: string }).id)
  }
  expect(told).toEqual([...ids, undefined, undefined, undefined])
  expect(ids).toHaveLength(refusalsRecordedPerSecond)
})

test('each listener has its own rate', async () => {
  const stand = new Stand()
  for (let index = 0; index < 150; index += 1) stand.refuse('203.0.113.1')
  for (let index = 0; index < 50; index += 1) stand.refuse('203.0.113.1', 'not_tls', 'pools/app')
  await settled()
  expect((await stand.records()).filter(({ listener }) => listener === 'pools/app').length).toBe(50)
})

test('more networks than are kept are counted under other, and none is lost', async () => {
  const stand = new Stand()
  const clients = refusalsRecordedPerSecond + refusalKeysPerSecond + 700
  for (let index = 0; index < clients; index += 1) stand.refuse(`10.${index >> 8}.${index & 255}.1`)
  await stand.clock.run(1_000)
  const records = await stand.records()
  expect(sum(records)).toBe(clients)
  expect(records.length).toBe(refusalsRecordedPerSecond + refusalKeysPerSecond + 1)
  expect(records.filter(({ because }) => because === 'other')).toEqual([expect.objectContaining({ count: 700, client_network: null })])
})

test('while the log is down everything is counted, and on record with its count afterwards', async () => {
  const stand = new Stand()
  const broken = stand.log.breakCommits('connections', 'not_written', 'ENOSPC')
  for (let index = 0; index < 5; index += 1) stand.refuse('203.0.113.1')
  await settled()
  expect(stand.log.availability('connections').available).toBe(false)
  for (let index = 0; index < 3_000; index += 1) stand.refuse('203.0.113.1', 'log_unavailable')
  stand.refuse(null, 'log_unavailable')
  await stand.clock.run(10_000)
  expect(await stand.records()).toEqual([])
  expect(stand.refusals.settled).toBe(false)
  broken[Symbol.dispose]()
  await stand.clock.run(3_000)
  const records = await stand.records()
  expect(sum(records)).toBe(3_006)
  expect(records).toEqual([
    expect.objectContaining({ because: 'not_tls', count: 5, client_network: '203.0.113.0/24' }),
    expect.objectContaining({ because: 'log_unavailable', count: 3_000 }),
    expect.objectContaining({ because: 'log_unavailable', count: 1, client_network: null }),
  ])
  expect(stand.refusals.settled).toBe(true)
})

test('counts that the log did not take stay counted', async () => {
  const stand = new Stand()
  for (let index = 0; index < 103; index += 1) stand.refuse('203.0.113.1')
  await settled()
  const broken = stand.log.breakCommits('connections', 'not_written', 'ENOSPC')
  await stand.refusals.flush()
  expect(stand.refusals.settled).toBe(false)
  broken[Symbol.dispose]()
  await stand.clock.run(3_000)
  expect(sum(await stand.records())).toBe(103)
})

test('counts that are on their way are not settled, whoever asks for them to be written', async () => {
  const stand = new Stand()
  for (let index = 0; index < 101; index += 1) stand.refuse('203.0.113.1')
  await settled()
  const stall = stand.log.stallCommits('connections')
  const both = Promise.all([stand.refusals.flush(), stand.refusals.flush()])
  await settled()
  expect(stand.refusals.settled).toBe(false)
  stall[Symbol.dispose]()
  await both
  expect(stand.refusals.settled).toBe(true)
  expect(sum(await stand.records())).toBe(101)
})

test.each([
  ['203.0.113.7', '203.0.113.0/24'],
  ['2001:db8:7:1::9', '2001:db8:7::/48'],
  ['2001:db8:7:1:2:3:4:5', '2001:db8:7::/48'],
  ['2001:db8::1', '2001:db8::/48'],
  ['2001:0:0:1::', '2001::/48'],
  ['::1', '::/48'],
  ['fe80::1:2:3:4', 'fe80::/48'],
  ['0:1:2:3::', '0:1:2::/48'],
])('%s is of %s', (ip, network) => {
  expect(clientNetwork(ip)).toBe(network)
})
