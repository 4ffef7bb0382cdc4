import { describe, expect, test } from 'vitest'
import type { LocalCut } from '../../../src/log/cluster-log.ts'
import type { Position, StoredRecord } from '../../../src/log/event-log.ts'
import type { KafkaLog } from '../../../src/log/kafka/kafka-log.ts'
import { draft, labelOf, labels, readAll, textOf } from '../../support/drafts.ts'
import { openMemoryLog } from '../../support/file-logs.ts'
import { freshPrefix, kafkaMissing, sharedBrokers } from '../../support/kafka/broker.ts'
import { hastyClock } from '../../support/kafka/hasty-clock.ts'
import { kafkaClient, openKafkaLog, topicRecords, withoutRepeats, type NodeOnKafka, type TopicRecord } from '../../support/kafka/logs.ts'
import { deleteTopic, labelsOf, sendRaw, until } from '../../support/kafka/topic-checks.ts'
import { MemoryDisk } from '../../support/memory-disk.ts'
import { Partitions } from '../../../src/log/kafka/topics/partitions.ts'
import type { TopicLost } from '../../../src/log/cluster-log.ts'

/** What Kafka has and is old is removed from a node's disk, and nobody who reads sees a difference; or what is lost is named. */

const skipReason = kafkaMissing()
const skipped = skipReason === null ? '' : ` (skipped: ${skipReason})`
const clock = hastyClock(10)
const startMs = Date.parse('2026-11-24T08:00:00.000Z')
const minuteMs = 60_000
const count = 20
const all = Array.from({ length: count }, (_, index) => `c${index}`)
const partitions = new Partitions({ connections: 3, control: 1, operations: 3 })

interface Node {
  readonly where: NodeOnKafka
  readonly log: KafkaLog
}

function at(minute: number): ReturnType<typeof draft>['time'] {
  return new Date(startMs + minute * minuteMs).toISOString()
}

function open(where: NodeOnKafka): Promise<KafkaLog> {
  return openKafkaLog({ ...where, clock, node: 'n1', options: { segmentBytes: 1_500, recentBytes: 1 } })
}

/** One record a minute. */
async function append(log: KafkaLog, names: readonly string[], firstMinute = 0): Promise<void> {
  for (const [index, name] of names.entries()) await log.append('connections', [{ ...draft(name, 300), time: at(firstMinute + index) }], { purpose: 'owed' })
}

async function written(): Promise<Node> {
  const where = { brokers: sharedBrokers(), disk: new MemoryDisk(), prefix: freshPrefix() }
  const log = await open(where)
  await append(log, all)
  return { log, where }
}

async function cutBefore(log: KafkaLog, minute: number): Promise<readonly LocalCut[]> {
  const recorded: LocalCut[] = []
  const cuts = await log.cutLocal({ beforeMs: startMs + minute * minuteMs, record: async (cut) => void recorded.push(cut) })
  expect(recorded).toEqual(cuts)
  return cuts
}

/** First number that is still on the disk, by its files. */
function firstOnDisk(disk: MemoryDisk): number {
  return Number(disk.names('/data/connections').find((name) => /^\d/.test(name))!.slice(0, 20))
}

async function readFrom(log: KafkaLog, after: number): Promise<StoredRecord[]> {
  const records: StoredRecord[] = []
  for await (const batch of log.read('connections', { after: String(after) as Position, follow: false })) records.push(...batch)
  return records
}

