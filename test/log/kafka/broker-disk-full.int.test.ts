import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { draft } from '../../support/drafts.ts'
import { Appender } from '../../support/kafka/appender.ts'
import { freshPrefix } from '../../support/kafka/broker.ts'
import { hastyClock } from '../../support/kafka/hasty-clock.ts'
import { ownBrokersMissing } from '../../support/kafka/jars.ts'
import { openKafkaLog } from '../../support/kafka/logs.ts'
import { restartsSoon, startBroker } from '../../support/kafka/own-broker.ts'
import { expectWhole, labelsOf, until } from '../../support/kafka/topic-checks.ts'
import { MemoryDisk } from '../../support/memory-disk.ts'
import { fill, mountSmall } from '../../support/small-disk.ts'
import { TemporaryFolder } from '../../support/waybill.ts'

const skipReason = await ownBrokersMissing()
const skipped = skipReason === null ? '' : ` (skipped: ${skipReason})`
const owed = { purpose: 'owed' } as const
const admission = { purpose: 'admission', timeoutMs: 60_000 } as const

test.skipIf(skipReason !== null)(`the disk of the broker fills: nothing is taken, nothing acknowledged is lost, and with room it goes on by itself${skipped}`, async ({ skip }) => {
  using folder = new TemporaryFolder()
  using mounted = mountSmall(folder.path, 64)
  if (mounted === null) return skip('mounting a small tmpfs is not allowed here')
  const dataFolder = join(folder.path, 'kafka')
  mkdirSync(dataFolder)
  // What a broker keeps besides the records is otherwise larger than this disk.
  await using broker = await startBroker({ dataFolder, properties: { ...restartsSoon, 'log.index.size.max.bytes': '65536' } })
  const { brokers } = broker
  const prefix = freshPrefix()
  const log = await openKafkaLog({ brokers, clock: hastyClock(4), disk: new MemoryDisk(), prefix })
  const appender = new Appender(log, 'connections')
  await until(() => appender.acknowledged.length > 10)
  const filler = join(folder.path, 'filler')
  fill(filler)
  await until(() => !log.availability('connections').available)
  await expect(log.append('connections', [draft('refused')], admission)).rejects.toMatchObject({ code: 'not_written' })
  const late = log.append('connections', [draft('owed', 10_000)], owed)
  const before = appender.acknowledged.length

  rmSync(filler)
  // A broker that could not write to its disk has ended itself.
  await broker.stop()
  await broker.start()
  await late
  await until(() => appender.acknowledged.length > before + 10)
  await appender.stop()
  await until(() => log.availability().available)
  expect(await log.close(20_000)).toBe(true)
  const stored = labelsOf(await expectWhole(brokers, prefix, 'connections'))
  expect(stored).toEqual(expect.arrayContaining([...appender.acknowledged, 'owed']))
}, 90_000)
