import { z } from 'zod'
import { BackendId, ListenerName, PoolName, text } from '../../events/values.ts'
import { entriesFirstMax, entriesLastMax } from '../../projections/trail.ts'

/** What GET /api/trail may be asked for, and what it answers. */

const PoolAndBackend = z
  .string()
  .max(330)
  .refine((value) => {
    const at = value.indexOf('/')
    return at > 0 && PoolName.safeParse(value.slice(0, at)).success && BackendId.safeParse(value.slice(at + 1)).success
  }, 'must be POOL/HOST:PORT, such as payments/10.0.4.11:8443')

export const TrailQuery = z.strictObject({
  pool: PoolName.optional().meta({
    description:
      'Name of a pool: it, its backends and connections, and the listeners that send clients to it, from the change that ' +
      'says so to the one that ends it.',
  }),
  backend: PoolAndBackend.optional().meta({ description: 'A backend as POOL/HOST:PORT.' }),
  listener: ListenerName.optional().meta({ description: 'shared, or pools/NAME for the own listener of a pool.' }),
  connection: z.uuid().toLowerCase().optional().meta({ description: 'Id of a connection.' }),
  actor: text(200).optional().meta({ description: 'Id of an actor: what it did, asked for and read.' }),
})
export type TrailQuery = z.output<typeof TrailQuery>

const count = z.int().min(0)
const counts = z.record(z.string(), count)

const TrailEntryView = z
  .strictObject({
    time: z.string(),
    type: z.string(),
    subject: z.string(),
    actor: z.string().nullable().meta({ description: 'Who did it; null: the node itself, or a client.' }),
    node: z.string(),
    outcome: z.string().meta({ description: 'In words, for people. Programs go by the record.' }),
    revision: z.int().min(1).nullable().meta({ description: 'Of a change: the revision that it asked for.' }),
    effect: z.enum(['effective', 'void']).nullable().meta({ description: 'void: it lost the race for its revision and took no effect.' }),
    record_id: z.string(),
  })
  .meta({ id: 'TrailEntry' })

export const TrailView = z
  .strictObject({
    about: z.union([
      z.strictObject({ kind: z.literal('actor'), id: z.string() }),
      z.strictObject({ kind: z.literal('backend'), pool: z.string(), id: z.string() }),
      z.strictObject({ kind: z.literal('connection'), id: z.string() }),
      z.strictObject({ kind: z.enum(['listener', 'pool']), name: z.string() }),
    ]),
    entries: z.array(TrailEntryView).meta({
      description: `By time. Of each stream at most the first ${entriesFirstMax} and the last ${entriesLastMax}.`,
    }),
    left_out: z
      .strictObject({ connections: count, control: count, operations: count })
      .meta({ description: 'Entries between them that are not listed.' }),
    changes_end: z.string().nullable().meta({ description: 'Why changes are told only up to some point; null: all are.' }),
    connections: z
      .strictObject({
        opened: count,
        closed: count,
        closed_because: counts,
        refused: counts.meta({ description: 'Clients, by reason.' }),
        dial_failures: counts.meta({ description: 'By errno name or timeout, whatever became of the client.' }),
        bytes_to_backend: count,
        bytes_to_client: count,
      })
      .meta({ description: 'All of them, also those that are not listed.' }),
  })
  .meta({ id: 'Trail', description: 'Everything that happened to one thing, or that one actor did.' })
