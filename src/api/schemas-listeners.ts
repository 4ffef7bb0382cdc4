import { z } from 'zod'
import { ListenerAnswer, ListenerName, listenerCases, PoolName, type ListenerCase } from '../../events/values.ts'
import { ChangeBody, ManagedBy, ManagedByFile } from './schemas.ts'

/** Listeners, as the API takes and shows them. */

/** What happens in each case, in the order of their names. */
function eachCase<Schema extends z.ZodType>(schema: Schema): { [Case in ListenerCase]: Schema } {
  return Object.fromEntries(listenerCases.map((what) => [what, schema])) as { [Case in ListenerCase]: Schema }
}

const Effective = z
  .union([z.literal('refuse'), z.strictObject({ pool: PoolName })])
  .meta({ id: 'ListenerAction', description: 'refuse, or the pool that such clients are sent to.' })
export const ListenerPolicy = z
  .strictObject(eachCase(Effective))
  .meta({ id: 'ListenerPolicy', description: 'What happens to clients whose hello leads to no pool, defaults included.' })
export const ListenerCases = z.array(z.enum(listenerCases)).meta({ description: 'The cases that were set for this listener.' })

export const ListenerView = z
  .strictObject({
    listener: ListenerName,
    pool: PoolName.nullable().meta({ description: 'Null: the shared listener, which routes by server name.' }),
    address: z.string().nullable().meta({ description: 'Bound, or to be bound; null: this node does not say yet.' }),
    state: z.enum(['bound', 'failed', 'pending']).meta({ description: 'On this node. pending: not tried yet.' }),
    code: z.string().nullable().meta({ description: 'errno name of the bind that failed; it is tried again.' }),
    policy: ListenerPolicy,
    set: ListenerCases,
    managed_by: ManagedBy,
    managed_by_file: ManagedByFile,
    revision: z.int().min(0).meta({ description: 'The last change of its policy; its ETag. 0: nobody has changed it.' }),
    warnings: z.array(z.string()).optional(),
  })
  .meta({ id: 'Listener' })
export type ListenerView = z.infer<typeof ListenerView>

const Wanted = ListenerAnswer.meta({
  id: 'ListenerAnswer', description: 'refuse, or the pool that such clients are sent to; null: back to the default.',
})
/** RFC 7396: only the cases that are there are changed, and null gives one back to its default. */
export const ChangeListenerBody = z
  .strictObject({ ...eachCase(Wanted.optional()), change: ChangeBody.optional() })
  .meta({ id: 'ChangeListener' })
