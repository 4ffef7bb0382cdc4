import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { KafkaLog } from '../../../src/log/kafka/kafka-log.ts'
import { draft } from '../../support/drafts.ts'
import { Appender } from '../../support/kafka/appender.ts'
import { freshPrefix } from '../../support/kafka/broker.ts'
import type { FaultProxy } from '../../support/kafka/fault-proxy.ts'
import { hastyClock } from '../../support/kafka/hasty-clock.ts'
import { ownBrokersMissing } from '../../support/kafka/jars.ts'
import { openKafkaLog } from '../../support/kafka/logs.ts'
import { restartsSoon, type OwnBroker } from '../../support/kafka/own-broker.ts'
import { startProxiedBroker, type ProxiedBroker } from '../../support/kafka/proxied-broker.ts'
import { expectWhole, labelsOf, until } from '../../support/kafka/topic-checks.ts'
import { MemoryDisk } from '../../support/memory-disk.ts'

/** The broker stops answering in every way that it can: the log says so, loses nothing that it acknowledged, and goes on by itself. */

const skipReason = await ownBrokersMissing()
const skipped = skipReason === null ? '' : ` (skipped: ${skipReason})`
const owed = { purpose: 'owed' } as const
const admission = { purpose: 'admission', timeoutMs: 60_000 } as const
const appended = ['connections', 'control'] as const
const clock = hastyClock(4)

describe.skipIf(skipReason !== null)(`a broker that stops answering${skipped}`, () => {
  let proxied: ProxiedBroker
  let proxy: FaultProxy
  let broker: OwnBroker
  let brokers: string[]

  beforeAll(async () => {
    proxied = await startProxiedBroker(restartsSoon)
    ;({ broker, brokers, proxy } = proxied)
  }, 60_000)
  afterAll(() => proxied[Symbol.asyncDispose]())

  const outages: readonly (readonly [string, () => Promise<void> | void, () => Promise<void> | void])[] = [
    ['is paused', () => broker.pause(), () => broker.resume()],
    ['is killed', () => broker.kill(), () => broker.start()],
    ['is behind a network that swallows everything', () => proxy.blackhole(), () => proxy.heal()],
  ]

  test.for(outages)('because it %s', async ([, begin, end]) => {
    const prefix = freshPrefix()
    const log = await openKafkaLog({ brokers, clock, disk: new MemoryDisk(), prefix })
    const changes: string[] = []
    using _changes = log.onAvailability((stream, { available }) => void changes.push(`${stream} ${available ? 'up' : 'down'}`))
    const appenders = appended.map((stream) => new Appender(log, stream))
    await until(() => appenders.every(({ acknowledged }) => acknowledged.length > 10))
    await begin()
    await until(() => appended.every((stream) => !log.availability(stream).available))
    for (const stream of appended) {
      expect(log.availability(stream)).toMatchObject({ code: expect.stringMatching(/^[A-Z_]+$/), syscall: expect.stringMatching(/^(?:produce|fetch)$/) })
      // At once: not because its time is up.
      await expect(log.append(stream, [draft('refused')], admission)).rejects.toMatchObject({ code: 'not_written' })
    }
    const late = appended.map((stream) => log.append(stream, [draft('owed')], owed))
    await until(() => appenders.every(({ refused }) => refused.length > 10))
    const before = appenders.map(({ acknowledged }) => acknowledged.length)
    await end()
    await Promise.all(late)
    await until(() => log.availability().available)
    await until(() => appenders.every(({ acknowledged }, index) => acknowledged.length > before[index]! + 10))
    await Promise.all(appenders.map((appender) => appender.stop()))
    expect(await log.close(20_000)).toBe(true)
    for (const [index, stream] of appended.entries()) {
      const { acknowledged, refused } = appenders[index]!
      const stored = labelsOf(await expectWhole(brokers, prefix, stream))
      expect(stored).toEqual(expect.arrayContaining([...acknowledged, 'owed']))
      expect(stored.filter((label) => label === 'refused' || refused.includes(label))).toEqual([])
      expect(changes).toContain(`${stream} down`)
      expect(changes.findLast((change) => change.startsWith(stream))).toBe(`${stream} up`)
    }
  })

  test('with durable_when local: clients are served until too much is owed; then all of it arrives in order', async () => {
    const prefix = freshPrefix()
    const open = (disk: MemoryDisk, backlogMax: { ms: number; records: number }): Promise<KafkaLog> =>
      openKafkaLog({ brokers, clock, disk, prefix, options: { backlogMax, durableWhen: 'local' } })
    const disk = new MemoryDisk()
    let log = await open(disk, { ms: 600_000, records: 5 })
    await log.append('connections', [draft('0')], admission)
    proxy.blackhole()
    const wanted = ['0']
    for (let count = 1; count <= 6; count += 1) {
      wanted.push(`${count}`)
      await log.append('connections', [draft(`${count}`)], count <= 3 ? admission : owed)
    }
    expect(log.backlog().records).toBeGreaterThanOrEqual(6)
    await until(() => !log.availability('connections').available)
    await expect(log.append('connections', [draft('refused')], admission)).rejects.toMatchObject({ because: 'BACKLOG_FULL', code: 'not_written' })
    await expect(log.append('operations', [draft('refused')], admission)).rejects.toMatchObject({ because: 'BACKLOG_FULL', code: 'not_written' })
    // An end in order does not wait for what is on this disk.
    expect(await log.close(400)).toBe(true)
    proxy.heal()

    log = await open(disk, { ms: 8_000, records: 1_000 })
    await until(() => log.backlog().records === 0)
    expect(log.backlog()).toEqual({ oldestMs: 0, records: 0 })
    proxy.blackhole()
    wanted.push('old')
    await log.append('connections', [draft('old')], admission)
    await until(() => !log.availability('connections').available)
    expect(log.availability('connections')).toMatchObject({ code: 'BACKLOG_FULL' })
    expect(log.backlog()).toMatchObject({ records: 1 })
    proxy.heal()
    await until(() => log.availability('connections').available)
    wanted.push('last')
    await log.append('connections', [draft('last')], admission)
    expect(await log.close(20_000)).toBe(true)
    expect(labelsOf(await expectWhole(brokers, prefix, 'connections'))).toEqual(wanted)
  })
})
