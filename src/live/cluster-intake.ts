import { readRecord } from '../../events/catalog.ts'
import type { EventType, Recorded } from '../../projections/projection.ts'
import type { ClusterRecord, NodeStream } from '../log/cluster-log.ts'
import { recordType } from './record-filter.ts'

/**
 * What stands between everybody's records and a fold of them: picks the types that the fold handles, reads only those,
 * drops repeats by (source, sequence). What is no record of this cluster is counted and passed over: whoever may write
 * to the topic may have put it there.
 */

/** Each start with an empty folder is another source: past this the one that was silent for the longest is forgotten. */
const sourcesMax = 4_096

/** The last sequence that was taken, by source. */
export type SourceHeads = ReadonlyMap<string, string>

export class ClusterIntake {
  readonly #prefix: string
  readonly #suffix: string
  readonly #types: ReadonlySet<string>
  readonly #heads: Map<string, string>
  #malformed = 0

  constructor(cluster: string, stream: NodeStream, types: readonly string[], from: SourceHeads = new Map()) {
    this.#prefix = `/clusters/${cluster}/nodes/`
    this.#suffix = `/${stream}`
    this.#types = new Set(types)
    this.#heads = new Map(from)
  }

  /** Records that are not readable, or of another cluster. */
  get malformed(): number {
    return this.#malformed
  }

  /** Null: not one of the types, not readable, or taken before. */
  take<Event extends { readonly type: EventType }>({ bytes, leafHash }: ClusterRecord): Recorded<Event> | null {
    const type = recordType(bytes)
    if (type !== null && !this.#types.has(type)) return null
    const reading = readRecord(bytes)
    if (reading.kind !== 'event' || !this.#isOurs(reading.event.source)) {
      this.#malformed += 1
      return null
    }
    const { event } = reading
    return this.#isNew(event) ? { event: event as unknown as Event, leafHash } : null
  }

  /** As of the last record taken: later ones change nothing in it. */
  heads(): SourceHeads {
    return new Map(this.#heads)
  }

  #isOurs(source: string): boolean {
    return source.startsWith(this.#prefix) && source.endsWith(this.#suffix)
  }

  #isNew({ sequence, source }: { readonly sequence: string; readonly source: string }): boolean {
    const head = this.#heads.get(source)
    // Twenty digits each: the order of the texts is that of the numbers.
    if (head !== undefined && sequence <= head) return false
    this.#heads.delete(source)
    this.#heads.set(source, sequence)
    const [silent] = this.#heads.keys()
    if (this.#heads.size > sourcesMax && silent !== undefined) this.#heads.delete(silent)
    return true
  }
}
