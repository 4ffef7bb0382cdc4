import { Fault } from '../../../core/errors.ts'
import type { ClusterPosition, ClusterReadOptions, ClusterRecord } from '../../cluster-log.ts'
import type { NodeWriter } from '../../node-log.ts'
import { positionAt, readCluster, type ClusterTopic } from '../reading/cluster-reader.ts'
import { linkOf } from '../reading/own-records.ts'
import { endsOfTopic } from '../reading/patient-reader.ts'
import { hasEnded } from './life-end.ts'

/** Whether somebody lives under a node's name: two of them would each take the other's records for its own. */

/** A node that wrote something within this time lives. */
export const freshMs = 30_000
/** A living node reports more often. */
const watchMs = 12_000
/** Messages from the end of the partition among which lives are looked for; by time would be by a clock that may be wrong. */
const lookBack = 10_000

interface Life {
  readonly storedMs: number
  readonly ended: boolean
}

/** The question whether a node may have its name, asked once: looking for those who live takes a while. */
export class NameCheck {
  readonly #at: ClusterTopic
  #isFree: boolean

  constructor(at: ClusterTopic, takeOver: boolean) {
    this.#at = at
    this.#isFree = takeOver
  }

  /** Throws a `Fault` when somebody lives under this node's name, be it with this folder's own epoch. */
  async refuseIfAlive(writer: NodeWriter): Promise<void> {
    if (!this.#isFree) await refuseNameInUse(this.#at, writer, null)
    this.#isFree = true
  }

  /** The same of any other epoch: who has the folder's lock has its epoch to itself, unless there is a copy of the folder. */
  async refuseOthers(writer: NodeWriter): Promise<void> {
    if (!this.#isFree) await refuseNameInUse(this.#at, writer, writer.epoch)
  }
}

/** Throws a `Fault` when somebody lives under this node's name, of any epoch but `own`. */
async function refuseNameInUse(at: ClusterTopic, { cluster, node }: NodeWriter, own: string | null): Promise<void> {
  const lives = new Lives(`/clusters/${cluster}/nodes/${node}/`, own)
  let end = await nearEnd(at, node)
  for await (const { position, records } of readCluster(at, { follow: false, from: { after: end }, node })) {
    lives.take(records)
    end = position
  }
  const nowMs = at.clock.now()
  const living = lives.unended().find(([, { storedMs }]) => Math.abs(storedMs - nowMs) <= freshMs)
  if (living !== undefined) throw inUse(cluster, node, living[0], `${Math.max(0, Math.round((nowMs - living[1].storedMs) / 1_000))} s ago`)
  if (lives.unended().length === 0) return
  // Silent for long by this clock, or heard of in its future; were it wrong, the name would be taken from somebody who lives.
  const heard = await heardSince(at, lives, { follow: true, from: { after: end }, node })
  if (heard !== null) throw inUse(cluster, node, heard, 'a moment ago, and the clock of this machine is not that of the brokers')
}

async function nearEnd(at: ClusterTopic, node: string): Promise<ClusterPosition> {
  const { earliest, latest } = await endsOfTopic(at)
  const partition = at.partitionOf(node)
  return positionAt(partition, Math.max(earliest.get(partition) ?? 0, (latest.get(partition) ?? 0) - lookBack))
}

/** Answers the epoch of the first that writes while it is watched; null: none does. */
async function heardSince(at: ClusterTopic, lives: Lives, options: ClusterReadOptions): Promise<string | null> {
  const watching = new AbortController()
  using _enough = at.clock.after(watchMs, () => watching.abort())
  for await (const { records } of readCluster(at, { ...options, signal: watching.signal })) {
    const heard = lives.take(records)
    if (heard !== null) return heard
  }
  return null
}

/** The lives under one name, by their epochs, as far as their records were read. */
class Lives {
  readonly #prefix: string
  readonly #own: string | null
  readonly #byEpoch = new Map<string, Life>()

  constructor(prefix: string, own: string | null) {
    this.#prefix = prefix
    this.#own = own
  }

  unended(): (readonly [string, Life])[] {
    return [...this.#byEpoch].filter(([, { ended }]) => !ended)
  }

  /** Answers the epoch of a life that goes on with these, null if none does. */
  take(records: readonly ClusterRecord[]): string | null {
    const touched = new Set<string>()
    for (const { bytes, storedMs } of records) {
      const source = linkOf(bytes)?.source
      if (source === undefined || !source.startsWith(this.#prefix)) continue
      const epoch = source.slice(this.#prefix.length, source.lastIndexOf('/'))
      if (epoch === this.#own) continue
      const ended = hasEnded(bytes, this.#byEpoch.get(epoch)?.ended ?? false)
      this.#byEpoch.set(epoch, { ended, storedMs })
      touched.add(epoch)
    }
    return [...touched].find((epoch) => this.#byEpoch.get(epoch)?.ended === false) ?? null
  }
}

function inUse(cluster: string, node: string, epoch: string, heard: string): Fault {
  return new Fault(
    'node_name_in_use', 'log',
    `another process writes as node "${node}" of cluster "${cluster}": its log (epoch ${epoch}) was last heard of ${heard}. ` +
      `Give this node another name (--node), stop the other one, wait ${freshMs / 1_000} s if it is dead, or take its name with --take-over true: then it ends.`,
    { canRetry: true },
  )
}
