import { beforeEach, describe, expect, test } from 'vitest'
import { idMaker } from '../../../src/core/ids.ts'
import { systemClock } from '../../../src/core/system/clock.ts'
import { systemRandom } from '../../../src/core/system/random.ts'
import type { LocalCut } from '../../../src/log/cluster-log.ts'
import type { StoredRecord } from '../../../src/log/event-log.ts'
import type { FileLog } from '../../../src/log/file/file-log.ts'
import type { Placed } from '../../../src/log/kafka/reading/own-records.ts'
import { cutStream } from '../../../src/log/kafka/shipping/local-cut.ts'
import { draft, labels, readAll } from '../../support/drafts.ts'
import { openMemoryLog } from '../../support/file-logs.ts'
import { hastyClock } from '../../support/kafka/hasty-clock.ts'
import { MemoryPartition } from '../../support/kafka/memory-partition.ts'
import { MemoryDisk } from '../../support/memory-disk.ts'

/** A node removes from its disk only what is in the topic, all of it, at that moment. */

const count = 12
const all = Array.from({ length: count }, (_, index) => `c${index}`)

let log: FileLog
let records: readonly StoredRecord[]
let partition: MemoryPartition

beforeEach(async () => {
  log = await openMemoryLog(new MemoryDisk(), { makeId: idMaker(systemClock, systemRandom), recentBytes: 1, segmentBytes: 1_500 })
  for (const label of all) await log.append('connections', [draft(label, 300)], { purpose: 'owed' })
  records = await readAll(log, 'connections')
  partition = new MemoryPartition()
})

interface Wanted {
  readonly mark?: number
  readonly shipped?: () => Placed | null
  readonly record?: (cut: LocalCut) => Promise<void>
}

async function cut({ mark, record = async () => {}, shipped = lastShipped }: Wanted = {}): Promise<LocalCut | null> {
  const recorded: LocalCut[] = []
  const done = await cutStream(
    { closed: new AbortController().signal, file: log, offsetBefore: () => mark ?? null, place: partition.place(hastyClock(100), log), shipped, stream: 'connections' },
    { beforeMs: Date.parse('2030-01-01'), record: (each) => (recorded.push(each), record(each)) },
  )
  if (done !== null) expect(recorded).toEqual([done])
  return done
}

function lastShipped(): Placed {
  return { leafHash: records[count - 1]!.leafHash, offset: 0, sequence: count - 1 }
}

function bytesOf(...sequences: readonly number[]): Uint8Array[] {
  return sequences.map((sequence) => records[sequence]!.bytes)
}

function from(first: number, end = count): Uint8Array[] {
  return bytesOf(...Array.from({ length: end - first }, (_, index) => first + index))
}

async function expectNothingCut(): Promise<void> {
  expect(log.beginning('connections').sequence).toBe(0)
  expect(await labels(log, 'connections')).toEqual(all)
}

/** The last boundary, and with it how much goes. */
function end(): number {
  return log.boundaries('connections').at(-1)!
}

describe('a stream is cut where the topic has', () => {
  test('all of it', async () => {
    const last = end() - 1
    partition.replace(from(0))
    expect(await cut()).toMatchObject({ first: 0, last, leafHash: records[last]!.leafHash, offset: last })
    expect(log.beginning('connections').sequence).toBe(last + 1)
  })


  test('all of it and more: repeats, records of others, one before its turn that comes again', async () => {
    partition.replace([Buffer.from('{}'), ...from(0, 4), ...from(2, 4), ...bytesOf(5), ...from(4)])
    expect(await cut()).toMatchObject({ first: 0 })
  })

  test('what its own retention has left', async () => {
    partition.replace(from(2), 40)
    expect(await cut()).toMatchObject({ first: 0 })
  })

  test.for([3, 90])('all of it, and not behind the mark that was kept (%i)', async (mark) => {
    partition.replace(from(0))
    expect(await cut({ mark })).toMatchObject({ first: 0 })
  })
})

describe('a stream stays whole where the topic', () => {
  const made = (earliest: number, values: () => readonly Uint8Array[], since: number | null = null) => ({ earliest, since, values })
  const topics = {
    'has lost what was before, as one that was deleted and filled by others': made(0, () => from(6)),
    'has a hole': made(0, () => [...from(0, 3), ...from(4)]),
    'has lost what was before, and has kept what is older than this node': made(40, () => [Buffer.from('{}'), Buffer.from('{}'), ...from(6)], 42),
    'has a hole behind what its retention has left': made(40, () => [...from(2, 4), ...from(5)]),
    'has another record among them': made(0, () => [...from(0, 3), Buffer.from(Buffer.from(records[3]!.bytes).toString().replace('xxx', 'yyy')), ...from(4)]),
    'has lost the last ones': made(0, () => from(0, 5)),
    'is empty': made(0, () => []),
  }

  for (const [name, { earliest, since, values }] of Object.entries(topics)) {
    test.for([undefined, 0, 44])(`${name} (mark: %s)`, async (mark) => {
      partition.replace(values(), earliest)
      partition.since = since
      expect(await cut(mark === undefined ? {} : { mark })).toBeNull()
      await expectNothingCut()
    })
  }

  test('was not looked at by whoever fills it', async () => {
    partition.replace(from(0))
    expect(await cut({ shipped: () => null })).toBeNull()
    await expectNothingCut()
  })

  test.for([[], Array.from({ length: count }, () => Buffer.from('{}'))])('is replaced while the cut is put on record, and the shipper has not seen that (%#)', async (values) => {
    partition.replace(from(0))
    expect(await cut({ record: async () => partition.replace(values) })).toBeNull()
    await expectNothingCut()
  })

  test('came into doubt while the cut was put on record', async () => {
    partition.replace(from(0))
    let shipped: Placed | null = lastShipped()
    expect(await cut({ record: async () => void (shipped = null), shipped: () => shipped })).toBeNull()
    await expectNothingCut()
  })
})

test('a bug of ours on the way is not taken for brokers that do not answer', async () => {
  partition.replace(from(0))
  partition.asking = () => Promise.reject(new TypeError('a bug'))
  await expect(cut()).rejects.toThrow(TypeError)
  await expectNothingCut()
})
