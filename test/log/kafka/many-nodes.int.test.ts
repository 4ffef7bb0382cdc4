import { describe, expect, test } from 'vitest'
import { silentLogger } from '../../../src/core/logger.ts'
import { KafkaClient } from '../../../src/log/kafka/connection/client.ts'
import type { FetchClient } from '../../../src/log/kafka/connection/fetch-client.ts'
import type { KafkaLog } from '../../../src/log/kafka/kafka-log.ts'
import { draft, labels } from '../../support/drafts.ts'
import { freshPrefix, kafkaMissing, sharedBrokers } from '../../support/kafka/broker.ts'
import { hastyClock } from '../../support/kafka/hasty-clock.ts'
import { openKafkaLog } from '../../support/kafka/logs.ts'
import { NodeFolder } from '../../support/kafka/node-folder.ts'
import { expectWhole, labelsOf, sendRaw, until } from '../../support/kafka/topic-checks.ts'
import { MemoryDisk } from '../../support/memory-disk.ts'

/** Several nodes on one cluster: one order of control for all of them, and names and topics that are not theirs. */

const skipReason = kafkaMissing()
const skipped = skipReason === null ? '' : ` (skipped: ${skipReason})`
const owed = { purpose: 'owed' } as const

/** Counts what it is given to read. */
class CountingClient extends KafkaClient {
  messages = 0

  override fetcher(topic: string): FetchClient {
    const fetcher = super.fetcher(topic)
    const fetch = fetcher.fetch.bind(fetcher)
    fetcher.fetch = async (...asked) => {
      const partitions = await fetch(...asked)
      for (const { messages } of partitions) this.messages += messages.length
      return partitions
    }
    return fetcher
  }
}

async function order(log: KafkaLog, count: number): Promise<string[]> {
  await until(async () => (await labels(log, 'control')).length >= count)
  return labels(log, 'control')
}

describe.skipIf(skipReason !== null)(`control of several nodes${skipped}`, () => {
  test('is one order for all, also for one that comes later or lost its copy', async () => {
    const brokers = sharedBrokers()
    const where = { brokers, prefix: freshPrefix() }
    using folder = new NodeFolder()
    const first = await folder.open({ ...where, node: 'n1' })
    const second = await openKafkaLog({ ...where, disk: new MemoryDisk(), node: 'n2' })
    const count = 40
    const wanted = Array.from({ length: count }, (_, index) => (index % 2 === 0 ? `first ${index}` : `second ${index}`))
    await Promise.all(wanted.map((label, index) => (index % 2 === 0 ? first : second).append('control', [draft(label)], owed)))
    const found = await order(first, count)
    expect([...found].sort()).toEqual([...wanted].sort())
    expect(await order(second, count)).toEqual(found)
    const third = await openKafkaLog({ ...where, disk: new MemoryDisk(), node: 'n3' })
    expect(await labels(third, 'control')).toEqual(found)
    expect(labelsOf(await expectWhole(brokers, where.prefix, 'control'))).toEqual(found)
    await first.close(5_000)

    await second.append('control', [draft('while it was away')], owed)
    const reopened = async (): Promise<number> => {
      const client = new CountingClient({ brokers, clientId: 'test', logger: silentLogger })
      const log = await folder.open({ ...where, options: { client } })
      const fetched = client.messages
      expect(await labels(log, 'control')).toEqual([...found, 'while it was away'])
      await log.close(5_000)
      return fetched
    }
    // What it reads to know its place again is a few, not all.
    expect(await reopened()).toBeLessThan(count)
    folder.remove('control-copy/kafka.json')
    expect(await reopened()).toBeGreaterThan(count)
    folder.remove('control-copy')
    expect(await reopened()).toBeGreaterThan(count)
    expect(await reopened()).toBeLessThan(count)
    await Promise.all([second.close(5_000), third.close(5_000)])
  })

  test('what is no record of the cluster is passed over, the same way everywhere', async () => {
    const brokers = sharedBrokers()
    const where = { brokers, prefix: freshPrefix() }
    using folder = new NodeFolder()
    let first = await folder.open({ ...where, node: 'n1' })
    const second = await openKafkaLog({ ...where, disk: new MemoryDisk(), node: 'n2' })
    await first.append('control', [draft('a')], owed)
    const [record] = await expectWhole(brokers, where.prefix, 'control')
    const garbage = [
      null, '', '\n', 'no record', '{"source":"', '{}', Buffer.from([0xff, 0xfe, 0x00]), `${record!.text}\n`, `\n${record!.text}`,
      record!.text.replace('"sequence":"', '\n"sequence":"'), record!.text.replaceAll('/clusters/default/', '/clusters/other/'), 'x'.repeat(900_000),
    ]
    await sendRaw(brokers, where.prefix, 'control', garbage.map((value) => ({ value })))
    await second.append('control', [draft('b')], owed)
    await sendRaw(brokers, where.prefix, 'control', garbage.map((value) => ({ value })))
    expect(await order(first, 2)).toEqual(['a', 'b'])
    expect(await labels(second, 'control')).toEqual(['a', 'b'])
    await first.close(5_000)
    first = await folder.open(where)
    await first.append('control', [draft('c')], owed)
    expect(await order(first, 3)).toEqual(['a', 'b', 'c'])
    expect(await order(second, 3)).toEqual(['a', 'b', 'c'])
    const third = await openKafkaLog({ ...where, disk: new MemoryDisk(), node: 'n3' })
    expect(await labels(third, 'control')).toEqual(['a', 'b', 'c'])
    await Promise.all([first, second, third].map((log) => log.close(5_000)))
  })
})

