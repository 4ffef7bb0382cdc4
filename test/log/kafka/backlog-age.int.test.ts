import { describe, expect, test } from 'vitest'
import type { KafkaLog } from '../../../src/log/kafka/kafka-log.ts'
import { topicName } from '../../../src/log/kafka/topics/topic-rules.ts'
import { draft } from '../../support/drafts.ts'
import { BreakingClient } from '../../support/kafka/breaking-client.ts'
import { freshPrefix, kafkaMissing, sharedBrokers } from '../../support/kafka/broker.ts'
import { hastyClock } from '../../support/kafka/hasty-clock.ts'
import { openKafkaLog } from '../../support/kafka/logs.ts'
import { expectWhole, labelsOf, until } from '../../support/kafka/topic-checks.ts'
import { MemoryDisk } from '../../support/memory-disk.ts'

/** With durable_when local the age of what is owed to Kafka is bounded, however it is that Kafka does not take it. */

const skipReason = kafkaMissing()
const skipped = skipReason === null ? '' : ` (skipped: ${skipReason})`
const admission = { purpose: 'admission', timeoutMs: 60_000 } as const
const clock = hastyClock(10)
/** Longer than the life of a producer that fails: an age that began anew with each of them would never come to it. */
const backlogMs = 20_000

interface Node {
  readonly client: BreakingClient
  readonly prefix: string
}

function open({ client, prefix }: Node): Promise<KafkaLog> {
  const options = { backlogMax: { ms: backlogMs, records: 1_000_000 }, client, durableWhen: 'local' } as const
  return openKafkaLog({ brokers: sharedBrokers(), clock, disk: new MemoryDisk(), options, prefix })
}

describe.skipIf(skipReason !== null)(`the age of what is owed to Kafka${skipped}`, () => {
  const troubles = [['rejects every send', 'fail'], ['answers no send', 'hang']] as const

  test.for(troubles)('clients are refused once Kafka %s for too long, and let in again afterwards', async ([, fate]) => {
    const node = { client: new BreakingClient(sharedBrokers()), prefix: freshPrefix() }
    const log = await open(node)
    await log.append('connections', [draft('before')], admission)
    await until(() => log.backlog().records === 0)
    node.client.sending = () => fate
    await log.append('connections', [draft('oldest')], admission)
    await expectRefusedOnceOld(log, 'next')
    node.client.sending = () => 'pass'
    await expectAdmitted(log)
    expect(labelsOf(await expectWhole(sharedBrokers(), node.prefix, 'connections'))).toEqual(['before', 'oldest', 'next', 'last'])
  })

  test('so are those of a node none of whose producers ever gets to send', async () => {
    const node = { client: new BreakingClient(sharedBrokers()), prefix: freshPrefix() }
    node.client.connecting = () => 'fail'
    const log = await open(node)
    await log.append('connections', [draft('oldest')], admission)
    await expectRefusedOnceOld(log, 'next')
    node.client.connecting = () => 'pass'
    await expectAdmitted(log)
    expect(labelsOf(await expectWhole(sharedBrokers(), node.prefix, 'connections'))).toEqual(['oldest', 'next', 'last'])
  })

  test('is not that of an earlier record whose answer was lost', async () => {
    const node = { client: new BreakingClient(sharedBrokers()), prefix: freshPrefix() }
    const topic = topicName(node.prefix, 'connections')
    const log = await open(node)
    node.client.sending = (to) => (to === topic ? 'lose' : 'pass')
    await log.append('connections', [draft('lost answer')], admission)
    await until(() => log.backlog().records === 0)
    const sinceMs = clock.monotonicMs()
    await until(() => clock.monotonicMs() > sinceMs + backlogMs)
    node.client.sending = (to) => (to === topic ? 'hang' : 'pass')
    await log.append('connections', [draft('next')], admission)
    await until(() => log.backlog().oldestMs > 0)
    expect(log.backlog().oldestMs).toBeLessThan(backlogMs)
    node.client.sending = () => 'pass'
    await expectAdmitted(log)
  })
})

async function expectRefusedOnceOld(log: KafkaLog, label: string): Promise<void> {
  expect(log.availability('connections')).toEqual({ available: true })
  await log.append('connections', [draft(label)], admission)
  await until(() => !log.availability('connections').available)
  expect(log.backlog().records).toBe(2)
  expect(log.backlog().oldestMs).toBeGreaterThan(backlogMs)
  for (const stream of ['connections', 'operations'] as const) {
    await expect(log.append(stream, [draft('refused')], admission)).rejects.toMatchObject({ because: 'BACKLOG_FULL', code: 'not_written' })
  }
}

async function expectAdmitted(log: KafkaLog): Promise<void> {
  await until(() => log.backlog().records === 0 && log.availability('connections').available)
  expect(log.backlog()).toEqual({ oldestMs: 0, records: 0 })
  await log.append('connections', [draft('last')], admission)
  await until(() => log.backlog().records === 0)
  expect(await log.close(20_000)).toBe(true)
}
