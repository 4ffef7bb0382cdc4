import type { z } from 'zod'
import { ConnectionClosed, ConnectionOpened, ConnectionProgress } from '../../events/connection.ts'
import type { EventDefinition } from '../../events/define.ts'
import { NodeLost, NodeReported, NodeStarted, NodeStopped } from '../../events/node.ts'
import type { Clock } from '../../src/core/clock.ts'
import type { MakeId } from '../../src/core/ids.ts'
import { Drafts } from '../../src/log/drafts.ts'
import type { MemoryCluster, MemoryClusterLog } from './memory-cluster.ts'

/** A node of a memory cluster of which a test says what it does. */
export class PlayedNode {
  readonly log: MemoryClusterLog
  readonly drafts: Drafts
  readonly #makeId: MakeId

  constructor(cluster: MemoryCluster, name: string, clock: Clock, makeId: MakeId) {
    this.log = cluster.node(name)
    this.drafts = new Drafts(clock, makeId, name)
    this.#makeId = makeId
  }

  get name(): string {
    return this.log.writer.node
  }

  started(): Promise<void> {
    return this.#write('operations', NodeStarted, `nodes/${this.name}`, NodeStarted.examples[0])
  }

  stopped(): Promise<void> {
    return this.#write('operations', NodeStopped, `nodes/${this.name}`, NodeStopped.examples[0])
  }

  /** Of pool `app` when `pools` is left out. */
  reported(fields: Partial<z.input<typeof NodeReported.data>> = {}): Promise<void> {
    const [example] = NodeReported.examples
    const pools = [{ ...example.pools[0]!, pool: 'app' }]
    const data = { ...example, clock_skew_ms: 0, oldest_open: null, pools, ...fields }
    return this.#write('operations', NodeReported, `nodes/${this.name}`, data)
  }

  lost(whose: { readonly epoch: string; readonly node: string; readonly run: string }): Promise<void> {
    const { epoch, node, run } = whose
    return this.#write('operations', NodeLost, `nodes/${node}`, { connections_closed: 0, epoch, node, run })
  }

  /** Answers the id. */
  async opened(): Promise<string> {
    const id = this.#makeId()
    await this.#write('connections', ConnectionOpened, `connections/${id}`, { ...ConnectionOpened.examples[0], connection_id: id, pool: 'app' })
    return id
  }

  progressed(id: string, bytes: number): Promise<void> {
    const data = { ...ConnectionProgress.examples[0], bytes_to_backend: bytes, bytes_to_client: 2 * bytes, connection_id: id, pool: 'app' }
    return this.#write('connections', ConnectionProgress, `connections/${id}`, data)
  }

  closed(id: string): Promise<void> {
    return this.#write('connections', ConnectionClosed, `connections/${id}`, { ...ConnectionClosed.examples[0], connection_id: id, pool: 'app' })
  }

  async #write<Type extends string, Data extends z.ZodType>(
    stream: 'connections' | 'operations',
    definition: EventDefinition<Type, Data>,
    subject: string,
    data: z.input<Data> & object,
  ): Promise<void> {
    await this.log.append(stream, [this.drafts.make(definition, subject, data)], { purpose: 'owed' })
  }
}
