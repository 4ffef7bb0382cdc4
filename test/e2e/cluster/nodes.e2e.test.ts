import { createHash, randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { freshPrefix, kafkaMissing, sharedBrokers } from '../../support/kafka/broker.ts'
import type { Tap } from '../../support/peers.ts'
import { connectThrough, echoingBackend, letsIn, routeAll, stillCarries } from './clients.ts'
import { reasonAgainstCheck, TestCluster, until, type Answer, type SourcedRecord, type TestNode } from './cluster.ts'

const missing = kafkaMissing() ?? (await reasonAgainstCheck())
const timeoutMs = 150_000
const changesAtOnce = 10

// Skipped only where there is no broker; its name says why. Side by side, because one waits until a node counts as silent.
describe.skipIf(missing !== null)(`nodes that share a log${missing === null ? '' : ` (skipped: ${missing})`}`, { concurrent: true }, () => {
  test('of changes on two nodes with the same If-Match one wins, the other one is told so, and all route by it', async () => {
    await using cluster = new TestCluster(sharedBrokers(), freshPrefix())
    await using backend = await echoingBackend()
    const [first, second, third] = (await cluster.nodes('n1', 'n2', 'n3')) as [TestNode, TestNode, TestNode]
    const nodes = [first, second, third]
    await routeAll(backend, nodes)
    for (let round = 0; round < changesAtOnce; round++) {
      const { etag } = await first.call('GET', '/api/pools/app')
      const answers = await Promise.all([first, second].map((node) =>
        node.call('PATCH', '/api/pools/app', { owner: `${node.name} in ${round}` }, { 'if-match': etag! })))
      expect(answers.map(({ status }) => String(status)).toSorted()).toEqual(['200', '412'])
      const winner = answers.find(({ status }) => status === 200)!
      for (const node of nodes) {
        const seen = await until(`${node.name} has it`, () => node.call('GET', '/api/pools/app'), (answer) => answer.etag === winner.etag)
        expect(seen.body.owner).toBe(winner.body.owner)
      }
    }
    // Without a condition both are made, one on top of the other.
    const both = await Promise.all([
      first.call('PATCH', '/api/pools/app', { owner: 'somebody' }), second.call('PATCH', '/api/pools/app', { business_need: 'some' }),
    ])
    expect(both.map(({ status }) => status)).toEqual([200, 200])
    const hasBoth = ({ body }: Answer): boolean => body.owner === 'somebody' && body.business_need === 'some'
    for (const node of nodes) await until(`${node.name} has both`, () => node.call('GET', '/api/pools/app'), hasBoth)
    expect(await cluster.stopAll()).toEqual([0, 0, 0])
    expect(await cluster.check()).toMatchObject({ passed: true })
  }, timeoutMs)

  test('a name in use keeps a newcomer out until it takes the name over; then the older one ends', async () => {
    await using cluster = new TestCluster(sharedBrokers(), freshPrefix())
    await using backend = await echoingBackend()
    const older = await cluster.node('n1')
    const newer = await cluster.node('n1', 'another folder')
    await older.start('--drain-timeout-ms', '500')
    await routeAll(backend, [older])
    const carried = await connectThrough(older)
    await expect(newer.start()).rejects.toThrow(/another process writes as node "n1".*--node.*--take-over/s)
    expect(await stillCarries(carried!)).toBe(true)
    await newer.start('--take-over', 'true')
    expect(await older.ended()).toBe(1)
    expect(await letsIn(newer)).toBe(true)
    expect(await cluster.stopAll()).toEqual([0])
    const ended = (await cluster.records('operations')).filter(({ type }) => type === 'dev.waybill.node.stopped.v1')
    expect(ended.map(({ data }) => data['because'])).toEqual(['taken_over', 'signal'])
    expect(await cluster.check()).toMatchObject({ passed: true })
  }, timeoutMs)

  test('a node that meets a kind of change that it does not know keeps its routing, refuses changes and is not ready', async () => {
    await using cluster = new TestCluster(sharedBrokers(), freshPrefix())
    await using backend = await echoingBackend()
    const nodes = (await cluster.nodes('n1', 'n2')) as [TestNode, TestNode]
    await routeAll(backend, nodes)
    const last = (await cluster.records('control')).findLast(({ revision }) => revision !== undefined)!
    await cluster.produce('control', 'control', changeOfANewerNode(last))
    for (const node of nodes) {
      await until(`${node.name} is not ready`, () => node.ready(), ({ body }) => body.reasons?.includes('configuration_frozen'))
      expect(await node.call('PATCH', '/api/pools/app', { owner: 'me' })).toMatchObject({ status: 503, body: { code: 'configuration_frozen' } })
      expect(await letsIn(node)).toBe(true)
    }
    await nodes[0].stop()
    await nodes[0].start()
    expect(await nodes[0].ready()).toMatchObject({ status: 503, body: { reasons: ['configuration_frozen'] } })
    expect(await letsIn(nodes[0])).toBe(true)
    expect(await cluster.stopAll()).toEqual([0, 0])
    expect(await cluster.check()).toMatchObject({ passed: true })
  }, timeoutMs)

  test('what a killed node left open is closed on record: by who retires it, or by who has its name on another folder', async () => {
    await using cluster = new TestCluster(sharedBrokers(), freshPrefix())
    await using backend = await echoingBackend()
    const [stays, retired, loses] = (await cluster.nodes('stays', 'retired', 'loses')) as [TestNode, TestNode, TestNode]
    await routeAll(backend, [stays, retired, loses])
    const kept = await openThrough(stays, 1)
    await openThrough(retired, 3)
    await openThrough(loses, 2)
    expect(await stays.verb('node', 'retire', 'retired')).toMatchObject({ code: 1, stderr: expect.stringContaining('it runs') })
    await Promise.all([retired.kill(), loses.kill()])
    const successor = await cluster.node('loses', 'an empty folder')
    await successor.start('--take-over', 'true')

    await until('it is silent', () => stays.call('GET', '/api/nodes/retired'), ({ body }) => body.stale, 60_000)
    expect((await stays.verb('nodes')).stdout).toMatch(/^retired\s+silent/m)
    const said = await stays.verb('node', 'retire', 'retired', '--reason', 'it burnt')
    expect(said).toMatchObject({ code: 0, stdout: expect.stringContaining('3 connections closed on record') })
    expect(await stays.verb('node', 'retire', 'retired')).toMatchObject({ code: 0, stdout: expect.stringContaining('was retired before') })
    await until('it is retired for all', () => successor.call('GET', '/api/nodes/retired'), ({ body }) => body.state === 'retired')
    await until('the other one is closed', () => lostIn(cluster), (lost) => lost.length === 5, 90_000)
    expect(await stillCarries(kept[0]!)).toBe(true)
    kept[0]!.socket.end()

    expect(await cluster.stopAll()).toEqual([0, 0])
    const told = (await cluster.records('operations')).filter(({ type }) => type === 'dev.waybill.node.lost.v1')
    expect(told.map(({ data, source }) => `${data['node']} with ${data['connections_closed']}, by ${source.split('/')[4]}`).toSorted())
      .toEqual(['loses with 2, by loses', 'retired with 3, by stays'])
    expect(await cluster.check()).toMatchObject({ passed: true })
  }, timeoutMs)
})

async function openThrough(node: TestNode, count: number): Promise<Tap[]> {
  return Promise.all(Array.from({ length: count }, async () => (await connectThrough(node))!))
}

async function lostIn(cluster: TestCluster): Promise<SourcedRecord[]> {
  const records = await cluster.records('connections')
  return records.filter(({ data, type }) => type === 'dev.waybill.connection.closed.v1' && data['close'].because === 'node_lost')
}

/** The next change after `last`, of a type that does not exist yet, as a node of its own would write it. */
function changeOfANewerNode(last: SourcedRecord): string {
  return JSON.stringify({
    basis: createHash('sha256').update(`\0${JSON.stringify(last)}`).digest('base64'),
    data: { pool: 'app' }, hashver: 1, id: randomUUID(), partitionkey: 'control', prevhash: Buffer.alloc(32).toString('base64'),
    revision: last.revision! + 1, run: randomUUID(), sequence: '0'.repeat(20), source: '/clusters/default/nodes/newer/e1/control',
    specversion: '1.0', subject: 'pools/app', time: new Date().toISOString(), type: 'dev.waybill.pool.teleported.v1',
  })
}
