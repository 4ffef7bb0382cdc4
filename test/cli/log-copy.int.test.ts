import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { streams, type Stream } from '../../events/define.ts'
import { logCommand } from '../../src/cli/log-copy.ts'
import type { Clock } from '../../src/core/clock.ts'
import { systemClock } from '../../src/core/system/clock.ts'
import { systemDisk } from '../../src/core/system/disk.ts'
import type { EventLog } from '../../src/log/event-log.ts'
import { FileLog } from '../../src/log/file/file-log.ts'
import { StoppedLog } from '../../src/log/file/stopped-log.ts'
import { Partitions } from '../../src/log/kafka/topics/partitions.ts'
import { draft, labels, readAll, textOf } from '../support/drafts.ts'
import { fileLogOptions } from '../support/file-logs.ts'
import { freshPrefix, kafkaMissing, sharedBrokers } from '../support/kafka/broker.ts'
import { openKafkaLog, topicRecords } from '../support/kafka/logs.ts'
import { NodeFolder } from '../support/kafka/node-folder.ts'
import { labelsOf, sendRaw, until } from '../support/kafka/topic-checks.ts'
import { MemoryDisk } from '../support/memory-disk.ts'
import { TemporaryFolder } from '../support/waybill.ts'
import { objects, runVerb, Screen } from './harness.ts'

/** `waybill log copy` against a real broker: what a folder and topics have of each other, and when nothing is copied. */

const skipReason = kafkaMissing()
const owed = { purpose: 'owed' } as const
const ofNode = new Partitions({ connections: 4, control: 1, operations: 4 })

interface Copied {
  readonly streams: readonly { readonly stream: Stream; readonly records: number; readonly sent?: number; readonly last_leaf_hash: string | null }[]
  readonly notes: readonly string[]
}

/** Nobody was heard of for a while. */
const later: Clock = {
  after: (ms, then) => systemClock.after(ms, then),
  every: (ms, then) => systemClock.every(ms, then),
  monotonicMs: () => systemClock.monotonicMs(),
  now: () => systemClock.now() + 60_000,
}

function copy(prefix: string, ...words: string[]): Promise<Copied> {
  return copyAt(later, prefix, ...words)
}

async function copyAt(clock: Clock, prefix: string, ...words: string[]): Promise<Copied> {
  const stdout = new Screen()
  const ports = { clock, disk: systemDisk, makeId: randomUUID, pid: process.pid, stderr: new Screen(), stdout }
  const { error, out } = await runVerb(logCommand(ports), stdout, [
    'copy', ...words, '--kafka', sharedBrokers().join(','), '--topic-prefix', prefix, '--kafka-partitions', '4', '--kafka-retention-days', '0', '--json',
  ])
  if (error instanceof Error) throw error
  return objects(out)[0] as unknown as Copied
}

/** A log of an embedded node, over several segments. */
async function embedded(folder: NodeFolder, count: number): Promise<void> {
  await using log = await FileLog.open(fileLogOptions(new MemoryDisk(), {
    clock: systemClock, disk: systemDisk, folder: folder.path, makeId: randomUUID, node: 'n1', segmentBytes: 4_096,
  }))
  for (let index = 0; index < count; index += 1) for (const stream of streams) await log.append(stream, [draft(`${stream} ${index}`, 100)], owed)
}

async function textsOf(log: Pick<EventLog, 'read'>, stream: Stream): Promise<string[]> {
  return (await readAll(log, stream)).map(textOf)
}

function stopped(folder: string): Promise<StoppedLog> {
  return StoppedLog.open({ clock: systemClock, disk: systemDisk, folder, holder: { pid: process.pid, verb: 'test' } })
}

async function textsIn(folder: string): Promise<Record<Stream, string[]>> {
  await using log = await stopped(folder)
  return { connections: await textsOf(log, 'connections'), control: await textsOf(log, 'control'), operations: await textsOf(log, 'operations') }
}

