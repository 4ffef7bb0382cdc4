import kafkajs, { type Admin } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { checkTopics } from '../../../src/cli/kafka-check.ts'
import { kafkaOptionsOf } from '../../../src/cli/kafka-options.ts'
import { readSettings } from '../../../src/config/settings.ts'
import { systemClock } from '../../../src/core/system/clock.ts'
import { systemDisk } from '../../../src/core/system/disk.ts'
import { partitionCounts, prepareTopics, type PreparedTopics } from '../../../src/log/kafka/topics/topics.ts'
import { judgedSettings, topicNames, type TopicFacts, type WantedTopics } from '../../../src/log/kafka/topics/topic-rules.ts'
import { lookEveryMs, TopicWatch } from '../../../src/log/kafka/topics/topic-watch.ts'
import { freshPrefix, kafkaMissing, sharedBrokers } from '../../support/kafka/broker.ts'
import { kafkaClient } from '../../support/kafka/logs.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const skipReason = kafkaMissing()

describe.skipIf(skipReason !== null)(`topics${skipReason === null ? '' : ` (skipped: ${skipReason})`}`, () => {
  let admin: Admin

  beforeAll(async () => {
    admin = kafkaClient(sharedBrokers()).admin()
    await admin.connect()
  })
  afterAll(async () => {
    await admin.disconnect()
  })

  function wantedBy(prefix: string, change: Partial<WantedTopics> = {}): WantedTopics {
    return { brokers: sharedBrokers(), partitions: 3, prefix, replicas: null, retentionMs: 86_400_000, ...change }
  }
  function prepare(wanted: WantedTopics): Promise<PreparedTopics> {
    return prepareTopics({ client: kafkaClient(sharedBrokers()), clock: systemClock }, wanted)
  }
  async function alter(topic: string, name: string, value: string): Promise<void> {
    await admin.alterConfigs({ resources: [{ configEntries: [{ name, value }], name: topic, type: kafkajs.ConfigResourceTypes.TOPIC }], validateOnly: false })
  }

  test('are made when they are missing, and found as they were made', async () => {
    const wanted = wantedBy(freshPrefix())
    const first = await prepare(wanted)
    expect(first.created).toEqual(['control', 'connections', 'operations'].map((stream) => `${wanted.prefix}.${stream}`))
    expect(partitionCounts(first.facts)).toEqual({ connections: 3, control: 1, operations: 3 })
    for (const { settings } of first.facts) expect(settings.map(({ name }) => name)).toEqual(judgedSettings)
    expect(await prepare(wanted)).toEqual({ ...first, created: [] })
  })

  test('are made once by nodes that start together', async () => {
    const wanted = wantedBy(freshPrefix())
    const all = await Promise.all(Array.from({ length: 4 }, () => prepare(wanted)))
    for (const { facts } of all) expect(facts).toEqual(all[0]!.facts)
  })

  test('that are there keep their partitions; those of control must be one', async () => {
    const wanted = wantedBy(freshPrefix())
    await prepare({ ...wanted, partitions: 2 })
    const { facts, warnings } = await prepare(wanted)
    expect(partitionCounts(facts)).toEqual({ connections: 2, control: 1, operations: 2 })
    expect(warnings).toContainEqual(expect.stringContaining(`${wanted.prefix}.operations has 2 partitions, not the 3`))
    await admin.createPartitions({ topicPartitions: [{ count: 2, topic: `${wanted.prefix}.control` }] })
    await expect(prepare(wanted)).rejects.toMatchObject({ code: 'kafka_topics_unsafe', message: expect.stringContaining('it has 2 partitions, and control needs exactly 1') as string })
  })

  test('whose settings would lose records are refused', async () => {
    const wanted = wantedBy(freshPrefix())
    await prepare(wanted)
    await alter(topicNames(wanted.prefix).connections, 'cleanup.policy', 'compact')
    const refusal = prepare(wanted)
    await expect(refusal).rejects.toMatchObject({ canRetry: false, code: 'kafka_topics_unsafe', source: 'log' })
    await expect(refusal).rejects.toThrow(`--entity-name ${wanted.prefix}.connections --add-config cleanup.policy=delete`)
  })

  test('that the cluster can\'t have are not made, and nothing is waited for', async () => {
    await expect(prepare(wantedBy(freshPrefix(), { replicas: 30_000 }))).rejects.toMatchObject({
      code: 'kafka_topics_missing', message: expect.stringContaining('fewer brokers than kafka_replicas') as string,
    })
  })

  test('are checked by the command line, which makes nothing', async () => {
    const prefix = freshPrefix()
    const options = kafkaOptionsOf(readSettings({ kafka: sharedBrokers().join(','), topicPrefix: prefix }, {}), systemDisk)
    expect((await checkTopics(options)).map(({ facts, problems }) => [facts, problems.length])).toEqual([[null, 1], [null, 1], [null, 1]])
    expect(await admin.listTopics()).not.toContain(`${prefix}.control`)
    await prepare(options.topics)
    expect((await checkTopics(options)).map(({ problems }) => problems)).toEqual([[], [], []])
  })

  describe('are looked at each day', () => {
    interface Seen {
      readonly facts: TopicFacts
      readonly problems: readonly string[]
    }

    async function watched(): Promise<{ readonly clock: ManualClock; readonly failures: string[]; readonly seen: Seen[]; readonly wanted: WantedTopics; readonly watch: TopicWatch }> {
      const wanted = wantedBy(freshPrefix())
      const { facts } = await prepare(wanted)
      const clock = new ManualClock()
      const seen: Seen[] = []
      const failures: string[] = []
      const watch = new TopicWatch({
        client: kafkaClient(sharedBrokers()), clock, facts, wanted,
        onChanged: (now, problems) => seen.push({ facts: now, problems }),
        onFailure: ({ code }) => failures.push(code),
      })
      return { clock, failures, seen, wanted, watch }
    }
    /** A look has ended when the next one is planned. */
    async function aDay(clock: ManualClock): Promise<void> {
      clock.advance(lookEveryMs)
      expect(clock.pending).toBe(0)
      await vi.waitFor(() => expect(clock.pending).toBe(1), { timeout: 10_000 })
    }

    test('and nothing is told while nothing changes', async () => {
      const { clock, failures, seen, watch } = await watched()
      using _watch = watch
      await aDay(clock)
      await aDay(clock)
      expect([seen, failures]).toEqual([[], []])
    })

    test('and a change is told once, with what is wrong with it', async () => {
      const { clock, seen, wanted, watch } = await watched()
      using _watch = watch
      const topic = topicNames(wanted.prefix).connections
      await alter(topic, 'retention.ms', '1000')
      await aDay(clock)
      await aDay(clock)
      // Settings that are altered this old way lose what they do not name: these topics are back at the broker's own.
      expect(seen).toHaveLength(1)
      expect(seen[0]!.facts).toMatchObject({ stream: 'connections', topic })
      expect(seen[0]!.problems).toContainEqual(expect.stringContaining('retention.ms is 1000, less than'))
    })

    test('and more partitions than before are told, and a topic that is gone', async () => {
      const { clock, seen, wanted, watch } = await watched()
      using _watch = watch
      const { connections, operations } = topicNames(wanted.prefix)
      await admin.createPartitions({ topicPartitions: [{ count: 5, topic: operations }] })
      await admin.deleteTopics({ topics: [connections] })
      await aDay(clock)
      expect(seen.map(({ facts, problems }) => [facts.topic, facts.partitions, problems])).toEqual([
        [connections, 0, [`${connections}: it is not there any more`]],
        [operations, 5, [expect.stringContaining('it had 3 partitions and has 5')]],
      ])
    })

    test('and brokers that do not answer are asked again within the hour', async () => {
      const { watch: other, wanted } = await watched()
      other[Symbol.dispose]()
      const clock = new ManualClock()
      const failures: string[] = []
      using _watch = new TopicWatch({
        client: kafkaClient(['127.0.0.1:1']), clock, facts: [], wanted, onChanged: () => {}, onFailure: ({ code }) => failures.push(code),
      })
      await aDay(clock)
      clock.advance(3_600_000)
      await vi.waitFor(() => expect(clock.pending).toBe(1), { timeout: 10_000 })
      expect(failures).toEqual(['kafka_unreachable', 'kafka_unreachable'])
    })

    test('until the watch is disposed', async () => {
      const { clock, watch } = await watched()
      watch[Symbol.dispose]()
      expect(clock.pending).toBe(0)
    })
  })
})
