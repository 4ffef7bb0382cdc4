import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { freshPrefix, kafkaMissing, sharedBrokers } from '../../support/kafka/broker.ts'
import { plainHello, tcpClient, type Peer } from '../../support/peers.ts'
import { rawLines, runWaybill, startWaybill, TemporaryFolder, type RunningWaybill } from '../../support/waybill.ts'
import { echoingBackend } from './clients.ts'
import { reasonAgainstCheck, TestCluster, type TestNode } from './cluster.ts'

/** A node without Kafka moves to Kafka and back, with the same pools and the same records, as an operator does it. */

const missing = kafkaMissing() ?? (await reasonAgainstCheck())
const timeoutMs = 150_000
const streams = ['control', 'connections', 'operations'] as const
type Digests = Readonly<Record<(typeof streams)[number], readonly string[]>>

/** SHA-256 of every record, in order. */
function digests(linesOf: (stream: (typeof streams)[number]) => readonly string[]): Digests {
  const of = (stream: (typeof streams)[number]): string[] => linesOf(stream).map((line) => createHash('sha256').update(line).digest('hex'))
  return { connections: of('connections'), control: of('control'), operations: of('operations') }
}

const inFolder = (data: string): Digests => digests((stream) => rawLines(data, stream))

async function inTopics(prefix: string): Promise<Digests> {
  const lines = { connections: await kcat(prefix, 'connections'), control: await kcat(prefix, 'control'), operations: await kcat(prefix, 'operations') }
  return digests((stream) => lines[stream])
}

/** What is in a topic, by nothing of ours, in lines of the format. */
async function kcat(prefix: string, stream: (typeof streams)[number], format = '%s'): Promise<string[]> {
  const words = ['-C', '-e', '-u', '-q', '-b', sharedBrokers().join(','), '-t', `${prefix}.${stream}`, '-f', `${format}\\n`]
  const { stdout } = await promisify(execFile)('kcat', words, { maxBuffer: 1 << 26 })
  return stdout.trimEnd().split('\n')
}

/** Pools, backends, routes and settings, as printed. */
async function stateOf(...where: string[]): Promise<string> {
  const { code, stdout } = await runWaybill(['state', ...where, '--json'])
  expect(code).toBe(0)
  return stdout
}

async function eventsOf(data: string): Promise<Digests> {
  const lines = {} as Record<(typeof streams)[number], string[]>
  for (const stream of streams) {
    const { code, stdout } = await runWaybill(['events', '--data', data, '--stream', stream, '--json'])
    expect(code).toBe(0)
    lines[stream] = stdout.trimEnd().split('\n')
  }
  return digests((stream) => lines[stream])
}

async function used(waybill: RunningWaybill, backend: Peer): Promise<void> {
  expect((await waybill.post('/api/pools', { backends: [{ url: `https://127.0.0.1:${backend.port}` }], name: 'app' })).status).toBe(201)
  for (const name of ['mail', 'shop']) expect((await waybill.post('/api/pools', { name, server_names: [`${name}.example`] })).status).toBe(201)
  for (let count = 0; count < 5; count += 1) {
    const tap = await tcpClient(waybill.port)
    tap.socket.write(plainHello())
    await tap.until(({ length }) => length > 0)
    tap.socket.destroy()
  }
}

async function copied(...words: string[]): Promise<string> {
  const { code, stderr, stdout } = await runWaybill(['log', 'copy', ...words, '--kafka', sharedBrokers().join(',')])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
}

// Without a broker, or without the independent reader, there is nothing to move to or to compare with.
describe.skipIf(missing !== null)(`a log that moves${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  test('to Kafka and back: every record is the same, and every node after it has the same pools', async () => {
    using folder = new TemporaryFolder()
    await using backend = await echoingBackend()
    const [data, back, again] = ['data', 'back', 'again'].map((name) => join(folder.path, name)) as [string, string, string]
    const prefix = freshPrefix()
    const first = await startWaybill(data, ['--node', 'n1'])
    await used(first, backend)
    const state = await stateOf('--api', first.api)
    expect(await first.stop()).toBe(0)
    const written = inFolder(data)
    expect(await stateOf('--data', data)).toBe(state)
    expect(written.connections.length).toBeGreaterThanOrEqual(10)

    expect(await copied('--from', data, '--topic-prefix', prefix)).toContain('byte for byte')
    expect(await inTopics(prefix)).toEqual(written)
    const envelopes = new Set(await kcat(prefix, 'connections', '%k %h'))
    expect([...envelopes]).toEqual(['n1 content-type=application/cloudevents+json'])
    await copied('--to', back, '--topic-prefix', prefix)
    expect(inFolder(back)).toEqual(written)
    expect(await eventsOf(back)).toEqual(written)
    expect(await stateOf('--data', back)).toBe(state)
    {
      await using alone = await startWaybill(back)
      expect(await stateOf('--api', alone.api)).toBe(state)
      expect(await alone.stop()).toBe(0)
    }

    await using onKafka = await startWaybill(data, ['--kafka', sharedBrokers().join(','), '--topic-prefix', prefix])
    expect(await stateOf('--api', onKafka.api)).toBe(state)
    expect((await onKafka.post('/api/pools', { name: 'later', server_names: ['later.example'] })).status).toBe(201)
    expect(await onKafka.stop()).toBe(0)
    await copied('--to', again, '--topic-prefix', prefix)
    expect(inFolder(again)).toEqual(inFolder(data))
    await using home = await startWaybill(again)
    expect(await stateOf('--api', home.api)).toBe(await stateOf('--data', data))
  }, timeoutMs)

  test('out of a cluster of two: one node can be looked at without Kafka, and is served only with it', async () => {
    const prefix = freshPrefix()
    const flags = ['--kafka', sharedBrokers().join(','), '--topic-prefix', prefix]
    await using cluster = new TestCluster(sharedBrokers(), prefix)
    const [one, two] = (await cluster.nodes('n1', 'n2')) as [TestNode, TestNode]
    expect((await one.call('POST', '/api/pools', { name: 'app' })).status).toBe(201)
    expect((await two.call('POST', '/api/pools', { name: 'mail', server_names: ['mail.example'] })).status).toBe(201)
    expect(await cluster.stopAll()).toEqual([0, 0])
    const back = join(cluster.folder.path, 'back')
    const refused = await runWaybill(['log', 'copy', '--to', back, ...flags])
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/node "n1".*--node NAME/s) as string })
    const { code, stdout } = await runWaybill(['log', 'copy', '--to', back, '--node', 'n1', ...flags])
    expect({ code, said: stdout }).toMatchObject({ code: 0, said: expect.stringContaining('not without') as string })
    for (const data of [back, one.data]) {
      const state = await stateOf('--data', data)
      for (const name of ['app', 'mail']) expect(state).toContain(`"name":"${name}"`)
      await expect(startWaybill(data)).rejects.toThrow(/--kafka/)
    }
    await using served = await startWaybill(back, flags)
    expect(await served.stop()).toBe(0)
    expect(await cluster.check()).toMatchObject({ passed: true })
  }, timeoutMs)
})
