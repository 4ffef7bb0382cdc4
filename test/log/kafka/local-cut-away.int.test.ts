import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { draft, labels, labelOf } from '../../support/drafts.ts'
import { freshPrefix } from '../../support/kafka/broker.ts'
import { hastyClock } from '../../support/kafka/hasty-clock.ts'
import { ownBrokersMissing } from '../../support/kafka/jars.ts'
import { openKafkaLog } from '../../support/kafka/logs.ts'
import { restartsSoon, startBroker, type OwnBroker } from '../../support/kafka/own-broker.ts'
import { until } from '../../support/kafka/topic-checks.ts'
import { MemoryDisk } from '../../support/memory-disk.ts'

/** What was cut here can only be read from Kafka: who follows waits for it, everybody else is told. */

const skipReason = await ownBrokersMissing()
const skipped = skipReason === null ? '' : ` (skipped: ${skipReason})`
const clock = hastyClock(30)
const owed = { purpose: 'owed' } as const

describe.skipIf(skipReason !== null)(`a broker that is away${skipped}`, () => {
  let broker: OwnBroker

  beforeAll(async () => void (broker = await startBroker({ properties: restartsSoon })), 60_000)
  afterAll(() => broker[Symbol.asyncDispose]())

  test('keeps nothing that is here from being read, cuts nothing, and ends a wait that has no end', { timeout: 60_000 }, async () => {
    const log = await openKafkaLog({
      brokers: broker.brokers, clock, disk: new MemoryDisk(), options: { durableWhen: 'local', recentBytes: 1, segmentBytes: 1_500 }, prefix: freshPrefix(),
    })
    const all = Array.from({ length: 12 }, (_, index) => `c${index}`)
    for (const label of all) await log.append('connections', [draft(label, 300)], owed)
    await until(() => log.backlog().records === 0)
    const everything = { beforeMs: Date.parse('2030-01-01'), record: async () => {} }
    const [cut] = await log.cutLocal(everything)
    const kept = cut!.last + 1

    await broker.kill()
    const seen: string[] = []
    const following = (async () => {
      for await (const batch of log.read('connections', { after: null, follow: true })) seen.push(...batch.map(labelOf))
    })()
    const here: string[] = []
    for await (const batch of log.read('connections', { after: String(cut!.last) as never, follow: false })) here.push(...batch.map(labelOf))
    expect(here).toEqual(all.slice(kept))
    for (let index = 0; index < 6; index += 1) await log.append('connections', [draft(`owed ${index}`, 300)], owed)
    // Nothing goes that is not seen there.
    const unreachable = { canRetry: true, code: 'kafka_unreachable' }
    await Promise.all([expect(log.cutLocal(everything)).rejects.toMatchObject(unreachable), expect(labels(log, 'connections')).rejects.toMatchObject(unreachable)])
    expect(seen).toEqual([])

    await broker.start()
    const whole = [...all, ...Array.from({ length: 6 }, (_, index) => `owed ${index}`)]
    await until(() => seen.length === whole.length)
    expect(seen).toEqual(whole)
    await until(() => log.backlog().records === 0)
    expect(await labels(log, 'connections')).toEqual(whole)
    expect((await log.cutLocal(everything)).map(({ first }) => first)).toEqual([kept])
    expect(await log.close(60_000)).toBe(true)
    await following
  })
})
