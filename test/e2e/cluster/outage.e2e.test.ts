import { describe, expect, test } from 'vitest'
import { connectThrough, echoingBackend, letsIn, routeAll, stillCarries } from './clients.ts'
import { reasonAgainstBroker, reasonAgainstCheck, startRestartableBroker, TestCluster, until, type TestNode } from './cluster.ts'

const missing = (await reasonAgainstBroker()) ?? (await reasonAgainstCheck())

// Skipped only where no broker can be started; its name says why.
describe.skipIf(missing !== null)(`a broker that is away${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  test('stopped or paused: open connections go on, nobody gets in, probes say why, and it ends by itself, on record', async () => {
    await using broker = await startRestartableBroker()
    await using cluster = new TestCluster(broker.brokers)
    await using backend = await echoingBackend()
    const nodes = (await cluster.nodes('n1', 'n2')) as [TestNode, TestNode]
    const [first, second] = nodes
    await routeAll(backend, nodes)
    const carried = (await connectThrough(first))!

    const outages = [
      { away: () => broker.stop(), back: () => broker.start() },
      { away: async () => broker.pause(), back: async () => broker.resume() },
    ]
    for (const { away, back } of outages) {
      await away()
      for (const node of nodes) await until(`${node.name} is not ready`, () => node.ready(), ({ status }) => status === 503)
      expect((await first.ready()).body).toEqual({ reasons: ['log_unavailable'], status: 'not_ready' })
      expect(await stillCarries(carried)).toBe(true)
      expect(await letsIn(second)).toBe(false)
      // A stream that owes nothing is noticed later: until then a change is on the node's own disk, and not confirmed.
      const answers = await changesUntilRefused(first)
      expect(answers.at(-1)).toEqual([503, 'not_applied'])
      expect(answers.slice(0, -1)).toEqual(answers.slice(1).map(() => [503, 'outcome_unknown']))
      await back()
      for (const node of nodes) await until(`${node.name} is ready`, () => node.ready(), ({ status }) => status === 200)
      expect(await stillCarries(carried)).toBe(true)
      expect(await letsIn(second)).toBe(true)
      expect(await second.call('PATCH', '/api/pools/app', { owner: `${second.name} ${Math.random()}` })).toMatchObject({ status: 200 })
    }
    carried.socket.end()
    expect(await cluster.stopAll()).toEqual([0, 0])

    const operations = await cluster.records('operations')
    for (const [name, stream] of [['n1', 'control'], ['n2', 'control'], ['n2', 'connections']]) {
      const troubles = operations.filter(({ data, source, type }) =>
        /log\.(?:failed|restored)\.v1$/.test(type) && data['stream'] === stream && source.includes(`/nodes/${name}/`))
      const facts = troubles.map(({ type }) => type.split('.')[3])
      // A broker that comes back may stumble once more; each of its failures ends all the same.
      expect([name, stream, facts.length >= 4]).toEqual([name, stream, true])
      expect([name, stream, ...facts]).toEqual([name, stream, ...facts.map((_, index) => (index % 2 === 0 ? 'failed' : 'restored'))])
      expect([name, stream, facts.at(-1)]).toEqual([name, stream, 'restored'])
    }
    expect(await cluster.check()).toMatchObject({ passed: true })
  }, 120_000)
})

/** Asks for changes until one is refused before anything was written; what each was answered. */
async function changesUntilRefused(node: TestNode): Promise<(readonly [number, unknown])[]> {
  const answers: (readonly [number, unknown])[] = []
  await until(
    'changes are refused',
    async () => {
      const { body, status } = await node.call('PATCH', '/api/pools/app', { owner: `me ${Math.random()}` })
      const { code } = body as { readonly code: unknown }
      answers.push([status, code])
      return code
    },
    (code) => code !== 'outcome_unknown',
  )
  return answers
}
