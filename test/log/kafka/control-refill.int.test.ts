import { describe, expect, test } from 'vitest'
import type { KafkaLog } from '../../../src/log/kafka/kafka-log.ts'
import { draft, labels } from '../../support/drafts.ts'
import { BreakingClient, type Fate } from '../../support/kafka/breaking-client.ts'
import { freshPrefix, kafkaMissing, sharedBrokers } from '../../support/kafka/broker.ts'
import { hastyClock } from '../../support/kafka/hasty-clock.ts'
import { openKafkaLog, topicRecords } from '../../support/kafka/logs.ts'
import { NodeFolder } from '../../support/kafka/node-folder.ts'
import { deleteTopic, expectWhole, labelsOf, until } from '../../support/kafka/topic-checks.ts'
import { MemoryDisk } from '../../support/memory-disk.ts'

/** The control topic was deleted, and whoever fills it again does not get to the end of it: nobody takes a part for the whole. */

const skipReason = kafkaMissing()
const skipped = skipReason === null ? '' : ` (skipped: ${skipReason})`
const owed = { purpose: 'owed' } as const
const admission = { purpose: 'admission', timeoutMs: 60_000 } as const
const clock = hastyClock(10)
/** Three sends of half a megabyte. */
const others = Array.from({ length: 24 }, (_, index) => `of another ${index}`)
const recordBytes = 50_000
const whole = ['own', ...others]

interface Refill extends AsyncDisposable {
  readonly where: { readonly brokers: string[]; readonly clock: typeof clock; readonly prefix: string }
  readonly folder: NodeFolder
  readonly client: BreakingClient
  readonly log: KafkaLog
}

/**
 * A node that fills the topic again alone, after one send of three. Its own change came first: the part that is there holds
 * it where it was, so that the topic looks as before to whoever looks for that one only.
 */
async function interrupted(fate: Fate): Promise<Refill> {
  const where = { brokers: sharedBrokers(), clock, prefix: freshPrefix() }
  const topic = `${where.prefix}.control`
  const folder = new NodeFolder()
  const client = new BreakingClient(where.brokers)
  const log = await folder.open({ ...where, node: 'n1', options: { client } })
  await log.append('control', [draft('own')], owed)
  const other = await openKafkaLog({ ...where, disk: new MemoryDisk(), node: 'n2' })
  for (const label of others) await other.append('control', [draft(label, recordBytes)], owed)
  await until(async () => (await labels(log, 'control')).length === whole.length)
  expect(await other.close(10_000)).toBe(true)

  const before = client.acknowledged(topic)
  let broken = false
  client.sending = (to) => {
    if (to !== topic || client.acknowledged(topic) === before) return 'pass'
    broken = true
    return fate
  }
  await deleteTopic(where.brokers, where.prefix, 'control')
  await until(() => broken)
  const part = labelsOf(await topicRecords(where.brokers, where.prefix, 'control'))
  expect(part.length).toBeLessThan(whole.length)
  expect(part).toEqual(whole.slice(0, part.length))
  return {
    client, folder, log, where,
    [Symbol.asyncDispose]: async () => {
      await log.close(500)
      folder[Symbol.dispose]()
    },
  }
}

async function expectRefilled(log: KafkaLog, { where }: Pick<Refill, 'where'>): Promise<void> {
  await until(() => log.availability('control').available)
  expect(labelsOf(await expectWhole(where.brokers, where.prefix, 'control'))).toEqual(whole)
  expect(await labels(log, 'control')).toEqual(whole)
  await log.append('control', [draft('after')], admission)
  const reader = await openKafkaLog({ ...where, disk: new MemoryDisk(), node: 'n3' })
  expect(await labels(reader, 'control')).toEqual([...whole, 'after'])
  expect(await reader.close(10_000)).toBe(true)
}

describe.skipIf(skipReason !== null)(`the control topic is filled again${skipped}`, () => {
  test.for(['fail', 'hang'] as const)('and a send of it will %s: the next session sends all of it, and no change is taken before', async (fate) => {
    await using refill = await interrupted(fate)
    const { client, log } = refill
    expect(log.availability('control')).toMatchObject({ available: false })
    await expect(log.append('control', [draft('refused')], admission)).rejects.toMatchObject({ code: 'not_written' })
    client.sending = () => 'pass'
    await expectRefilled(log, refill)
  })

  const ends: readonly (readonly [string, (refill: Refill) => Promise<NodeFolder>])[] = [
    ['ends in order', async ({ folder, log }) => {
      await log.close(500)
      return folder
    }],
    ['is killed', async ({ folder }) => folder.copy()],
  ]

  test.for(ends)('and the node %s meanwhile: its next start sends all of it, and no change is taken before', async ([, end]) => {
    await using refill = await interrupted('hang')
    const folder = await end(refill)
    await refill.log.close(500)
    const log = await folder.open({ ...refill.where, options: { takeOver: true } })
    await expect(log.append('control', [draft('refused')], admission)).rejects.toMatchObject({ code: 'not_written' })
    await expectRefilled(log, refill)
    expect(await log.close(10_000)).toBe(true)
    folder[Symbol.dispose]()
  })
})
