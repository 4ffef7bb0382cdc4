import { readRecord } from '../../events/catalog.ts'
import { streams, type Stream } from '../../events/define.ts'
import { apply } from '../../projections/projection.ts'
import { needlesOf, type TrailSubject } from '../../projections/trail-subject.ts'
import { trailOf, type Trail } from '../../projections/trail.ts'
import { LogDamaged, type EventLog, type StoredRecord } from '../log/event-log.ts'
import { Intake } from './intake.ts'

/**
 * Folds the trail of one thing out of the whole log, for the API and the command line alike. Of connections and
 * operations only the records whose bytes name it are parsed.
 */

export interface ReadTrailOptions {
  /** Ends the reading early; the trail is then that of what was read. */
  readonly signal?: AbortSignal
  /** Told of every batch, for those who show progress. */
  readonly onRead?: (stream: Stream, records: number) => void
}

export interface TrailFound {
  readonly trail: Trail
  /** Why the changes are told only up to some point: a newer node wrote a kind that this version does not know. */
  readonly changesEnd: string | null
}

/** Reads up to the heads as of now. Throws `LogDamaged` when stored bytes are not records. */
export async function readTrail(
  log: Pick<EventLog, 'read'>,
  about: TrailSubject,
  { onRead, signal }: ReadTrailOptions = {},
): Promise<TrailFound> {
  const reading = new TrailReading(about)
  for (const stream of streams) {
    for await (const batch of log.read(stream, { after: null, follow: false, ...(signal === undefined ? {} : { signal }) })) {
      for (const record of batch) reading.take(stream, record)
      onRead?.(stream, batch.length)
    }
  }
  return reading.found()
}

class TrailReading {
  readonly #projection: ReturnType<typeof trailOf>
  readonly #needles: readonly Buffer[]
  readonly #changes: Intake
  #trail: Trail
  #changesEnd: string | null = null

  constructor(about: TrailSubject) {
    this.#projection = trailOf(about)
    this.#trail = this.#projection.initial()
    this.#needles = needlesOf(about).map((needle) => Buffer.from(needle))
    this.#changes = new Intake('control', (kind, detail) => {
      if (kind === 'malformed') throw new LogDamaged(detail)
      // As for routing: what came after a change that nobody understood can't be told effective from void.
      this.#changesEnd ??= `${kind}: ${detail}`
    })
  }

  take(stream: Stream, record: StoredRecord): void {
    if (stream === 'control') this.#takeChange(record)
    else if (this.#isNamedIn(record.bytes)) this.#takeOther(stream, record)
  }

  found(): TrailFound {
    return { trail: this.#trail, changesEnd: this.#changesEnd }
  }

  #takeChange(record: StoredRecord): void {
    const recorded = this.#changes.take(record, undefined)
    if (recorded !== null && this.#changesEnd === null) this.#trail = apply(this.#projection, this.#trail, recorded)
  }

  #takeOther(stream: Stream, { bytes, leafHash, position }: StoredRecord): void {
    const reading = readRecord(bytes)
    if (reading.kind === 'malformed') throw new LogDamaged(`record at ${position} of ${stream} is not readable: ${reading.problem}`)
    if (reading.kind === 'event') this.#trail = apply(this.#projection, this.#trail, { event: reading.event, leafHash })
  }

  #isNamedIn(bytes: Uint8Array): boolean {
    const record = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    return this.#needles.some((needle) => record.includes(needle))
  }
}
