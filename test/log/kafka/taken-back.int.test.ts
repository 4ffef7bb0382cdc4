import { describe, expect, test } from 'vitest'
import { streams, type Stream } from '../../../events/define.ts'
import type { EventLog } from '../../../src/log/event-log.ts'
import { Partitions } from '../../../src/log/kafka/topics/partitions.ts'
import { draft, labels, readAll, textOf } from '../../support/drafts.ts'
import { freshPrefix, kafkaMissing, sharedBrokers } from '../../support/kafka/broker.ts'
import { hastyClock } from '../../support/kafka/hasty-clock.ts'
import { openKafkaLog, topicRecords } from '../../support/kafka/logs.ts'
import { NodeFolder } from '../../support/kafka/node-folder.ts'
import { expectWhole, labelsOf, sendRaw } from '../../support/kafka/topic-checks.ts'
import { MemoryDisk } from '../../support/memory-disk.ts'

/** A node's disk that is not what it was when the node wrote last: what Kafka remembers of it is taken back, or a new epoch begins. */

/** When nobody has heard of the node for a while. */
const later = hastyClock(20, 31_000)
const skipReason = kafkaMissing()
const skipped = skipReason === null ? '' : ` (skipped: ${skipReason})`
const owed = { purpose: 'owed' } as const
const partitions = new Partitions({ connections: 3, control: 1, operations: 3 })

async function appendAll(log: EventLog, ...names: string[]): Promise<void> {
  for (const name of names) for (const stream of streams) await log.append(stream, [draft(name)], owed)
}

async function textsOf(log: Pick<EventLog, 'read'>, stream: Stream): Promise<string[]> {
  return (await readAll(log, stream)).map(textOf)
}

/** Whose records share the partition of `n1`. */
function neighbour(): string {
  for (let number = 2; ; number += 1) {
    const same = (['connections', 'operations'] as const).every((stream) => partitions.of(stream, `n${number}`) === partitions.of(stream, 'n1'))
    if (same) return `n${number}`
  }
}

describe.skipIf(skipReason !== null)(`a disk that lost records${skipped}`, () => {
  const cases: readonly (readonly [string, (restored: NodeFolder, newest: NodeFolder) => void])[] = [
    ['and nothing else', () => {}],
    ['and where it was in the topics', (restored) => restored.remove('kafka.json')],
    ['and not where it was in the topics', (restored, newest) => restored.take('kafka.json', newest)],
    ['and its copy of control', (restored) => restored.remove('control-copy')],
    ['and where it was in control', (restored) => restored.remove('control-copy/kafka.json')],
  ]

  test.for(cases)('%s: what Kafka has is taken back, and the chain goes on', async ([, damage]) => {
    const brokers = sharedBrokers()
    const where = { brokers, prefix: freshPrefix() }
    const other = await openKafkaLog({ ...where, disk: new MemoryDisk(), node: neighbour() })
    using folder = new NodeFolder()
    let log = await folder.open(where)
    await appendAll(log, 'a', 'b')
    await appendAll(other, 'x')
    expect(await log.close(5_000)).toBe(true)
    using restored = folder.copy()
    log = await folder.open(where)
    expect(log.takenBack).toBe(0)
    await appendAll(log, 'c', 'd', 'e')
    await appendAll(other, 'y')
    expect(await log.close(5_000)).toBe(true)
    // Something that the network kept for a while.
    for (const stream of streams) {
      const { text } = (await topicRecords(brokers, where.prefix, stream)).find(({ label }) => label === 'b')!
      await sendRaw(brokers, where.prefix, stream, [{ partition: partitions.of(stream, 'n1'), value: text }])
    }
    damage(restored, folder)

    // It may be a copy, and the original lives.
    await expect(restored.open(where)).rejects.toMatchObject({ canRetry: true, code: 'node_name_in_use' })
    log = await restored.open({ ...where, clock: later })
    expect(log.takenBack).toBe(9)
    expect(log.setAside).toBeNull()
    await appendAll(log, 'f')
    expect(await labels(log, 'control')).toEqual(['a', 'b', 'x', 'c', 'd', 'e', 'y', 'f'])
    for (const stream of ['connections', 'operations'] as const) expect(await labels(log, stream)).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
    expect(await log.close(5_000)).toBe(true)
    for (const stream of streams) expect(labelsOf(await expectWhole(brokers, where.prefix, stream), 'n1')).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])

    const then = await folder.openAlone()
    const now = await restored.openAlone()
    for (const stream of streams) expect((await textsOf(now, stream)).slice(0, 5)).toEqual(await textsOf(then, stream))
    await Promise.all([then.close(0), now.close(0), other.close(5_000)])
  })
})

describe.skipIf(skipReason !== null)(`a disk that went another way${skipped}`, () => {
  test('than what Kafka has of it: a new epoch begins, and the old log stays whole', async () => {
    const where = { brokers: sharedBrokers(), prefix: freshPrefix() }
    using folder = new NodeFolder()
    let log = await folder.open({ ...where, node: 'n1' })
    await appendAll(log, 'a', 'b')
    await log.close(5_000)
    using restored = folder.copy()
    log = await folder.open(where)
    await appendAll(log, 'c')
    const { epoch } = log.writer
    await log.close(5_000)
    const file = await restored.openAlone()
    await appendAll(file, 'another')
    const old = await textsOf(file, 'connections')
    await file.close(0)

    await expect(restored.open(where)).rejects.toMatchObject({ canRetry: true, code: 'node_name_in_use' })
    expect(restored.has('earlier')).toBe(false)
    const again = await restored.open({ ...where, clock: later, options: { node: null } })
    expect(again.setAside).toMatchObject({ because: expect.stringMatching(/record 2 of \w+/), epoch })
    expect(again.writer.epoch).not.toBe(epoch)
    expect(again.writer.node).toBe('n1')
    expect(await labels(again, 'control')).toEqual(['a', 'b', 'c'])
    await appendAll(again, 'd')
    expect(await labels(again, 'connections')).toEqual(['d'])
    expect(await again.close(5_000)).toBe(true)
    for (const stream of streams) expect(labelsOf(await expectWhole(where.brokers, where.prefix, stream))).toEqual(['a', 'b', 'c', 'd'])
    for (const name of ['node.json', 'kafka.json', 'connections', 'control', 'operations']) expect(restored.has(`earlier/${epoch}/${name}`), name).toBe(true)

    // The old log is one that can be opened, with everything it had.
    using earlier = restored.earlier(epoch)
    const whole = await earlier.openAlone()
    expect(await textsOf(whole, 'connections')).toEqual(old)
    await whole.close(0)
    // And the new one is continued.
    const next = await restored.open({ ...where, clock: later })
    expect(next.setAside).toBeNull()
    expect(next.writer.epoch).toBe(again.writer.epoch)
    await next.close(5_000)
  })
})