describe.skipIf(skipReason !== null)(`what a node keeps of a stream that Kafka has${skipped}`, () => {
  test('is what is young; what was cut is read from the topic, before and after starts', async () => {
    const { log: first, where } = await written()
    const before = (await readAll(first, 'connections')).map(textOf)
    const [cut, ...others] = await cutBefore(first, 12)
    expect(others).toEqual([])
    expect(cut).toMatchObject({ first: 0, stream: 'connections', topic: `${where.prefix}.connections` })
    expect(cut!.last).toBeGreaterThan(3)
    expect(cut!.last).toBeLessThan(12)
    expect(firstOnDisk(where.disk)).toBe(cut!.last + 1)
    const inTopic = (await topicRecords(where.brokers, where.prefix, 'connections')).find(({ sequence }) => sequence === cut!.last)
    expect(inTopic!.text).toBe(before[cut!.last])

    const same = async (log: KafkaLog): Promise<void> => {
      const records = await readAll(log, 'connections')
      expect(records.map(textOf)).toEqual(before)
      expect(records.map(({ position }) => position)).toEqual(before.map((_, index) => String(index)))
      expect(records.filter(({ begins }) => begins === true)).toEqual([])
      for (const after of [0, cut!.last - 1, cut!.last, cut!.last + 1]) expect((await readFrom(log, after)).map(labelOf)).toEqual(all.slice(after + 1))
    }
    await same(first)
    expect(await cutBefore(first, 12)).toEqual([])
    expect(await first.close(10_000)).toBe(true)

    let log = await open(where)
    expect(log.takenBack).toBe(0)
    expect(log.setAside).toBeNull()
    await same(log)
    expect(await log.close(10_000)).toBe(true)
    await where.disk.attach().remove('/data/kafka.json')
    log = await open(where)
    await same(log)
    const [next] = await cutBefore(log, 17)
    expect(next).toMatchObject({ first: cut!.last + 1 })
    await same(log)
    expect(await log.close(10_000)).toBe(true)
  })

  test('is read on by those who follow, while it is cut under them', async () => {
    const { log } = await written()
    const seen: string[] = []
    const reading = (async () => {
      for await (const batch of log.read('connections', { after: null, follow: true })) {
        seen.push(...batch.map(labelOf))
        if (seen.length <= 6) await cutBefore(log, 15)
      }
    })()
    await until(() => seen.length === count)
    await append(log, ['more'], count)
    await until(() => seen.length > count)
    expect(seen).toEqual([...all, 'more'])
    expect(await log.close(10_000)).toBe(true)
    await reading
  })

  test('is everything that is young or not on record', async () => {
    const { log, where } = await written()
    expect(await cutBefore(log, 0)).toEqual([])
    await expect(log.cutLocal({ beforeMs: startMs + 15 * minuteMs, record: () => Promise.reject(new Error('not on record')) })).rejects.toThrow('not on record')
    expect(firstOnDisk(where.disk)).toBe(0)
    expect(await log.close(10_000)).toBe(true)
  })

  // Wherever in its segment it is.
  test.for([0, 1, 2])('is a young record among old ones that came late, as notes that had to wait (%i)', async (lead) => {
    const { log } = await written()
    await append(log, all.slice(0, lead))
    await append(log, ['young'], 5_000)
    await append(log, all.slice(0, 10))
    const [cut] = await cutBefore(log, 4_000)
    expect(cut!.last).toBeLessThan(count + lead)
    expect(cut!.last).toBeGreaterThan(10)
    expect(await log.close(10_000)).toBe(true)
  })

  test('is what Kafka has no longer, although it had it', async () => {
    const { log, where } = await written()
    const admin = kafkaClient(where.brokers).admin()
    await admin.connect()
    const topic = `${where.prefix}.connections`
    const offsets = (await admin.fetchTopicOffsets(topic)).map(({ high, partition }) => ({ offset: high, partition }))
    await admin.deleteTopicRecords({ partitions: offsets, topic })
    await admin.disconnect()
    expect(await cutBefore(log, 12)).toEqual([])
    expect(firstOnDisk(where.disk)).toBe(0)
    expect(await labels(log, 'connections')).toEqual(all)
    expect(await log.close(10_000)).toBe(true)
  })

  test('can be served without Kafka, from the cut on', async () => {
    const { log, where } = await written()
    const [cut] = await cutBefore(log, 12)
    expect(await log.close(10_000)).toBe(true)
    const alone = await openMemoryLog(where.disk)
    expect(alone.beginning('connections')).toEqual({ prevhash: cut!.leafHash, sequence: cut!.last + 1 })
    expect(await labels(alone, 'connections')).toEqual(all.slice(cut!.last + 1))
    await alone.append('connections', [draft('alone')], { purpose: 'owed' })
    await alone.close(1_000)
    const again = await open(where)
    expect(await labels(again, 'connections')).toEqual([...all, 'alone'])
    expect(await again.close(10_000)).toBe(true)
  })
})

