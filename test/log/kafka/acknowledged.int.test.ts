import { describe, expect, test } from 'vitest'
import { streams } from '../../../events/define.ts'
import { logAcknowledged } from '../../../src/core/channels.ts'
import { draft } from '../../support/drafts.ts'
import { freshPrefix, kafkaMissing, sharedBrokers } from '../../support/kafka/broker.ts'
import { openKafkaLog } from '../../support/kafka/logs.ts'
import { MemoryDisk } from '../../support/memory-disk.ts'

const skipReason = kafkaMissing()

describe.skipIf(skipReason !== null)(`who measures${skipReason === null ? '' : ` (skipped: ${skipReason})`}`, () => {
  test('is told of every record that Kafka has acknowledged, once', async () => {
    const told = { control: 0, connections: 0, operations: 0 }
    const tooShort: number[] = []
    using _hears = logAcknowledged.listen(({ ms, records, stream }) => {
      told[stream] += records
      if (ms <= 0) tooShort.push(ms)
    })
    const log = await openKafkaLog({ brokers: sharedBrokers(), disk: new MemoryDisk(), node: 'n1', prefix: freshPrefix() })
    for (const [index, stream] of streams.entries()) {
      for (let count = 0; count <= index; count += 1) await log.append(stream, [draft('a'), draft('b')], { purpose: 'owed' })
    }
    expect(await log.close(5_000)).toBe(true)
    expect(told).toEqual({ control: 2, connections: 4, operations: 6 })
    expect(tooShort).toEqual([])
  })
})
