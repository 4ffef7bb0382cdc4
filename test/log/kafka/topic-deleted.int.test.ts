import { describe, expect, test } from 'vitest'
import { streams } from '../../../events/define.ts'
import type { TopicLost } from '../../../src/log/cluster-log.ts'
import type { KafkaLog } from '../../../src/log/kafka/kafka-log.ts'
import { draft, labels } from '../../support/drafts.ts'
import { freshPrefix, kafkaMissing, sharedBrokers } from '../../support/kafka/broker.ts'
import { hastyClock } from '../../support/kafka/hasty-clock.ts'
import { kafkaClient, openKafkaLog, topicRecords, withoutRepeats } from '../../support/kafka/logs.ts'
import { deleteTopic, expectWhole, labelsOf, until } from '../../support/kafka/topic-checks.ts'
import { MemoryDisk } from '../../support/memory-disk.ts'

/** Somebody deletes a topic that nodes live on: they say so, fill it again from what they have, and go on. */

const skipReason = kafkaMissing()
const skipped = skipReason === null ? '' : ` (skipped: ${skipReason})`
const owed = { purpose: 'owed' } as const
const admission = { purpose: 'admission', timeoutMs: 60_000 } as const
const clock = hastyClock(10)

function lostOf(log: KafkaLog): TopicLost[] {
  const lost: TopicLost[] = []
  log.onTopicLost((topic) => void lost.push(topic))
  return lost
}

describe.skipIf(skipReason !== null)(`a topic that is deleted${skipped}`, () => {
  test('control: no changes until two nodes at once have restored the order that was', async () => {
    const brokers = sharedBrokers()
    const where = { brokers, clock, prefix: freshPrefix() }
    const nodes = await Promise.all(['n1', 'n2'].map((node) => openKafkaLog({ ...where, disk: new MemoryDisk(), node })))
    const [first, second] = nodes as [KafkaLog, KafkaLog]
    const lost = nodes.map(lostOf)
    for (let round = 0; round < 4; round += 1) {
      await Promise.all(nodes.map((node, index) => node.append('control', [draft(`${round} of ${index}`)], owed)))
    }
    await until(async () => (await labels(second, 'control')).length === 8 && (await labels(first, 'control')).length === 8)
    const before = await labels(first, 'control')

    await deleteTopic(brokers, where.prefix, 'control')
    await until(() => nodes.every((node) => !node.availability('control').available))
    await expect(first.append('control', [draft('refused')], admission)).rejects.toMatchObject({ code: 'not_written' })
    expect(await labels(first, 'control')).toEqual(before)
    await until(() => nodes.every((node) => node.availability('control').available))
    for (const each of lost) expect(each).toMatchObject([{ records: 8, stream: 'control', topic: `${where.prefix}.control` }])

    await first.append('control', [draft('after 0')], admission)
    await until(async () => (await labels(second, 'control')).length === 9)
    await second.append('control', [draft('after 1')], admission)
    const after = [...before, 'after 0', 'after 1']
    await until(async () => (await labels(first, 'control')).length === 10)
    for (const node of nodes) expect(await labels(node, 'control')).toEqual(after)
    expect(labelsOf(await expectWhole(brokers, where.prefix, 'control'))).toEqual(after)
    const third = await openKafkaLog({ ...where, disk: new MemoryDisk(), node: 'n3' })
    expect(await labels(third, 'control')).toEqual(after)
    for (const node of [...nodes, third]) expect(await node.close(10_000)).toBe(true)
  })

  test.for(['it is gone', 'somebody has made it anew'])('connections: everything that the node has is there again, when %s', async (how) => {
    const brokers = sharedBrokers()
    const where = { brokers, clock, prefix: freshPrefix() }
    const log = await openKafkaLog({ ...where, disk: new MemoryDisk(), node: 'n1' })
    const lost = lostOf(log)
    const wanted = Array.from({ length: 6 }, (_, index) => `c${index}`)
    for (const label of wanted) await log.append('connections', [draft(label)], owed)
    await deleteTopic(brokers, where.prefix, 'connections')
    if (how !== 'it is gone') {
      // The name is free again only after a moment.
      const other = await openKafkaLog({ ...where, disk: new MemoryDisk(), node: 'n2' })
      await other.append('connections', [draft('other')], owed)
      await other.close(10_000)
    }
    // Brokers delete in their own time, and only a send finds it out.
    await until(async () => {
      wanted.push(`next ${wanted.length}`)
      await log.append('connections', [draft(wanted.at(-1)!)], owed)
      return lost.length > 0
    })
    expect(await log.close(10_000)).toBe(true)
    // What went into the new topic before anybody knew that it is new comes first there.
    const records = withoutRepeats(await topicRecords(brokers, where.prefix, 'connections')).filter(({ source }) => source.includes('/n1/'))
    expect(labelsOf(records.sort((a, b) => a.sequence - b.sequence))).toEqual(wanted)
    expect(lost).toMatchObject([{ stream: 'connections' }])
  })

  test('all of them while no node runs: each start fills them again', async () => {
    const brokers = sharedBrokers()
    const where = { brokers, clock, prefix: freshPrefix() }
    const disks = [new MemoryDisk(), new MemoryDisk()]
    const open = (): Promise<KafkaLog[]> => Promise.all(disks.map((disk, index) => openKafkaLog({ ...where, disk, node: `n${index}` })))
    let nodes = await open()
    for (const [index, node] of nodes.entries()) for (const stream of streams) await node.append(stream, [draft(`${stream} of ${index}`)], owed)
    await until(async () => (await labels(nodes[0]!, 'control')).length === 2)
    for (const node of nodes) await node.close(10_000)
    for (const stream of streams) await deleteTopic(brokers, where.prefix, stream)
    nodes = await open()
    await until(() => nodes.every((node) => node.availability().available))
    for (const [index, node] of nodes.entries()) for (const stream of streams) await node.append(stream, [draft(`more ${stream} of ${index}`)], owed)
    await until(async () => (await labels(nodes[0]!, 'control')).length === 4)
    for (const node of nodes) {
      expect(await labels(node, 'control')).toEqual(['control of 0', 'control of 1', 'more control of 0', 'more control of 1'])
      expect(await node.close(10_000)).toBe(true)
    }
    for (const stream of streams) {
      const records = await expectWhole(brokers, where.prefix, stream)
      for (const index of [0, 1]) expect(labelsOf(records, `n${index}`)).toEqual([`${stream} of ${index}`, `more ${stream} of ${index}`])
    }
  })

  test('records that were kept long enough are no loss', async () => {
    const brokers = sharedBrokers()
    const where = { brokers, clock, prefix: freshPrefix() }
    const disk = new MemoryDisk()
    let log = await openKafkaLog({ ...where, disk, node: 'n1' })
    await log.append('connections', [draft('a'), draft('b')], owed)
    expect(await log.close(10_000)).toBe(true)
    const admin = kafkaClient(brokers).admin()
    await admin.connect()
    const topic = `${where.prefix}.connections`
    const partitions = (await admin.fetchTopicOffsets(topic)).map(({ high, partition }) => ({ offset: high, partition }))
    await admin.deleteTopicRecords({ partitions, topic })
    await admin.disconnect()
    log = await openKafkaLog({ ...where, disk })
    const lost = lostOf(log)
    await log.append('connections', [draft('c')], owed)
    expect(await log.close(10_000)).toBe(true)
    expect(lost).toEqual([])
    expect(log.takenBack).toBe(0)
  })
})