describe.skipIf(skipReason !== null)(`a topic that loses what was cut here${skipped}`, () => {
  test('wholly: the rest is sent again, what nobody has is named, once', async () => {
    const { log, where } = await written()
    const lost: TopicLost[] = []
    log.onTopicLost((one) => void lost.push(one))
    const [cut] = await cutBefore(log, 12)
    const kept = all.slice(cut!.last + 1)
    await deleteTopic(where.brokers, where.prefix, 'connections')
    // Brokers delete in their own time, and only a send finds it out.
    const more: string[] = []
    await until(async () => {
      more.push(`next ${more.length}`)
      await append(log, more.slice(-1), count)
      return lost.length > 0
    })
    expect(lost).toEqual([{ lost: { first: 0, last: cut!.last }, records: expect.any(Number), stream: 'connections', topic: `${where.prefix}.connections` }])
    expect(lost[0]!.records).toBeGreaterThanOrEqual(kept.length)
    const records = await readAll(log, 'connections')
    expect(records.map(labelOf)).toEqual([...kept, ...more])
    expect(records.filter(({ begins }) => begins === true).map(labelOf)).toEqual([kept[0]])
    expect(await log.close(10_000)).toBe(true)
    expect(await inTopic(where)).toEqual([...kept, ...more])

    for (const removed of [[], ['kafka.json']]) {
      for (const name of removed) await where.disk.attach().remove(`/data/${name}`)
      const again = await open(where)
      expect(again.setAside).toBeNull()
      const anew: TopicLost[] = []
      again.onTopicLost((one) => void anew.push(one))
      await append(again, ['again'], count)
      expect(anew).toEqual([])
      const found = await again.cutLocal({ beforeMs: startMs + 17 * minuteMs, record: async () => {} })
      expect(found.map(({ first }) => first)).toEqual(removed.length === 0 ? [cut!.last + 1] : [])
      expect(await again.close(10_000)).toBe(true)
    }
    expect(await inTopic(where)).toEqual([...kept, ...more, 'again', 'again'])
  })

  test.for([true, false])('while the node is stopped (it knows where its records were: %s): the start says so', async (knows) => {
    const { log, where } = await written()
    const [cut] = await cutBefore(log, 12)
    const kept = all.slice(cut!.last + 1)
    expect(await log.close(10_000)).toBe(true)
    await deleteTopic(where.brokers, where.prefix, 'connections')
    if (!knows) await where.disk.attach().remove('/data/kafka.json')
    const again = await open(where)
    const lost: TopicLost[] = []
    again.onTopicLost((one) => void lost.push(one))
    await append(again, ['next'], count)
    expect(lost.map((each) => each.lost)).toEqual([{ first: 0, last: cut!.last }])
    expect(await again.close(10_000)).toBe(true)
    expect(await inTopic(where)).toEqual([...kept, 'next'])
  })

  test('and was filled again only in part: the rest is sent, and what is there is not sent twice', async () => {
    const { log, where } = await written()
    const [cut] = await cutBefore(log, 12)
    const kept = all.slice(cut!.last + 1)
    expect(await log.close(10_000)).toBe(true)
    const some = (await topicRecords(where.brokers, where.prefix, 'connections')).slice(cut!.last + 1, cut!.last + 4)
    await replaceTopic(where, some)
    const again = await open(where)
    expect(again.setAside).toBeNull()
    await append(again, ['next'], count)
    expect(await again.close(10_000)).toBe(true)
    expect(labelsOf(await topicRecords(where.brokers, where.prefix, 'connections'), 'n1')).toEqual([...kept, 'next'])
  })

  test('in part, as one restored from an old copy: it goes on behind the hole, and is not taken for another log', async () => {
    const { log, where } = await written()
    const [cut] = await cutBefore(log, 12)
    expect(await log.close(10_000)).toBe(true)
    const old = (await topicRecords(where.brokers, where.prefix, 'connections')).filter(({ sequence }) => sequence < 3)
    await replaceTopic(where, old)
    const kept = all.slice(cut!.last + 1)
    for (const round of [0, 1]) {
      // The first time it is seen that the topic is another one; later it has to be found that nothing more is missing.
      if (round > 0) await where.disk.attach().remove('/data/kafka.json')
      const again = await open(where)
      expect(again.setAside).toBeNull()
      const lost: TopicLost[] = []
      again.onTopicLost((one) => void lost.push(one))
      await append(again, [`more ${round}`], count)
      expect(lost.map((each) => each.lost)).toEqual(round === 0 ? [{ first: 3, last: cut!.last }] : [])
      const records = await readAll(again, 'connections')
      expect(records.map(labelOf)).toEqual(['c0', 'c1', 'c2', ...kept, ...['more 0', 'more 1'].slice(0, round + 1)])
      expect(records.filter(({ begins }) => begins === true).map(labelOf)).toEqual([kept[0]])
      expect(await again.close(10_000)).toBe(true)
    }
    // Sent once: the hole is no reason to send everything behind it again and again.
    const sent = (await topicRecords(where.brokers, where.prefix, 'connections')).filter(({ source }) => source.includes('/n1/'))
    expect(labelsOf(sent)).toEqual(['c0', 'c1', 'c2', ...kept, 'more 0', 'more 1'])
  })
})

/** By one that holds these records. */
async function replaceTopic(where: NodeOnKafka, records: readonly TopicRecord[]): Promise<void> {
  await deleteTopic(where.brokers, where.prefix, 'connections')
  const other = await openKafkaLog({ ...where, clock, disk: new MemoryDisk(), node: 'n2' })
  await sendRaw(where.brokers, where.prefix, 'connections', records.map(({ text }) => ({ partition: partitions.of('connections', 'n1'), value: text })))
  expect(await other.close(10_000)).toBe(true)
}

async function inTopic({ brokers, prefix }: NodeOnKafka): Promise<string[]> {
  return labelsOf(withoutRepeats(await topicRecords(brokers, prefix, 'connections')).sort((a, b) => a.sequence - b.sequence))
}
