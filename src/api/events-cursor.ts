import { streams, type Stream } from '../../events/define.ts'
import { Fault } from '../core/errors.ts'
import type { EventLog, Position } from '../log/event-log.ts'
import { Problem } from './problem.ts'

/**
 * Where a read of the log begins and how far it came, as one text that callers hand back: the position of one stream, or
 * the positions of all three.
 */

/** Words for a place that needs no position: before the first record, and after the newest. */
export const places = { start: 'start', now: 'now' } as const

export type Selection = Stream | 'all'
/** Of the streams that are read; null: before the first record. */
export type Positions = Map<Stream, Position | null>

const allPrefix = 'all:'

function selected(selection: Selection): readonly Stream[] {
  return selection === 'all' ? streams : [selection]
}

/** Made of any positions; `positionsAt` reads it. Has no spaces, line ends or quotes. */
export function cursorOf(positions: Positions): string {
  const texts = [...positions.values()]
  if (texts.length === 1) return texts[0] ?? places.start
  return allPrefix + texts.map((position) => encodeURIComponent(position ?? '')).join(',')
}

/** Throws a `Problem` for a text that is none, or that names what is not in this log. */
export async function positionsAt(
  log: Pick<EventLog, 'head' | 'read'>,
  selection: Selection,
  cursor: string,
): Promise<Positions> {
  const wanted = selected(selection)
  if (cursor === places.start) return new Map(wanted.map((stream) => [stream, null]))
  if (cursor === places.now) return new Map(wanted.map((stream) => [stream, log.head(stream)]))
  const positions: Positions = new Map(
    wanted.map((stream, index) => [stream, selection === 'all' ? partOf(cursor, index) : (cursor as Position)]),
  )
  for (const [stream, position] of positions) {
    if (position === null || position === log.head(stream) || (await hasMore(log, stream, position))) continue
    throw new Problem('position_unknown', `Stream ${stream} of this log has no position "${position}".`, { field: 'after' })
  }
  return positions
}

function partOf(cursor: string, index: number): Position | null {
  const parts = cursor.startsWith(allPrefix) ? cursor.slice(allPrefix.length).split(',') : []
  if (parts.length !== streams.length) {
    const sentence = 'This position belongs to one stream: say which with stream=control, connections or operations.'
    throw new Problem('field_invalid', sentence, { field: 'after' })
  }
  const part = parts[index]!
  try {
    return part === '' ? null : (decodeURIComponent(part) as Position)
  } catch {
    throw new Problem('position_unknown', `"${part}" is not a position.`, { field: 'after' })
  }
}

/** Positions are opaque, but one that is not the head has something after it, or is none of this log's. */
async function hasMore(log: Pick<EventLog, 'read'>, stream: Stream, after: Position): Promise<boolean> {
  try {
    for await (const batch of log.read(stream, { after, follow: false })) return batch.length > 0
    return false
  } catch (error) {
    if (error instanceof Fault && error.code === 'position_invalid') return false
    throw error
  }
}
