import { expect, test } from 'vitest'
import { lostSourcesMax } from '../../events/log.ts'
import { sourceOf } from '../../events/envelope.ts'
import { idMaker } from '../../src/core/ids.ts'
import { systemRandom } from '../../src/core/system/random.ts'
import { ClusterView } from '../../src/live/cluster-view.ts'
import { recordLostTopics } from '../../src/live/lost-topics.ts'
import type { TopicLost } from '../../src/log/cluster-log.ts'
import { Notes } from '../../src/log/notes.ts'
import { readAll, textOf } from '../support/drafts.ts'
import { ManualClock, settled } from '../support/manual-clock.ts'
import { MemoryCluster } from '../support/memory-cluster.ts'
import { PlayedNode } from '../support/played-node.ts'

const lostConnections: TopicLost = { lost: { first: 0, last: 9 }, records: 5, stream: 'connections', topic: 't.connections' }

class Stand {
  readonly clock = new ManualClock()
  readonly makeId = idMaker(this.clock, systemRandom)
  readonly cluster = new MemoryCluster(this.clock, this.makeId)
  readonly own = this.node('a')
  readonly errors: { readonly sentence: string; readonly fields: object }[] = []
  readonly logger = { debug: () => {}, info: () => {}, warn: () => {}, error: (sentence: string, fields: object = {}) => void this.errors.push({ fields, sentence }) }
  readonly view = new ClusterView({ clock: this.clock, file: null, log: this.own.log, logger: this.logger, onTakenOver: () => {} })

  node(name: string): PlayedNode {
    return new PlayedNode(this.cluster, name, this.clock, this.makeId)
  }

  record(): Disposable {
    const { clock, logger, own, view } = this
    return recordLostTopics({ clock, drafts: own.drafts, log: own.log, logger, notes: new Notes(own.log), view })
  }

  async recorded(): Promise<Record<string, unknown>[]> {
    await settled()
    const records = (await readAll(this.own.log, 'operations')).map((record) => JSON.parse(textOf(record)) as { data: Record<string, unknown>; type: string })
    return records.filter(({ type }) => type === 'dev.waybill.log.topic_lost.v1').map(({ data }) => data)
  }
}

function sourceIn({ log }: PlayedNode, stream: 'connections' | 'operations'): string {
  return sourceOf('test', log.writer.node, log.writer.epoch, stream)
}

test('names what this node can\'t send again, and the logs of nodes that don\'t run', async () => {
  const stand = new Stand()
  const { clock, own, view } = stand
  const [silent, stopped, running, empty] = ['b', 'c', 'd', 'e'].map((name) => stand.node(name)) as [PlayedNode, PlayedNode, PlayedNode, PlayedNode]
  for (const node of [own, silent, stopped, running, empty]) await node.started()
  // Its folder was lost, and what it had left open is not closed yet.
  const again = stand.node('e')
  await again.started()
  await stopped.stopped()
  await view.start()
  await clock.run(25_000)
  for (const node of [own, running, again]) await node.reported()
  await clock.run(10_000)
  using _recording = stand.record()
  own.log.loseTopic(lostConnections)
  own.log.loseTopic({ lost: null, records: 8, stream: 'control', topic: 't.control' })
  const sources = [silent, stopped, empty].map((node) => sourceIn(node, 'connections')).toSorted()
  expect(await stand.recorded()).toEqual([
    { lost: { first: 0, last: 9 }, lost_sources: sources, lost_sources_truncated: false, records: 5, stream: 'connections', topic: 't.connections' },
    { lost: null, lost_sources: [], lost_sources_truncated: false, records: 8, stream: 'control', topic: 't.control' },
  ])
  expect(stand.errors).toEqual([{ fields: { sources, truncated: false }, sentence: expect.stringContaining('nobody sends again what these logs had in t.connections') }])
  await view.stop()
})

test('silence says nothing while this node does not hear itself', async () => {
  const stand = new Stand()
  const { clock, own, view } = stand
  for (const node of [own, stand.node('b')]) await node.started()
  await view.start()
  await clock.run(40_000)
  using _recording = stand.record()
  own.log.loseTopic(lostConnections)
  expect(await stand.recorded()).toMatchObject([{ lost_sources: [] }])
  await view.stop()
})

test('more than a record holds are cut, and it says so; what was lost before anybody listened is told then', async () => {
  const stand = new Stand()
  const { own, view } = stand
  await own.started()
  for (let number = 0; number < lostSourcesMax + 1; number += 1) {
    const node = stand.node(`${'long'.repeat(20)}-${number}`)
    await node.started()
    await node.stopped()
  }
  own.log.loseTopic(lostConnections)
  const recording = stand.record()
  const [data] = await stand.recorded()
  expect(data!['lost_sources']).toHaveLength(lostSourcesMax)
  expect(data).toMatchObject({ lost_sources_truncated: true })
  recording[Symbol.dispose]()
  own.log.loseTopic(lostConnections)
  expect(await stand.recorded()).toHaveLength(1)
  await view.stop()
})
