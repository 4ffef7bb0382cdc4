import { expect, test } from 'vitest'
import { silentLogger } from '../../../src/core/logger.ts'
import type { LostRange } from '../../../src/log/cluster-log.ts'
import type { FileLog } from '../../../src/log/file/file-log.ts'
import type { Placed } from '../../../src/log/kafka/reading/own-records.ts'
import { Shipper } from '../../../src/log/kafka/shipping/shipper.ts'
import { draft, readAll } from '../../support/drafts.ts'
import { openMemoryLog } from '../../support/file-logs.ts'
import { hastyClock } from '../../support/kafka/hasty-clock.ts'
import { MemoryPartition, protocolError } from '../../support/kafka/memory-partition.ts'
import { until } from '../../support/kafka/topic-checks.ts'
import { MemoryDisk } from '../../support/memory-disk.ts'

/** What a shipper believes of its topic without having looked, and how often it says what it found there. */

const clock = hastyClock(100)

async function append(log: FileLog, ...labels: readonly string[]): Promise<void> {
  for (const label of labels) await log.append('connections', [draft(label, 300)], { purpose: 'owed' })
}

async function logOf(count: number): Promise<FileLog> {
  const log = await openMemoryLog(new MemoryDisk(), { recentBytes: 1, segmentBytes: 1_500 })
  await append(log, ...Array.from({ length: count }, (_, index) => `c${index}`))
  return log
}

/** Answers how many went. */
async function cutAt(log: FileLog, boundary: number): Promise<number> {
  const sequence = log.boundaries('connections')[boundary]!
  const records = await readAll(log, 'connections')
  await log.cut('connections', { prevhash: records[sequence - 1]!.leafHash, sequence })
  return sequence
}

interface Stand {
  readonly told: (LostRange | null)[]
  readonly partition: MemoryPartition
  readonly shipper: Shipper
  /** Waited for when the topic is gone. */
  gone: Promise<void>
  goneSeen: number
}

function shipperOf(log: FileLog, known: Placed | null = null): Stand {
  const [partition, told] = [new MemoryPartition(), [] as (LostRange | null)[]]
  const stand: Omit<Stand, 'shipper'> = { gone: Promise.resolve(), goneSeen: 0, partition, told }
  const shipper = new Shipper({
    compression: 0, key: 'n1', known, log, logger: silentLogger, place: partition.place(clock, log), stream: 'connections',
    onAcknowledged: () => {},
    onFailure: () => {},
    onGone: () => {
      stand.goneSeen += 1
      return stand.gone
    },
    onReplaced: (lost) => void told.push(lost),
    refill: async () => {},
    sends: { sample: () => {} },
  })
  return Object.assign(stand, { shipper })
}

const refused = (): Error => protocolError('NOT_ENOUGH_REPLICAS')

test('a place that is kept of records that this node does not have acknowledges none of those that come', async () => {
  const log = await logOf(3)
  const { partition, shipper } = shipperOf(log, { leafHash: 'x', offset: 50, sequence: 50 })
  expect(shipper.acknowledged).toBe(3)
  expect(shipper.shipped).toBeNull()
  await append(log, 'new')
  let isAcknowledged = false
  const acknowledged = shipper.whenAcknowledged(3).then(() => (isAcknowledged = true))
  partition.refuses = refused
  shipper.start()
  await until(() => partition.refused > 1)
  expect(isAcknowledged).toBe(false)
  partition.refuses = () => null
  await acknowledged
  expect(partition.values.length).toBe(4)
  await shipper.stop()
})

test('what was cut here counts as acknowledged, also by a place that is older', async () => {
  const log = await logOf(12)
  const cut = await cutAt(log, 1)
  expect(shipperOf(log, null).shipper.acknowledged).toBe(cut)
  expect(shipperOf(log, { leafHash: 'x', offset: 0, sequence: 0 }).shipper.acknowledged).toBe(cut)
  expect(shipperOf(log, { leafHash: 'x', offset: 10, sequence: 10 }).shipper.acknowledged).toBe(11)
})

test('a topic that has lost everything is told of once, however often it can not be filled, and told of again when that happens again', async () => {
  const log = await logOf(12)
  const lost = { first: 0, last: (await cutAt(log, 1)) - 1 }
  const { partition, shipper, told } = shipperOf(log)
  partition.refuses = refused
  shipper.start()
  await until(() => partition.refused > 5)
  expect(told).toEqual([lost])
  partition.refuses = () => null
  await shipper.whenAcknowledged(11)
  expect(told).toEqual([lost])

  partition.replace([])
  await append(log, 'next')
  await until(() => told.length > 1)
  await shipper.whenAcknowledged(12)
  expect(told).toEqual([lost, lost])
  await until(() => partition.values.length >= 13 - lost.last)
  await shipper.stop()
})

test('a loss that gets larger before anything was sent is told of', async () => {
  const log = await logOf(12)
  const records = await readAll(log, 'connections')
  const last = (await cutAt(log, 1)) - 1
  const { partition, shipper, told } = shipperOf(log)
  partition.replace(records.slice(0, 2).map(({ bytes }) => bytes))
  partition.refuses = refused
  shipper.start()
  await until(() => partition.refused > 2)
  partition.replace([])
  const before = partition.refused
  await until(() => partition.refused > before + 3)
  expect(told).toEqual([{ first: 2, last }, { first: 0, last }])
  await shipper.stop()
})

test('a topic that was filled again by others is news when it is replaced once more', async () => {
  const log = await logOf(4)
  const records = await readAll(log, 'connections')
  const { partition, shipper, told } = shipperOf(log)
  shipper.start()
  await shipper.whenAcknowledged(3)
  for (const round of [1, 2]) {
    partition.replace([Buffer.from(`{"round":${round}}`), ...records.map(({ bytes }) => bytes)])
    const sessions = told.length
    shipper.distrust()
    await until(() => told.length > sessions)
  }
  expect(told).toEqual([null, null])
  await shipper.stop()
})

test('nothing is sure to be in a topic while it is gone', async () => {
  const log = await logOf(4)
  const stand = shipperOf(log)
  const { partition, shipper } = stand
  shipper.start()
  await until(() => shipper.shipped?.sequence === 3)
  const { promise: there, resolve: makeIt } = Promise.withResolvers<void>()
  stand.gone = there
  partition.replace([])
  await append(log, 'next')
  await until(() => stand.goneSeen > 0)
  expect(shipper.shipped).toBeNull()
  makeIt()
  await until(() => shipper.shipped?.sequence === 4)
  expect(partition.values.length).toBeGreaterThan(4)
  await shipper.stop()
})

test.for([
  ['a send has found that it is another one, and nobody can look', 'connecting'],
  ['it is being looked at', 'asking'],
] as const)('nothing is sure to be in a topic while %s', async ([, step]) => {
  const log = await logOf(4)
  const { partition, shipper } = shipperOf(log)
  shipper.start()
  await until(() => shipper.shipped?.sequence === 3)
  const { promise: held, resolve: go } = Promise.withResolvers<void>()
  let isHeld = false
  partition[step] = () => {
    isHeld = true
    return held
  }
  if (step === 'connecting') partition.replace([])
  else partition.refuses = refused
  await append(log, 'next')
  await until(() => isHeld)
  expect(shipper.shipped).toBeNull()
  partition.refuses = () => null
  go()
  await until(() => shipper.shipped?.sequence === 4)
  await shipper.stop()
})