describe.skipIf(skipReason !== null)(`a name that somebody else lives under${skipped}`, () => {
  test('is refused while it is fresh, and free when that life ended, is long silent, or has to give way', async () => {
    const where = { brokers: sharedBrokers(), prefix: freshPrefix() }
    const disk = new MemoryDisk()
    const other = new MemoryDisk()
    let log = await openKafkaLog({ ...where, disk, node: 'n1' })
    await log.append('operations', [draft('alive')], owed)
    const newcomer = (options: object = {}, aheadMs = 0): Promise<KafkaLog> =>
      openKafkaLog({ ...where, clock: hastyClock(20, aheadMs), disk: other, node: 'n1', options })
    const comes = async (...how: Parameters<typeof newcomer>): Promise<void> => {
      await (await newcomer(...how)).close(0)
    }
    await expect(newcomer()).rejects.toMatchObject({ canRetry: true, code: 'node_name_in_use', message: expect.stringContaining(log.writer.epoch) })
    await comes({ takeOver: true })
    for (const wrongMs of [31_000, 86_400_000, -86_400_000]) await comes({}, wrongMs)
    // By the newcomer's clock it is long silent, or of the future; it is the clock that is wrong.
    const reporting = setInterval(() => void log.append('operations', [draft('report')], owed), 100)
    for (const wrongMs of [31_000, 86_400_000, -86_400_000]) {
      await expect(newcomer({}, wrongMs)).rejects.toMatchObject({ code: 'node_name_in_use', message: expect.stringContaining('clock of this machine') })
    }
    clearInterval(reporting)
    await log.append('operations', [draft('still')], owed)
    await expect(newcomer({}, 25_000)).rejects.toMatchObject({ code: 'node_name_in_use' })
    // The same folder again is the same node.
    await log.close(5_000)
    log = await openKafkaLog({ ...where, disk })
    const stopped = { ...draft('stopped'), type: 'dev.waybill.node.stopped.v1' }
    await log.append('operations', [stopped], owed)
    await comes()
    // A checkpoint is the last that a life writes.
    await log.append('operations', [draft('checkpoint')], owed)
    await comes()
    await log.append('operations', [{ ...draft('started'), type: 'dev.waybill.node.started.v1' }], owed)
    await expect(newcomer()).rejects.toMatchObject({ code: 'node_name_in_use' })
    await log.close(5_000)
  })
})

describe.skipIf(skipReason !== null)(`topics with the records of others${skipped}`, () => {
  test('another cluster is refused, and a folder with changes of its own as well; empty topics take them', async () => {
    const brokers = sharedBrokers()
    const where = { brokers, prefix: freshPrefix() }
    const log = await openKafkaLog({ ...where, disk: new MemoryDisk(), node: 'n1' })
    await log.append('control', [draft('a')], owed)
    await expect(openKafkaLog({ ...where, disk: new MemoryDisk(), node: 'n2', options: { cluster: 'other' } }))
      .rejects.toMatchObject({ code: 'kafka_of_another_cluster', message: expect.stringContaining('"default"') })

    using folder = new NodeFolder()
    const alone = await folder.openAlone()
    for (const label of ['own 1', 'own 2']) await alone.append('control', [draft(label)], owed)
    await alone.append('connections', [draft('connection')], owed)
    await alone.close(0)
    await expect(folder.open({ ...where, node: 'host' })).rejects.toMatchObject({ code: 'log_not_of_this_cluster' })
    const untouched = await folder.openAlone()
    expect(await labels(untouched, 'control')).toEqual(['own 1', 'own 2'])
    await untouched.close(0)

    const empty = { brokers, prefix: freshPrefix() }
    const moved = await folder.open({ ...empty, node: 'host' })
    expect(await labels(moved, 'control')).toEqual(['own 1', 'own 2'])
    expect(await moved.close(5_000)).toBe(true)
    for (const [stream, wanted] of [['control', ['own 1', 'own 2']], ['connections', ['connection']]] as const) {
      expect(labelsOf(await expectWhole(brokers, empty.prefix, stream))).toEqual(wanted)
    }
    await log.close(5_000)
  })
})
