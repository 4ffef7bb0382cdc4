import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { KafkaLog } from '../../../src/log/kafka/kafka-log.ts'
import { breakable } from '../../support/breakable-disk.ts'
import { draft, labels } from '../../support/drafts.ts'
import { freshPrefix, kafkaMissing, sharedBrokers } from '../../support/kafka/broker.ts'
import { hastyClock } from '../../support/kafka/hasty-clock.ts'
import { openKafkaLog } from '../../support/kafka/logs.ts'
import { until } from '../../support/kafka/topic-checks.ts'
import { MemoryDisk } from '../../support/memory-disk.ts'

/** A node's own disk answers nothing any more, as one on a network that is gone: its end is an end all the same. */

const skipReason = kafkaMissing()
const skipped = skipReason === null ? '' : ` (skipped: ${skipReason})`
const owed = { purpose: 'owed' } as const
const clock = hastyClock(10)
const hangsMs = 8_000
const stepMs = 100

interface Stalled {
  readonly log: KafkaLog
  readonly other: KafkaLog
}

describe.skipIf(skipReason !== null)(`a stop while the node's own disk stalls${skipped}`, () => {
  const works: readonly (readonly [string, (stalled: Stalled) => Promise<unknown>])[] = [
    ['and nothing is under way', async () => {}],
    ['and a record waits for it', ({ log }) => log.append('connections', [draft('lost')], owed)],
    ['and a change waits for it', ({ log }) => log.append('control', [draft('lost')], owed)],
    ['and somebody reads its log', ({ log }) => labels(log, 'connections')],
    ['and a change of another node comes', ({ other }) => other.append('control', [draft('of another')], owed)],
  ]

  test.for(works)('%s: it ends in its time, and says that it is not in order', { timeout: hangsMs }, async ([, work]) => {
    const where = { brokers: sharedBrokers(), clock, prefix: freshPrefix() }
    const disk = new MemoryDisk()
    const log = await openKafkaLog({ ...where, disk, node: 'n1' })
    const other = await openKafkaLog({ ...where, disk: new MemoryDisk(), node: 'n2' })
    for (const stream of ['connections', 'control'] as const) await log.append(stream, [draft('kept')], owed)
    await until(() => log.backlog().records === 0)
    const stall = breakable(disk).stall()
    const under = work({ log, other }).catch(() => {})
    // Until it has come as far as it gets.
    await Promise.race([under, wait(stepMs)])
    await wait(stepMs)
    expect(await log.close(2_000)).toBe(false)

    // Only the end of the process gives the folder back.
    disk.crash('process_only')
    stall[Symbol.dispose]()
    const again = await openKafkaLog({ ...where, disk, node: 'n1' })
    expect((await labels(again, 'connections'))[0]).toBe('kept')
    await again.append('connections', [draft('next')], owed)
    expect([await again.close(10_000), await other.close(10_000)]).toEqual([true, true])
  })
})
