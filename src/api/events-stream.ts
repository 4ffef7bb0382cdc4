import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Stream } from '../../events/define.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import { recordType } from '../live/record-filter.ts'
import type { EventLog, Position, StoredRecord } from '../log/event-log.ts'
import { cursorOf, type Positions } from './events-cursor.ts'

/**
 * Records on their way to a client, as fast as it takes them and no faster: it is the client's pace at which the log is
 * read, so that a slow one holds little memory.
 */

/** Larger batches are written in pieces. */
const chunkBytes = 65_536
/** Shows proxies and clients that the stream lives; keeps the position of a reader up to date whose filter matches little. */
const heartbeatMs = 15_000

/** How a record stands in the answer. `cursor`: where a reader goes on who has got this far. */
export interface Format {
  readonly contentType: string
  readonly frame: (record: StoredRecord, cursor: () => string) => readonly Uint8Array[]
  /** What is sent at the start and while nothing else is; null: nothing. */
  readonly heartbeat: ((cursor: string) => string) | null
}

const newline = Uint8Array.of(0x0a)
const blankLine = Uint8Array.of(0x0a, 0x0a)

export const ndjson: Format = {
  contentType: 'application/x-ndjson',
  frame: ({ bytes }) => [bytes, newline],
  heartbeat: null,
}

/** WHATWG server-sent events. A record is one line, so `data:` takes it as it is. */
export const serverSentEvents: Format = {
  contentType: 'text/event-stream',
  frame: ({ bytes }, cursor) => {
    const head = `id: ${cursor()}\nevent: ${recordType(bytes) ?? 'message'}\ndata: `
    return [Buffer.from(head), bytes, blankLine]
  },
  // An id without data is no event, and yet the one that a client comes back with.
  heartbeat: (cursor) => `: waybill\nid: ${cursor}\n\n`,
}

export interface Outlet {
  readonly clock: Clock
  readonly closing: AbortSignal
  readonly format: Format
  readonly log: Pick<EventLog, 'read'>
  readonly logger: Logger
  readonly matches: ((bytes: Uint8Array) => boolean) | null
  /** Where the reader is; moves on as records go out or are passed over. */
  readonly positions: Positions
  readonly raw: ServerResponse
}

/** One stream of an answer. */
export interface Reading {
  readonly stream: Stream
  readonly follow: boolean
  /** A plain read ends here, whatever is written meanwhile. */
  readonly until: Position | null
}

/** Followed streams are sent side by side, others one after the other. Resolves when all is sent or the client is gone. */
export async function sendRecords(
  outlet: Outlet,
  readings: readonly Reading[],
  onEnd: (reading: Reading, records: number) => Promise<void>,
): Promise<void> {
  const { closing, format, logger, raw } = outlet
  const gone = new AbortController()
  const stop = (): void => gone.abort()
  raw.once('close', stop)
  closing.addEventListener('abort', stop, { once: true })
  if (closing.aborted) stop()
  using _heartbeat = format.heartbeat === null ? null : beating(outlet, format.heartbeat)
  const run = async (reading: Reading): Promise<void> => {
    const records = { count: 0 }
    try {
      await copy(outlet, reading, gone.signal, records)
    } finally {
      await onEnd(reading, records.count)
    }
  }
  try {
    if (readings.some(({ follow }) => follow)) await Promise.all(readings.map(run))
    else for (const reading of readings) await run(reading)
    raw.end()
  } catch (error) {
    // The status is sent: only a broken transfer can still say that what arrived is not all.
    logger.error(`reading events failed: ${messageOf(error)}`, { error })
    raw.destroy()
    stop()
  } finally {
    closing.removeEventListener('abort', stop)
  }
}

function beating({ clock, positions, raw }: Outlet, heartbeat: (cursor: string) => string): Disposable {
  const beat = (): void => {
    // A client that is behind has its bytes to read.
    if (!raw.writableNeedDrain) raw.write(heartbeat(cursorOf(positions)))
  }
  beat()
  return clock.every(heartbeatMs, beat)
}

async function copy(
  outlet: Outlet,
  { follow, stream, until }: Reading,
  signal: AbortSignal,
  records: { count: number },
): Promise<void> {
  const { log, positions, raw } = outlet
  const after = positions.get(stream) ?? null
  if (!follow && (until === null || until === after)) return
  for await (const batch of log.read(stream, { after, follow, signal })) {
    const end = follow ? -1 : batch.findIndex(({ position }) => position === until)
    for (const piece of pieces(outlet, stream, end < 0 ? batch : batch.slice(0, end + 1))) {
      if (signal.aborted) return
      const taken = raw.write(piece.bytes)
      records.count += piece.records
      if (!taken) await drained(raw, signal)
    }
    if (end >= 0) return
  }
}

/** A piece has to be written before anything else is: its cursors say what was sent until then. */
function* pieces(
  { format, matches, positions }: Outlet,
  stream: Stream,
  batch: readonly StoredRecord[],
): Generator<{ readonly bytes: Buffer; readonly records: number }> {
  const cursor = (): string => cursorOf(positions)
  let parts: Uint8Array[] = []
  let [length, records] = [0, 0]
  for (const record of batch) {
    positions.set(stream, record.position)
    if (matches !== null && !matches(record.bytes)) continue
    for (const part of format.frame(record, cursor)) {
      parts.push(part)
      length += part.length
    }
    records += 1
    if (length < chunkBytes) continue
    yield { bytes: Buffer.concat(parts, length), records }
    parts = []
    length = 0
    records = 0
  }
  if (length > 0) yield { bytes: Buffer.concat(parts, length), records }
}

async function drained(raw: ServerResponse, signal: AbortSignal): Promise<void> {
  try {
    await once(raw, 'drain', { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
