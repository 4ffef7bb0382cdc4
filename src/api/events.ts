import type { FastifyReply, FastifyRequest } from 'fastify'
import { recordFilter, type RecordFilter } from '../live/record-filter.ts'
import type { Api, ApiContext } from './context.ts'
import { cursorOf, places, positionsAt, type Positions } from './events-cursor.ts'
import { pageOfRecords } from './events-page.ts'
import { ndjson, sendRecords, serverSentEvents, type Format, type Outlet } from './events-stream.ts'
import { everyAnswer, Problem, ProblemBody } from './problem.ts'
import { Readers } from './readers.ts'
import { EventsAnswer, EventsHeaders, EventsQuery, positionHeader } from './schemas-events.ts'

/**
 * GET /api/events: the exact bytes of the records, one a line, all of them or those that match, at once, in pages or as
 * they are written. Reading audit data is itself on record: a plain read when it ends, a following one when it starts
 * and when it ends.
 */

/** Each holds a connection and a cursor for as long as it likes. */
export const readersMax = 64

const description =
  'Without `limit` the answer is everything that matches up to the newest record of now, as fast as the client takes it. ' +
  'With `limit` it is one page, with `Link: <...>; rel="next"` while there is more. With `follow=true` or as an event ' +
  `stream it has no end. Otherwise the ${positionHeader} header says where to go on at any later time.`

export function eventRoutes(app: Api, context: ApiContext): void {
  const readers = new Readers(readersMax, (reading) => `${reading} clients read events already.`)

  app.route({
    method: 'GET',
    url: '/api/events',
    exposeHeadRoute: false,
    schema: {
      operationId: 'readEvents',
      summary: 'Read records as they are stored, one JSON line each',
      description,
      tags: ['events'],
      querystring: EventsQuery,
      headers: EventsHeaders,
      response: { 200: EventsAnswer, 422: ProblemBody, 503: ProblemBody },
    },
    handler: async (request, reply) => {
      using _place = readers.enter()
      await answer(context, request, reply, request.query, request.headers['last-event-id'])
    },
  })
}

/** A reader, let in. */
interface Reader {
  readonly context: ApiContext
  readonly matches: Outlet['matches']
  /** Where it begins. */
  readonly positions: Positions
  readonly reply: FastifyReply
  readonly request: FastifyRequest
}

async function answer(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  query: EventsQuery,
  lastEventId: string | undefined,
): Promise<void> {
  const live = query.format === 'sse' || (query.format === undefined && acceptsEventStream(request))
  const follow = query.follow || live
  if (follow && query.limit !== undefined) {
    throw new Problem('field_invalid', 'A limit is for pages; what follows has no end.', { field: 'limit' })
  }
  const begin = query.after ?? (live ? places.now : places.start)
  const positions = await positionsAt(context.log, query.stream, (live ? lastEventId : undefined) ?? begin)
  const reader: Reader = { context, matches: matcher(query), positions, reply, request }
  if (query.limit === undefined) await sendAll(reader, live ? serverSentEvents : ndjson, follow)
  else await sendPage(reader, query.limit)
}

function acceptsEventStream({ headers }: FastifyRequest): boolean {
  return headers.accept?.includes(serverSentEvents.contentType) === true
}

/** Null: every record matches. */
function matcher({ actor, backend, connection, from, pool, subject, to, type }: EventsQuery): Outlet['matches'] {
  const filter: RecordFilter = { actor, backend, connection, from, pool, subject, to, type }
  return Object.values(filter).every((value) => value === undefined) ? null : recordFilter(filter)
}

async function sendAll(reader: Reader, format: Format, follow: boolean): Promise<void> {
  const { context, matches, positions, request } = reader
  const { access, clock, closing, log, logger } = context
  const readings = [...positions.keys()].map((stream) => ({ follow, stream, until: log.head(stream) }))
  if (follow) await Promise.all(readings.map((one) => access.auditRead(request, { ...one, outcome: 'started', records: 0 })))
  const end: Positions = new Map(readings.map(({ stream, until }) => [stream, until]))
  const raw = start(reader, format.contentType, follow ? {} : { [positionHeader]: cursorOf(end) })
  // A follower may wait long for its first record; it should know at once that it is let in.
  raw.flushHeaders()
  const outlet: Outlet = { clock, closing, format, log, logger, matches, positions, raw }
  await sendRecords(outlet, readings, (one, records) => access.auditRead(request, { ...one, outcome: 'ended', records }))
}

async function sendPage(reader: Reader, limit: number): Promise<void> {
  const { context, matches, positions, reply, request } = reader
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort())
  const signal = AbortSignal.any([gone.signal, context.closing])
  const page = await pageOfRecords(context.log, positions, { limit, matches, signal })
  const reads = [...page.counts].map(([stream, records]) => ({ follow: false, outcome: 'ended', records, stream }) as const)
  await Promise.all(reads.map((read) => context.access.auditRead(request, read)))
  const cursor = cursorOf(page.positions)
  start(reader, ndjson.contentType, {
    'content-length': String(page.bytes.length),
    [positionHeader]: cursor,
    ...(page.hasMore ? { link: `<${addressAfter(request, cursor)}>; rel="next"` } : {}),
  }).end(page.bytes)
}

/** The same request, further on. */
function addressAfter(request: FastifyRequest, cursor: string): string {
  const [path = '', query] = request.raw.url?.split('?', 2) ?? []
  const parameters = new URLSearchParams(query)
  parameters.set('after', cursor)
  return `${path}?${parameters.toString()}`
}

/** From here on fastify has no part in the answer. */
function start({ reply }: Reader, contentType: string, headers: Record<string, string>): Outlet['raw'] {
  reply.hijack()
  return reply.raw.writeHead(200, { 'content-type': contentType, ...everyAnswer, ...headers })
}
