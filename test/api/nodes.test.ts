import { describe, expect, test } from 'vitest'
import { idMaker } from '../../src/core/ids.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { silentAfterMs } from '../../src/live/cluster-view.ts'
import { ManualClock, settled } from '../support/manual-clock.ts'
import { MemoryCluster } from '../support/memory-cluster.ts'
import { exampleTraceparent } from '../support/records.ts'
import { PlayedNode } from '../support/played-node.ts'
import { harness, type Harness } from './harness.ts'

/** An API on node `own` of a cluster, beside nodes that the test plays. */
class Cluster {
  readonly clock = new ManualClock()
  readonly #makeId = idMaker(this.clock, systemRandom)
  readonly #cluster = new MemoryCluster(this.clock, this.#makeId)
  readonly own = this.node('own')

  node(name: string): PlayedNode {
    return new PlayedNode(this.#cluster, name, this.clock, this.#makeId)
  }

  async api(): Promise<Harness> {
    const api = await harness({ clock: this.clock, log: this.own.log })
    await this.own.started()
    await settled()
    return api
  }

  /** So that silence of the others means something. */
  async silence(): Promise<void> {
    this.clock.advance(silentAfterMs + 1)
    await this.own.reported()
    await settled()
  }
}

describe('nodes with a log of its own', () => {
  test('there is this one, and it is never stale', async () => {
    await using api = await harness()
    api.open.set('a x:443', { connections: 2, bytesToBackend: 1, bytesToClient: 1 })
    const { epoch, run } = api.log.writer
    const self = {
      name: 'memory', self: true, state: 'running', stale: false, seen_at: null, started_at: expect.stringMatching(/Z$/), epoch, run,
      version: '0.0.0-test', since: null, revision: 0, current_connections: 2, oldest_connection: null, refused: 0, clock_skew_ms: null,
    }
    expect((await api.get('/api/nodes')).json).toEqual({ nodes: [self], caught_up: true })
    await api.post('/api/pools', { name: 'a' })
    expect((await api.get('/api/nodes/memory')).json).toEqual({
      ...self, revision: 1,
      pools: [{ name: 'a', current_connections: 2, total_connections: 0, bytes_to_backend: 1, bytes_to_client: 1, dial_failures: 0 }],
    })
    expect((await api.get('/api/nodes/other')).json).toMatchObject({ code: 'node_unknown', status: 404 })
  })

  test('nobody can be retired', async () => {
    await using api = await harness()
    expect((await api.post('/api/nodes/memory/retire', {})).json).toMatchObject({ code: 'node_is_self', status: 409 })
    expect((await api.post('/api/nodes/other/retire', {})).json).toMatchObject({ code: 'node_unknown', status: 404 })
  })
})

describe('nodes of a cluster', () => {
  test('are shown by name, as they were last heard of', async () => {
    const cluster = new Cluster()
    const [b, z] = [cluster.node('b'), cluster.node('z')]
    await b.started()
    await b.reported({ clock_skew_ms: -3, revision: 9, connections_open: 4, oldest_open: '2026-11-24T07:00:00.000Z' })
    await z.started()
    await z.stopped()
    await using api = await cluster.api()
    const { json } = await api.get('/api/nodes')
    expect(json).toMatchObject({
      caught_up: true,
      nodes: [
        { name: 'b', self: false, state: 'running', stale: false, seen_at: '2026-11-24T08:00:00.000Z', revision: 9, clock_skew_ms: -3, current_connections: 4 },
        { name: 'own', self: true, seen_at: null, clock_skew_ms: 0 },
        { name: 'z', state: 'stopped', stale: false, revision: null },
      ],
    })
    await cluster.silence()
    expect((await api.get('/api/nodes/b')).json).toMatchObject({
      stale: true, current_connections: 0, oldest_connection: null, pools: [{ name: 'app', current_connections: 0, total_connections: 40_338 }],
    })
  })

  test('each has its share in a pool, and the statistics are those of all', async () => {
    const cluster = new Cluster()
    const b = cluster.node('b')
    await b.started()
    const numbers = { bytes_to_backend: 100, bytes_to_client: 200, closed: 3, connections_open: 2, dial_failures: 1, opened: 5 }
    await b.reported({ since: '2026-11-02T08:00:00.000Z', pools: [{ ...numbers, backends_down: 1, pool: 'app' }] })
    await using api = await cluster.api()
    await api.post('/api/pools', { name: 'app', backends: [{ url: 'https://x' }, { url: 'https://y' }] })
    api.open.set('app x:443', { connections: 1, bytesToBackend: 10, bytesToClient: 20 })
    api.live.traffic.since = '2026-11-03T08:00:00.000Z'
    const shown = (await api.get('/api/pools/app')).json
    expect(shown).toMatchObject({
      stats: { total_backends: 2, healthy_backends: 2, current_connections: 3, total_bytes_transferred: 330, since: '2026-11-02T08:00:00.000Z' },
      nodes: [
        { node: 'b', self: false, stale: false, seen_at: '2026-11-24T08:00:00.000Z', since: '2026-11-02T08:00:00.000Z', healthy_backends: 1, current_connections: 2, total_connections: 5, bytes_to_backend: 100, bytes_to_client: 200, dial_failures: 1 },
        { node: 'own', self: true, since: '2026-11-03T08:00:00.000Z', healthy_backends: 2, current_connections: 1, bytes_to_backend: 10, bytes_to_client: 20 },
      ],
      backends: [{ current_connections: 1 }, { current_connections: 0 }],
    })
    expect((await api.get('/api/pools')).json.pools[0].stats).toEqual(shown.stats)
    await cluster.silence()
    // What it carried stays carried; what was open there nobody knows to be open.
    expect((await api.get('/api/pools/app')).json).toMatchObject({
      stats: { current_connections: 1, total_bytes_transferred: 330 }, nodes: [{ node: 'b', stale: true, current_connections: 0 }, { node: 'own' }],
    })
  })
})

describe('retiring a node that never returns', () => {
  async function lostNode(): Promise<{ readonly cluster: Cluster; readonly lost: PlayedNode; readonly open: readonly string[] }> {
    const cluster = new Cluster()
    const lost = cluster.node('lost')
    await lost.started()
    await lost.reported()
    const open = [await lost.opened(), await lost.opened()]
    await lost.closed(await lost.opened())
    return { cluster, lost, open }
  }

  test('closes on record what it left open, says who did it and why, and is done once', async () => {
    const { cluster, lost, open } = await lostNode()
    await using api = await cluster.api()
    await cluster.silence()
    const retired = await api.post('/api/nodes/lost/retire', { change: { ticket: 'CHG-9', reason: 'the machine burnt' } }, { traceparent: exampleTraceparent })
    expect([retired.status, retired.json]).toEqual([200, { node: 'lost', state: 'retired', connections_closed: 2, repeated: false }])
    const actor = { authn: 'none', id: 'loopback', type: 'local' }
    expect(await api.records('connections')).toMatchObject(open.map((id) => ({
      subject: `connections/${id}`, data: { bytes_quality: 'at_least', close: { actor, because: 'node_lost', by: 'operator', phase: 'unknown' } },
    })))
    const { epoch, run } = lost.log.writer
    expect((await api.records('operations')).filter(({ type }) => /node\.(?:lost|retired)/.test(type))).toMatchObject([
      { type: 'dev.waybill.node.lost.v1', subject: 'nodes/lost', data: { connections_closed: 2, epoch, node: 'lost', run } },
      {
        type: 'dev.waybill.node.retired.v1', subject: 'nodes/lost', traceparent: exampleTraceparent,
        data: { actor, change: { ticket: 'CHG-9', reason: 'the machine burnt' }, connections_closed: 2, epoch, node: 'lost', origin: { ip: '127.0.0.1' } },
      },
    ])
    await settled()
    expect((await api.get('/api/nodes/lost')).json).toMatchObject({ state: 'retired', stale: false })

    const before = (await api.records('operations')).length
    expect((await api.post('/api/nodes/lost/retire', undefined as never)).json).toEqual({ node: 'lost', state: 'retired', connections_closed: 0, repeated: true })
    expect((await api.records('operations')).slice(before)).toMatchObject([{ type: 'dev.waybill.access.granted.v1' }])
    expect(await api.records('connections')).toHaveLength(2)
  })

  test('tried out first, it says how many and records nothing', async () => {
    const { cluster } = await lostNode()
    await using api = await cluster.api()
    await cluster.silence()
    expect((await api.post('/api/nodes/lost/retire?dry_run=true', {})).json).toEqual({
      dry_run: true, changes: true, differences: [], open_connections: 2, ends_connections: 0,
    })
    expect(await api.records('connections')).toEqual([])
    expect((await api.get('/api/nodes/lost')).json.state).toBe('running')
  })

  test('one that stopped in order has nothing open', async () => {
    const cluster = new Cluster()
    const gone = cluster.node('gone')
    await gone.started()
    await gone.stopped()
    await using api = await cluster.api()
    expect((await api.post('/api/nodes/gone/retire', {})).json).toEqual({ node: 'gone', state: 'retired', connections_closed: 0, repeated: false })
    expect((await api.records('operations')).some(({ type }) => type.includes('node.lost'))).toBe(false)
  })

  test('is refused while it is heard, of oneself, of nobody, and while this node hears nobody', async () => {
    const { cluster } = await lostNode()
    await using api = await cluster.api()
    const retire = async (name: string) => (await api.post(`/api/nodes/${name}/retire`, {})).json
    expect(await retire('lost')).toMatchObject({ code: 'node_is_running', status: 409, detail: expect.stringContaining('2026-11-24T08:00:00.000Z') })
    expect(await retire('own')).toMatchObject({ code: 'node_is_self', status: 409 })
    expect(await retire('nobody')).toMatchObject({ code: 'node_unknown', status: 404 })
    cluster.clock.advance(silentAfterMs + 1)
    expect(await retire('lost')).toMatchObject({ code: 'cluster_not_followed', status: 503 })
    expect((await api.post('/api/nodes/lost/retire?dry_run=true', {})).json).toMatchObject({ code: 'cluster_not_followed' })
    expect(await retire('no%20name')).toMatchObject({ code: 'field_invalid', status: 422 })
  })

  test('is not done while the log takes no records, and can be done after', async () => {
    const { cluster } = await lostNode()
    await using api = await cluster.api()
    await cluster.silence()
    {
      using _broken = cluster.own.log.breakCommits('connections', 'not_written')
      expect((await api.post('/api/nodes/lost/retire', {})).json).toMatchObject({ code: 'not_applied', status: 503 })
    }
    await cluster.clock.run(2_000)
    expect((await api.post('/api/nodes/lost/retire', {})).json).toMatchObject({ connections_closed: 2 })
  })
})
