import { describe, expect, test } from 'vitest'
import { LogTopicObserved } from '../../../events/log.ts'
import { topicObserved } from '../../../src/log/kafka/topics/topic-record.ts'
import { judgedSettings, judgeTopic, newTopic, newTopics, type TopicFacts, type WantedTopics } from '../../../src/log/kafka/topics/topic-rules.ts'

const wanted: WantedTopics = { brokers: ['kafka-1:9092', '[::1]:9092'], partitions: 12, prefix: 'waybill', replicas: null, retentionMs: 1_000 }

/** A topic as it is created, with the settings changed that are given; `undefined`: the brokers do not say. */
function facts(stream: TopicFacts['stream'], replicas: number, changed: Readonly<Record<string, string | undefined>> = {}, partitions?: number): TopicFacts {
  const fresh = newTopic(stream, wanted, replicas)
  const values = { 'compression.type': 'producer', ...Object.fromEntries(fresh.settings.map(({ name, value }) => [name, value])), ...changed }
  const settings = Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]))
  return { partitions: partitions ?? fresh.partitions, replicas, settings, stream, topic: fresh.topic }
}

test.each([3, 4])('what is created with %i replicas is as it has to be', (replicas) => {
  for (const stream of ['control', 'connections', 'operations'] as const) {
    expect(judgeTopic(facts(stream, replicas), wanted)).toEqual({ problems: [], warnings: [] })
  }
})

test('control has one partition and no end; the others what the settings say', () => {
  expect(newTopics(wanted, 3).map(({ partitions, settings, topic }) => [topic, partitions, settings.find(({ name }) => name === 'retention.ms')?.value])).toEqual([
    ['waybill.control', 1, '-1'], ['waybill.connections', 12, '1000'], ['waybill.operations', 12, '1000'],
  ])
  expect(newTopic('operations', { ...wanted, retentionMs: null }, 3).settings).toContainEqual({ name: 'retention.ms', value: '-1' })
  expect(judgedSettings.toSorted()).toEqual(judgedSettings)
})

describe('a topic that would lose records is named, with what mends it', () => {
  test.each([
    ['cleanup.policy', 'compact', 'delete', 'keeps only the last record'],
    ['cleanup.policy', 'compact,delete', 'delete', 'keeps only the last record'],
    ['compression.type', 'lz4', 'producer', 'can\'t read back'],
    ['compression.type', 'snappy', 'producer', 'can\'t read back'],
    ['max.message.bytes', '65536', '1048588', 'less than what nodes send'],
    ['message.timestamp.type', 'CreateTime', 'LogAppendTime', 'as old as its writer says'],
    ['min.insync.replicas', '1', '2', 'one alone may hold'],
    ['min.insync.replicas', '4', '2', 'nothing can be written'],
    ['retention.bytes', '1073741824', '-1', 'deletes records'],
    ['retention.ms', '999', '1000', 'less than kafka_retention_days asks for'],
    ['unclean.leader.election.enable', 'true', 'false', 'missed records'],
  ])('%s=%s', (name, value, mended, because) => {
    const { problems } = judgeTopic(facts('connections', 3, { [name]: value }), wanted)
    expect(problems).toEqual([expect.stringContaining(because)])
    expect(problems[0]).toMatch(new RegExp(`^waybill\\.connections: ${name} is ${value}, `))
    expect(problems[0]).toContain(
      `To mend it: kafka-configs.sh --bootstrap-server 'kafka-1:9092,[::1]:9092' --alter --entity-type topics --entity-name waybill.connections --add-config ${name}=${mended}`,
    )
  })

  test('control with any end', () => {
    expect(judgeTopic(facts('control', 3, { 'retention.ms': '99999999999999' }), wanted).problems).toEqual([expect.stringContaining('control is kept for ever')])
  })
  test('control with more than one partition, which nothing mends', () => {
    const { problems } = judgeTopic(facts('control', 3, {}, 2), wanted)
    expect(problems).toEqual([expect.stringMatching(/^waybill\.control: it has 2 partitions.*another topic_prefix\.$/)])
  })
  test('all problems at once', () => {
    const changed = { 'cleanup.policy': 'compact', 'message.timestamp.type': 'CreateTime', 'retention.bytes': '1' }
    expect(judgeTopic(facts('operations', 3, changed), wanted).problems).toHaveLength(3)
  })
  test('two replicas of which one may be enough', () => {
    expect(judgeTopic(facts('control', 2, { 'min.insync.replicas': '1' }), wanted).problems).toHaveLength(1)
  })
})

describe('what loses nothing is left alone', () => {
  test.each([
    ['kept longer', { 'retention.ms': '1001' }],
    ['kept for ever', { 'retention.ms': '-1' }],
    ['larger batches', { 'max.message.bytes': '10485880' }],
    ['compressed by the broker so that it can be read', { 'compression.type': 'zstd' }],
    ['never cleaned up at all', { 'cleanup.policy': '' }],
  ])('%s', (_what, changed) => {
    expect(judgeTopic(facts('connections', 3, changed), wanted)).toEqual({ problems: [], warnings: [] })
  })

  test.each([
    ['one replica', facts('control', 1), 'waybill.control has one replica'],
    ['two replicas that are both needed', facts('control', 2), 'while one broker is down, nothing can be written'],
    ['another number of partitions than asked for', facts('operations', 3, {}, 6), 'waybill.operations has 6 partitions, not the 12'],
    ['what the brokers do not say', facts('operations', 3, { 'min.insync.replicas': undefined }), 'do not say what min.insync.replicas'],
  ])('with a warning: %s', (_what, given, sentence) => {
    expect(judgeTopic(given, wanted)).toEqual({ problems: [], warnings: [expect.stringContaining(sentence)] })
  })
})

test('goes on record, whatever the brokers say', () => {
  const odd = facts('control', 3, { 'cleanup.policy': '', 'retention.ms': '1'.repeat(500) })
  const data = topicObserved(odd, Array.from({ length: 9 }, () => 'x'.repeat(2_000)))
  expect(LogTopicObserved.data.safeParse(data).success).toBe(true)
  expect(data.settings).toContainEqual({ name: 'cleanup.policy', value: 'none' })
})
