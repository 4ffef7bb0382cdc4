import type { Stream } from '../events/define.ts'
import type { TrailSubject } from './trail-subject.ts'
import type { ConnectionCounts, Trail, TrailEntry } from './trail.ts'

/** A trail as a document, in the words of the API: its entries in the order of their times, and the counts. */
export interface TrailDocument {
  readonly about: TrailSubject
  readonly entries: readonly EntryDocument[]
  /** Entries between the first and the last ones of a stream that are only counted. */
  readonly left_out: Readonly<Record<Stream, number>>
  readonly connections: CountsDocument
}

export interface EntryDocument extends Omit<TrailEntry, 'recordId'> {
  readonly record_id: string
}

export interface CountsDocument {
  readonly opened: number
  readonly closed: number
  readonly closed_because: Readonly<Record<string, number>>
  readonly refused: Readonly<Record<string, number>>
  readonly dial_failures: Readonly<Record<string, number>>
  readonly bytes_to_backend: number
  readonly bytes_to_client: number
}

export function trailDocument({ about, counts, ends }: Trail): TrailDocument {
  const { connections, control, operations } = ends
  // The sort is stable: of what has the same time, a change comes before what followed from it.
  const entries = [control, connections, operations]
    .flatMap(({ first, last }) => [...first, ...last])
    .toSorted((one, other) => (one.time === other.time ? 0 : one.time < other.time ? -1 : 1))
  return {
    about,
    entries: entries.map(({ recordId, ...entry }) => ({ ...entry, record_id: recordId })),
    left_out: { connections: connections.leftOut, control: control.leftOut, operations: operations.leftOut },
    connections: countsDocument(counts),
  }
}

function countsDocument(counts: ConnectionCounts): CountsDocument {
  return {
    opened: counts.opened,
    closed: counts.closed,
    closed_because: sorted(counts.closedBecause),
    refused: sorted(counts.refused),
    dial_failures: sorted(counts.dialFailures),
    bytes_to_backend: counts.bytesToBackend,
    bytes_to_client: counts.bytesToClient,
  }
}

function sorted(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].toSorted(([one], [other]) => (one < other ? -1 : 1)))
}
