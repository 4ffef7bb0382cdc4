import { describe, expect, test } from 'vitest'
import { streams } from '../../../events/define.ts'
import type { KafkaLog } from '../../../src/log/kafka/kafka-log.ts'
import { draft, labels } from '../../support/drafts.ts'
import { freshPrefix, kafkaMissing, sharedBrokers } from '../../support/kafka/broker.ts'
import { hastyClock } from '../../support/kafka/hasty-clock.ts'
import { openKafkaLog, topicRecords, withoutRepeats } from '../../support/kafka/logs.ts'
import { NodeFolder } from '../../support/kafka/node-folder.ts'
import { expectWhole, labelsOf, until } from '../../support/kafka/topic-checks.ts'
import { MemoryDisk } from '../../support/memory-disk.ts'

/** Two processes that write as one node, from copies of one folder: no rule of ours keeps that from happening, so it has to show. */

const skipReason = kafkaMissing()
const skipped = skipReason === null ? '' : ` (skipped: ${skipReason})`
const owed = { purpose: 'owed' } as const
const admission = { purpose: 'admission', timeoutMs: 1_500 } as const

interface Twins extends AsyncDisposable {
  readonly where: { readonly brokers: string[]; readonly prefix: string }
  readonly original: KafkaLog
  readonly copy: KafkaLog
  readonly copyFolder: NodeFolder
}

async function twins(): Promise<Twins> {
  const where = { brokers: sharedBrokers(), prefix: freshPrefix() }
  const folder = new NodeFolder()
  await (await folder.open(where)).close(5_000)
  const copyFolder = folder.copy()
  const copy = await copyFolder.open(where)
  for (const stream of streams) await copy.append(stream, [draft('common')], owed)
  // Whoever insists gets what the other has written, and both go on from there.
  await expect(folder.open(where)).rejects.toMatchObject({ code: 'node_name_in_use' })
  const original = await folder.open({ ...where, options: { takeOver: true } })
  expect(original.takenBack).toBe(streams.length)
  expect(original.writer.isNew).toBe(false)
  return {
    where, original, copy, copyFolder,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([original.close(500), copy.close(500)])
      folder[Symbol.dispose]()
      copyFolder[Symbol.dispose]()
    },
  }
}

describe.skipIf(skipReason !== null)(`two processes with copies of one folder${skipped}`, () => {
  test('control: the first is heard everywhere, the other is told that nothing of its own is', async () => {
    await using both = await twins()
    const { copy, original, where } = both
    await original.append('control', [draft('original')], owed)
    await until(async () => (await labels(copy, 'control')).length === 2)
    await expect(copy.append('control', [draft('copy')], admission)).rejects.toMatchObject({ code: 'unsettled'})
    // What was written under a number that is taken is on record, and in force nowhere.
    await until(() => !original.availability('control').available)
    for (const log of [copy, original]) {
      expect(log.availability('control')).toMatchObject({ available: false, code: 'LOG_CONTRADICTED' })
      expect(await labels(log, 'control')).toEqual(['common', 'original', 'copy'])
      await expect(log.append('control', [draft('more')], admission)).rejects.toMatchObject({ because: 'LOG_CONTRADICTED', code: 'not_written' })
    }
    await copy.close(500)
    const other = await openKafkaLog({ ...where, disk: new MemoryDisk(), node: 'n2' })
    await other.append('control', [draft('another node')], owed)
    expect(labelsOf(withoutRepeats(await topicRecords(where.brokers, where.prefix, 'control')))).toEqual(['common', 'original', 'another node'])
    await other.close(5_000)
  })

  // The other way round the original would not even begin: it looks at the topic before its first send.
  const orders = [['original', 'copy', 'original'], ['original', 'copy', 'copy']] as const

  test.for(orders)('connections by %s, %s and %s: whoever starts again sees it and begins a new epoch', async (order) => {
    await using both = await twins()
    const { copy, copyFolder, original, where } = both
    for (const who of order) await { copy, original }[who].append('connections', [draft(who)], owed)
    await copy.close(5_000)
    // The newest place that it knew may lie behind all that.
    copyFolder.remove('kafka.json')
    const { epoch } = copy.writer
    const again = await copyFolder.open({ ...where, clock: hastyClock(20, 31_000) })
    expect(again.setAside).toMatchObject({ because: expect.stringContaining('connections'), epoch })
    await again.append('connections', [draft('new epoch')], owed)
    await again.append('control', [draft('new epoch')], owed)
    expect(await again.close(5_000)).toBe(true)
    const control = await expectWhole(where.brokers, where.prefix, 'control')
    expect(labelsOf(control)).toEqual(['common', 'new epoch'])
    const connections = await topicRecords(where.brokers, where.prefix, 'connections')
    expect(connections.at(-1)).toMatchObject({ label: 'new epoch', sequence: 0 })
  })
})