async function inTopics(prefix: string, stream: Stream): Promise<string[]> {
  return (await topicRecords(sharedBrokers(), prefix, stream)).map(({ text }) => text)
}

const skipped = skipReason === null ? '' : ` (skipped: ${skipReason})`

// Without a broker there is nothing to copy from or to; the name of the suite says why there is none.
describe.skipIf(skipReason !== null)(`an embedded log${skipped}`, () => {
  test('is in the topics byte for byte, and comes back the same', async () => {
    using folder = new NodeFolder()
    using there = new TemporaryFolder()
    const prefix = freshPrefix()
    await embedded(folder, 60)
    const before = await textsIn(folder.path)

    const into = await copy(prefix, '--from', folder.path)
    expect(into.streams.map(({ records, sent, stream }) => [stream, records, sent])).toEqual(streams.map((stream) => [stream, 60, 60]))
    for (const stream of streams) expect(await inTopics(prefix, stream)).toEqual(before[stream])

    const back = join(there.path, 'back')
    const out = await copy(prefix, '--to', back)
    expect(out.streams.map(({ last_leaf_hash: hash }) => hash)).toEqual(into.streams.map(({ last_leaf_hash: hash }) => hash))
    expect(await textsIn(back)).toEqual(before)
    await using log = await FileLog.open(fileLogOptions(new MemoryDisk(), { disk: systemDisk, folder: back, makeId: randomUUID }))
    expect(log.writer.node).toBe('n1')
    expect(log.end('control').sequence).toBe(60)
  })

  test('is completed where an earlier copy broke off, whatever came twice; then there is nothing to do', async () => {
    using folder = new NodeFolder()
    const prefix = freshPrefix()
    await embedded(folder, 20)
    const texts = await textsIn(folder.path)
    await openAndClose(prefix)
    const partition = ofNode.of('connections', 'n1')
    const sent = [...texts.connections.slice(0, 7), ...texts.connections.slice(3, 12)]
    await sendRaw(sharedBrokers(), prefix, 'connections', sent.map((value) => ({ partition, value })))

    const completed = await copy(prefix, '--from', folder.path)
    expect(completed.streams.map(({ sent: fresh, stream }) => [stream, fresh])).toEqual([['control', 20], ['connections', 8], ['operations', 20]])
    expect(await inTopics(prefix, 'connections')).toEqual([...sent, ...texts.connections.slice(12)])
    const again = await copy(prefix, '--from', folder.path)
    expect(again.streams.map(({ sent: fresh }) => fresh)).toEqual([0, 0, 0])
  })

  const others: readonly (readonly [string, Stream, 'its' | 'another', (texts: string[]) => string[]])[] = [
    ['what is no record', 'control', 'its', () => ['{"data":{},"sequence":"0","source":"somebody"}']],
    ['its records in another order', 'operations', 'its', (texts) => [texts[1]!, texts[0]!]],
    ['more than it has', 'operations', 'its', (texts) => [...texts, texts[0]!.replace('operations 0', 'operations 9')]],
    ['its records in another partition', 'connections', 'another', (texts) => texts],
  ]

  test.for(others)('is not copied into topics with %s, and nothing is sent', async ([, stream, where, makes]) => {
    using folder = new NodeFolder()
    const prefix = freshPrefix()
    await embedded(folder, 3)
    await openAndClose(prefix)
    const own = ofNode.of(stream, 'n1')
    const partition = where === 'another' ? (own + 1) % 4 : own
    const values = makes((await textsIn(folder.path))[stream])
    await sendRaw(sharedBrokers(), prefix, stream, values.map((value) => ({ partition, value })))
    await expect(copy(prefix, '--from', folder.path)).rejects.toMatchObject({ code: 'topic_not_empty', message: expect.stringContaining(`${prefix}.${stream}`) as string })
    for (const each of streams) expect(await inTopics(prefix, each)).toHaveLength(each === stream ? values.length : 0)
  })

  test('that somebody serves is not copied', async () => {
    using folder = new NodeFolder()
    await using _log = await folder.openAlone()
    await expect(copy(freshPrefix(), '--from', folder.path)).rejects.toMatchObject({ code: 'folder_in_use' })
  })
})

