import { z } from 'zod'
import { streams } from '../../events/define.ts'
import { BackendId, PoolName, text } from '../../events/values.ts'
import { instantMs } from '../core/clock.ts'
import { places } from './events-cursor.ts'
import { pageRecordsMax } from './events-page.ts'

/** What GET /api/events may be asked for. */

/** Where the answer ends, to go on from with `after`; not where it has no end. */
export const positionHeader = 'waybill-position'

const Cursor = z.string().min(1).max(1_000)
const Moment = z
  .string()
  .max(40)
  .refine((value) => instantMs(value) !== null, 'must be a time such as 2026-11-24T08:00:00Z (RFC 3339)')
const Type = z
  .string()
  .regex(/^[a-z0-9_.]{1,100}$/, 'must be a type such as pool.changed, or the front of one such as connection')
const Subject = z
  .string()
  .regex(/^[\x21-\x7e]{1,400}$/, 'must be a subject such as pools/NAME, or the front of one and *')
const Limit = z
  .string()
  .regex(/^[1-9][0-9]{0,3}$/, `must be a whole number from 1 to ${pageRecordsMax}`)
  .transform(Number)
  .refine((value) => value <= pageRecordsMax, `must be at most ${pageRecordsMax}`)

export const EventsQuery = z.strictObject({
  stream: z
    .enum([...streams, 'all'])
    .default('all')
    .meta({ description: 'all: one stream after the other, or as records come when following.' }),
  type: Type.optional().meta({
    description: 'Type of the record, with or without dev.waybill., or the front of one up to a dot: connection, pool.changed.',
  }),
  subject: Subject.optional().meta({
    description: 'What the record is about; with * at the end the front of it: backends/payments/*.',
  }),
  pool: PoolName.optional().meta({
    description:
      'Records that are about this pool or name it. That a listener stops sending clients there names no pool: ' +
      'GET /api/trail has it.',
  }),
  backend: BackendId.optional().meta({ description: 'Records that name this host:port, in whichever pool.' }),
  connection: z.uuid().toLowerCase().optional().meta({ description: 'Records of this connection.' }),
  actor: text(200).optional().meta({ description: 'Records of what this actor did.' }),
  from: Moment.optional().meta({ description: 'Records of this moment and later, by their own time (RFC 3339).' }),
  to: Moment.optional().meta({ description: 'Records before this moment (RFC 3339).' }),
  after: Cursor.optional().meta({
    description:
      `${places.start}, ${places.now}, or a position from the ${positionHeader} header or the id of an event. ` +
      `Left out: ${places.start}, for an event stream ${places.now}.`,
  }),
  limit: Limit.optional().meta({
    description: `At most so many records, up to ${pageRecordsMax}; an answer may have fewer and yet a next one.`,
  }),
  follow: z
    .enum(['true', 'false'])
    .default('false')
    .transform((word) => word === 'true')
    .meta({ description: 'Go on with records as they are written, until the client goes away.' }),
  format: z
    .enum(['ndjson', 'sse'])
    .optional()
    .meta({ description: 'sse: the same as Accept: text/event-stream; always follows.' }),
})
export type EventsQuery = z.output<typeof EventsQuery>

export const EventsHeaders = z.looseObject({
  accept: z.string().optional().meta({ description: 'text/event-stream: server-sent events, with a position as id.' }),
  'last-event-id': Cursor.optional().meta({
    description: 'Where a broken event stream goes on, before `after`; sent by browsers.',
  }),
})

/** Only for documents: the answer is written as it comes, never serialised. */
export const EventsAnswer = {
  description:
    'Records as they are stored, byte for byte; with server-sent events each behind `data:`, its type as `event:`, a ' +
    'position as `id:`.',
  content: {
    'application/x-ndjson': {
      schema: z.string().meta({ description: 'One record a line: CloudEvents 1.0 in JSON, see events/CATALOG.md.' }),
    },
    'text/event-stream': { schema: z.string() },
  },
} as const
