import { join } from 'node:path'
import { expect, test } from 'vitest'
import { serveOnSocket, socketName } from '../../src/api/socket.ts'
import { nodeCommand, nodesCommand } from '../../src/cli/nodes.ts'
import { systemDisk } from '../../src/core/system/disk.ts'
import { silentAfterMs } from '../../src/live/cluster-view.ts'
import { harness } from '../api/harness.ts'
import { ManualClock, settled } from '../support/manual-clock.ts'
import { MemoryCluster } from '../support/memory-cluster.ts'
import { PlayedNode } from '../support/played-node.ts'
import { folder, makeId, objects, run, serving } from './harness.ts'

test('with a log of its own, the list has this node', async () => {
  await using data = folder()
  await using api = await serving(data)
  const { epoch, run: life } = api.log.writer
  const listed = await run(nodesCommand, ['--data', data.path])
  expect(listed).toMatchObject({ error: null, said: '' })
  expect(listed.out.split('\n')).toEqual([
    expect.stringMatching(/^NAME +STATE +EPOCH +RUN +SINCE +SEEN +REVISION +OPEN +SKEW +VERSION$/),
    expect.stringMatching(new RegExp(`^memory \\(this one\\) +running +${epoch.slice(-8)} +${life.slice(-8)} +\\S+Z +now +0 +0 +- +0\\.0\\.0-test$`)),
    '',
  ])
  expect(objects((await run(nodesCommand, ['--json', '--data', data.path])).out)).toMatchObject([{ name: 'memory', self: true, epoch }])
  expect((await run(nodeCommand, ['retire', 'memory', '--data', data.path])).error).toMatchObject({ problem: 'node_is_self', status: 409 })
})

test('in a cluster, one that is silent can be tried out, retired with a reason, and retired again', async () => {
  await using data = folder()
  const clock = new ManualClock()
  const cluster = new MemoryCluster(clock, makeId)
  const [own, lost] = ['own', 'lost'].map((name) => new PlayedNode(cluster, name, clock, makeId)) as [PlayedNode, PlayedNode]
  await lost.started()
  await lost.reported({ revision: 12, connections_open: 1, clock_skew_ms: -7 })
  await lost.opened()
  await using api = await harness({ clock, log: own.log })
  await using _served = await serveOnSocket(api.app, join(data.path, socketName), { disk: systemDisk })
  await own.started()
  await settled()
  const nodes = async () => (await run(nodesCommand, ['--data', data.path])).out
  const retire = async (...argv: string[]) => run(nodeCommand, ['retire', 'lost', '--data', data.path, ...argv])
  expect(await nodes()).toMatch(/^lost +running .* 2026-11-24T08:00:00\.000Z +12 +1 +-7 ms +0\.1\.0$/m)
  expect((await retire()).error).toMatchObject({ problem: 'node_is_running' })

  clock.advance(silentAfterMs + 1)
  await own.reported()
  await settled()
  expect(await nodes()).toMatch(/^lost +silent /m)
  expect((await retire('--dry-run')).out).toBe('It would retire node lost and close 1 connection on record.\n')
  expect(await retire('--reason', 'burnt', '--ticket', 'CHG-1')).toMatchObject({ error: null, out: 'Node lost is retired; 1 connection closed on record.\n' })
  expect((await api.records('operations')).findLast(({ type }) => type.includes('node.retired'))).toMatchObject({
    data: { change: { reason: 'burnt', ticket: 'CHG-1' }, node: 'lost', origin: { via: 'socket' } },
  })
  await settled()
  expect(await nodes()).toMatch(/^lost +retired /m)
  expect((await retire()).out).toBe('Node lost was retired before; nothing was open.\n')
  expect((await retire('--dry-run')).out).toBe('Nothing would change.\n')
  expect(objects((await retire('--json')).out)).toEqual([{ node: 'lost', state: 'retired', connections_closed: 0, repeated: true }])
})

test('without a server both say that they need one', async () => {
  await using data = folder()
  expect((await run(nodesCommand, ['--data', data.path])).error).toMatchObject({ code: 'no_server' })
  expect((await run(nodeCommand, ['retire', 'x', '--data', data.path])).error).toMatchObject({
    code: 'no_server', message: expect.stringContaining('it takes one to retire a node'),
  })
})