/** Makes the topics, as a node that found them missing. */
async function openAndClose(prefix: string): Promise<void> {
  using empty = new NodeFolder()
  await embedded(empty, 0)
  await copy(prefix, '--from', empty.path)
}

// As above.
describe.skipIf(skipReason !== null)(`a log in topics${skipped}`, () => {
  async function shipped(prefix: string, change: (texts: string[]) => string[]): Promise<void> {
    using folder = new NodeFolder()
    await embedded(folder, 6)
    const texts = await textsIn(folder.path)
    await openAndClose(prefix)
    for (const stream of streams) {
      const values = stream === 'connections' ? change(texts[stream]) : texts[stream]
      await sendRaw(sharedBrokers(), prefix, stream, values.map((value) => ({ partition: ofNode.of(stream, 'n1'), value })))
    }
  }

  test('loses its repeats on the way, and what is no record is left out and said', async () => {
    using there = new TemporaryFolder()
    const prefix = freshPrefix()
    let texts: string[] = []
    await shipped(prefix, (all) => {
      texts = all
      return [...all.slice(0, 4), '{"source":"somebody"}', ...all.slice(1, 4), ...all.slice(4)]
    })
    const out = await copy(prefix, '--to', join(there.path, 'back'))
    expect((await textsIn(join(there.path, 'back'))).connections).toEqual(texts)
    expect(out.notes).toContainEqual(expect.stringContaining('1 messages'))
  })

  const broken: readonly (readonly [string, string, string, (all: string[]) => string[]])[] = [
    ['a missing record', 'records_missing', 'record 3 of ', (all) => all.toSpliced(2, 1)],
    ['a missing beginning', 'records_missing', 'record 2 of ', (all) => all.slice(2)],
    ['a changed record', 'log_contradicted', 'record 3 of ', (all) => all.with(2, all[2]!.replace('connections 2', 'connections 9'))],
  ]

  test.for(broken)('with %s is not copied, and it is named', async ([, code, named, change]) => {
    using there = new TemporaryFolder()
    const prefix = freshPrefix()
    await shipped(prefix, change)
    const back = join(there.path, 'back')
    const copying = copy(prefix, '--to', back)
    await expect(copying).rejects.toMatchObject({ code, message: expect.stringMatching(new RegExp(`${named}/clusters/default/nodes/n1/.*/connections, at offset`)) as string })
    expect(existsSync(back)).toBe(false)
    await expect(copy(prefix, '--to', back)).rejects.toMatchObject({ code: 'folder_not_empty', message: expect.stringContaining('.unfinished') as string })
  })

  test('goes into a new folder only', async () => {
    using there = new TemporaryFolder()
    mkdirSync(join(there.path, 'taken'))
    writeFileSync(join(there.path, 'taken', 'file'), '')
    await expect(copy(freshPrefix(), '--to', join(there.path, 'taken'))).rejects.toMatchObject({ code: 'folder_not_empty' })
  })

  test('that is not there is not made', async () => {
    using there = new TemporaryFolder()
    await expect(copy(freshPrefix(), '--to', join(there.path, 'back'))).rejects.toMatchObject({ code: 'kafka_topics_missing' })
  })
})

