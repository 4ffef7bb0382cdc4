import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { z } from 'zod'
import { streams, type Stream } from '../../events/define.ts'
import { LogRead } from '../../events/log.ts'
import { Fault, messageOf } from '../core/errors.ts'
import type { Position, StoredRecord } from '../log/event-log.ts'
import { callerOf } from './caller.ts'
import type { Api, ApiContext } from './context.ts'
import { everyAnswer, Problem, ProblemBody } from './problem.ts'

/**
 * GET /api/events: the exact bytes of the records, one a line, as fast as the client takes them. Reading audit data is
 * itself on record: a plain read when it ends, a following one when it starts and when it ends.
 */

export const eventsContentType = 'application/x-ndjson'
/** Where the answer ends, to go on from with `after`; only for a plain read of one stream. */
export const positionHeader = 'waybill-position'
/** Each holds a connection and a cursor for as long as it likes. */
export const readersMax = 64
/** Larger batches are written in pieces, so that a slow client holds little memory. */
const chunkBytes = 65_536

const EventsQuery = z.strictObject({
  stream: z.enum([...streams, 'all']).default('all'),
  after: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .meta({ description: `A position of this stream, from the ${positionHeader} header of an earlier answer.` }),
  follow: z.enum(['true', 'false']).default('false').transform((text) => text === 'true'),
})

interface Reading {
  readonly stream: Stream
  readonly after: Position | null
  /** A plain read ends here, whatever is written meanwhile; null when it follows. */
  readonly until: Position | null
  readonly follow: boolean
}

export function eventRoutes(app: Api, context: ApiContext): void {
  let readers = 0

  app.route({
    method: 'GET',
    url: '/api/events',
    exposeHeadRoute: false,
    schema: {
      operationId: 'readEvents',
      summary: 'Read records as they are stored, one JSON line each',
      querystring: EventsQuery,
      response: { 422: ProblemBody, 503: ProblemBody },
    },
    handler: async (request, reply) => {
      if (readers >= readersMax) throw new Problem('too_many_readers', `${readers} clients read events already.`)
      readers += 1
      try {
        const { after, follow, stream } = request.query
        const readings = await readingsOf(context, stream, after, follow)
        const caller = callerOf(request)
        if (follow) await Promise.all(readings.map((reading) => note(context, caller, reading, 'started', 0)))
        reply.hijack()
        start(reply.raw, stream === 'all' || follow ? null : readings[0]!.until)
        await answer(context, reply.raw, readings, (reading, records) => note(context, caller, reading, 'ended', records))
      } finally {
        readers -= 1
      }
    },
  })
}

async function readingsOf(
  { log }: ApiContext,
  stream: Stream | 'all',
  after: string | undefined,
  follow: boolean,
): Promise<Reading[]> {
  if (stream === 'all') {
    if (after === undefined) return streams.map((one) => ({ stream: one, after: null, follow, until: log.head(one) }))
    throw new Problem('field_invalid', 'A position belongs to one stream: say which with stream=control, connections or operations.', {
      field: 'after',
    })
  }
  const position = after === undefined ? null : (after as Position)
  const until = log.head(stream)
  if (position !== null && position !== until && !(await hasMore(log, stream, position))) {
    throw new Problem('position_unknown', `Stream ${stream} of this log has no position "${after}".`, { field: 'after' })
  }
  return [{ stream, after: position, follow, until }]
}

/** Positions are opaque, but one that is not the head has something after it, or is none of this log's. */
async function hasMore(log: ApiContext['log'], stream: Stream, after: Position): Promise<boolean> {
  try {
    for await (const batch of log.read(stream, { after, follow: false })) return batch.length > 0
    return false
  } catch (error) {
    if (error instanceof Fault && error.code === 'position_invalid') return false
    throw error
  }
}

function start(raw: ServerResponse, position: Position | null): void {
  raw.writeHead(200, {
    'content-type': eventsContentType,
    ...everyAnswer,
    ...(position === null ? {} : { [positionHeader]: position }),
  })
  // A follower may wait long for its first record; it should know at once that it is let in.
  raw.flushHeaders()
}

async function answer(
  { closing, log, logger }: ApiContext,
  raw: ServerResponse,
  readings: readonly Reading[],
  onEnd: (reading: Reading, records: number) => Promise<void>,
): Promise<void> {
  const gone = new AbortController()
  const stop = (): void => gone.abort()
  raw.once('close', stop)
  closing.addEventListener('abort', stop, { once: true })
  if (closing.aborted) stop()
  const run = async (reading: Reading): Promise<void> => {
    const records = { count: 0 }
    try {
      await copy(log, raw, reading, gone.signal, records)
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

async function copy(
  log: ApiContext['log'],
  raw: ServerResponse,
  { after, follow, stream, until }: Reading,
  signal: AbortSignal,
  records: { count: number },
): Promise<void> {
  if (!follow && (until === null || until === after)) return
  for await (const batch of log.read(stream, { after, follow, signal })) {
    const end = follow ? -1 : batch.findIndex(({ position }) => position === until)
    for (const piece of pieces(end < 0 ? batch : batch.slice(0, end + 1))) {
      if (signal.aborted) return
      const taken = raw.write(piece.bytes)
      records.count += piece.records
      if (!taken) await drained(raw, signal)
    }
    if (end >= 0) return
  }
}

function* pieces(batch: readonly StoredRecord[]): Generator<{ bytes: Buffer; records: number }> {
  let parts: Uint8Array[] = []
  let length = 0
  for (const { bytes } of batch) {
    parts.push(bytes, newline)
    length += bytes.length + 1
    if (length < chunkBytes) continue
    yield { bytes: Buffer.concat(parts, length), records: parts.length / 2 }
    parts = []
    length = 0
  }
  if (length > 0) yield { bytes: Buffer.concat(parts, length), records: parts.length / 2 }
}

const newline = Uint8Array.of(0x0a)

async function drained(raw: ServerResponse, signal: AbortSignal): Promise<void> {
  try {
    await once(raw, 'drain', { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

async function note(
  { notes, logger }: ApiContext,
  { actor, origin }: ReturnType<typeof callerOf>,
  { follow, stream }: Reading,
  outcome: 'ended' | 'started',
  records: number,
): Promise<void> {
  const data = { actor, follow, origin, outcome, records, stream }
  const written = await notes.write(notes.drafts.make(LogRead, `log/${stream}`, data))
  // Whoever looks into why the log is down has to be able to read it, so a read is not refused for want of a record.
  if (!written) logger.warn('a read of audit data is not on record: the log takes no records', data)
}
