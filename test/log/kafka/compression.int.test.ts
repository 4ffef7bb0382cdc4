import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { EventLog } from '../../../src/log/event-log.ts'
import { codecNumbers } from '../../../src/log/kafka/connection/codec.ts'
import { draft, labels, readAll, textOf } from '../../support/drafts.ts'
import { freshPrefix } from '../../support/kafka/broker.ts'
import { ownBrokersMissing } from '../../support/kafka/jars.ts'
import { openKafkaLog } from '../../support/kafka/logs.ts'
import { startBroker, type OwnBroker } from '../../support/kafka/own-broker.ts'
import { expectWhole, labelsOf } from '../../support/kafka/topic-checks.ts'
import { MemoryDisk } from '../../support/memory-disk.ts'

/** Compressed batches: small on the wire and on the broker's disk, and read back by us and by others as they were. */

const skipReason = await ownBrokersMissing()
const skipped = skipReason === null ? '' : ` (skipped: ${skipReason})`
const owed = { purpose: 'owed' } as const
/** Shows in a file that it is not compressed. */
const padding = 'x'.repeat(200)

describe.skipIf(skipReason !== null)(`batches compressed with${skipped}`, () => {
  let broker: OwnBroker
  beforeAll(async () => {
    broker = await startBroker()
  }, 60_000)
  afterAll(() => broker[Symbol.asyncDispose]())

  function isPlainOnDisk(prefix: string): boolean {
    const folders = readdirSync(broker.dataFolder).filter((name) => name.startsWith(`${prefix}.`))
    const files = folders.flatMap((name) => readdirSync(join(broker.dataFolder, name)).filter((file) => file.endsWith('.log')).map((file) => join(name, file)))
    return files.some((file) => readFileSync(join(broker.dataFolder, file), 'latin1').includes(padding))
  }

  async function textsOf(log: EventLog): Promise<string[]> {
    return (await readAll(log, 'control')).map(textOf)
  }

  test.for([['none', true], ['gzip', false], ['zstd', false]] as const)('%s', async ([name, plain]) => {
    const { brokers } = broker
    const prefix = freshPrefix()
    const log = await openKafkaLog({ brokers, disk: new MemoryDisk(), node: 'n1', options: { compression: codecNumbers[name] }, prefix })
    const wanted = Array.from({ length: 50 }, (_, index) => `record ${index}`)
    await Promise.all(wanted.map((label) => log.append('control', [draft(label, 2_000)], owed)))
    await Promise.all(wanted.map((label) => log.append('connections', [draft(label, 2_000)], owed)))
    expect(labelsOf(await expectWhole(brokers, prefix, 'control'))).toEqual(wanted)
    expect(labelsOf(await expectWhole(brokers, prefix, 'connections'))).toEqual(wanted)
    const other = await openKafkaLog({ brokers, disk: new MemoryDisk(), node: 'n2', prefix })
    expect(await labels(other, 'control')).toEqual(wanted)
    expect(await textsOf(other)).toEqual(await textsOf(log))
    expect(isPlainOnDisk(prefix)).toBe(plain)
    const kcat = readByKcat(brokers, `${prefix}.control`)
    if (kcat !== null) expect(kcat).toEqual(await textsOf(log))
    await Promise.all([log.close(5_000), other.close(5_000)])
  })
})

/** Null where kcat is not installed. */
function readByKcat(brokers: readonly string[], topic: string): string[] | null {
  try {
    return execFileSync('kcat', ['-C', '-b', brokers.join(','), '-t', topic, '-o', 'beginning', '-e', '-q'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trimEnd().split('\n')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}