// As above.
describe.skipIf(skipReason !== null)(`a log of two nodes${skipped}`, () => {
  test('gives a folder of one of them with all of control, which can be read and goes on in the cluster', async () => {
    const where = { brokers: sharedBrokers(), prefix: freshPrefix() }
    using there = new TemporaryFolder()
    using folder = new NodeFolder()
    const [one, two] = [await folder.open({ ...where, node: 'n1' }), await openKafkaLog({ ...where, disk: new MemoryDisk(), node: 'n2' })]
    for (const label of ['a', 'c']) for (const stream of streams) {
      await one.append(stream, [draft(`${label}1`)], owed)
      await two.append(stream, [draft(`${label}2`)], owed)
    }
    expect([await one.close(5_000), await two.close(5_000)]).toEqual([true, true])

    const back = join(there.path, 'back')
    await expect(copy(where.prefix, '--to', back)).rejects.toMatchObject({ code: 'log_of_many_nodes', message: expect.stringMatching(/2 logs: node "n\d" \(epoch .*node "n\d".*--node NAME/) as string })
    await expect(copy(where.prefix, '--to', back, '--node', 'n3')).rejects.toMatchObject({ code: 'node_unknown' })
    await copy(where.prefix, '--to', back, '--node', 'n1')
    {
      await using log = await stopped(back)
      expect(await labels(log, 'control')).toEqual(labelsOf(await topicRecords(where.brokers, where.prefix, 'control')))
      expect([log.count('control'), log.countOwn('control')]).toEqual([4, 2])
      expect(await labels(log, 'connections')).toEqual(['a1', 'c1'])
    }
    expect(await textsIn(back)).toEqual(await textsIn(folder.path))
    await using again = await folder.open({ ...where, node: 'n1', options: { folder: back, takeOver: true } })
    expect([again.setAside, again.takenBack, again.head('control')]).toEqual([null, 0, '3'])
  })

  test('of a node that had not sent all of its changes: they come behind those of the cluster', async () => {
    const where = { brokers: sharedBrokers(), prefix: freshPrefix() }
    using folder = new NodeFolder()
    const [one, two] = [await folder.open({ ...where, node: 'n1' }), await openKafkaLog({ ...where, disk: new MemoryDisk(), node: 'n2' })]
    await one.append('control', [draft('a')], owed)
    await two.append('control', [draft('b')], owed)
    await until(() => one.head('control') === '1')
    expect([await one.close(5_000), await two.close(5_000)]).toEqual([true, true])
    {
      await using alone = await folder.openAlone()
      await alone.append('control', [draft('c')], owed)
    }
    {
      await using log = await stopped(folder.path)
      expect(await labels(log, 'control')).toEqual(['a', 'b'])
    }
    const elsewhere = freshPrefix()
    await copy(elsewhere, '--from', folder.path)
    expect(labelsOf(await topicRecords(where.brokers, elsewhere, 'control'))).toEqual(['a', 'b', 'c'])
    await using there = await folder.open({ ...where, node: 'n1', prefix: elsewhere })
    expect([there.setAside, there.availability('control')]).toEqual([null, { available: true }])
    expect(await labels(there, 'control')).toEqual(['a', 'b', 'c'])
  })

  test('of which one never changed anything else: what it wrote itself counts, also without the cluster', async () => {
    const where = { brokers: sharedBrokers(), prefix: freshPrefix() }
    using folder = new NodeFolder()
    const log = await folder.open({ ...where, node: 'n1' })
    await log.append('control', [draft('a')], owed)
    await log.close(5_000)
    {
      await using alone = await folder.openAlone()
      await alone.append('control', [draft('b')], owed)
    }
    await using read = await stopped(folder.path)
    expect([read.readsCopy, await labels(read, 'control')]).toEqual([false, ['a', 'b']])
  })

  test('while its node is heard of, it is not copied to be served elsewhere', async () => {
    const where = { brokers: sharedBrokers(), prefix: freshPrefix() }
    using there = new TemporaryFolder()
    await using log = await openKafkaLog({ ...where, disk: new MemoryDisk(), node: 'n1' })
    await log.append('operations', [draft('a')], owed)
    await expect(copyAt(systemClock, where.prefix, '--to', join(there.path, 'back'))).rejects.toMatchObject({ code: 'node_is_running' })
  })
})
