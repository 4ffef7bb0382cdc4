import { z } from 'zod'
import { instantMs } from '../core/clock.ts'
import { ListenerCases, ListenerPolicy } from './schemas-listeners.ts'

/** The configuration as a document, at a moment, and what is different between two. */

const timeForm = 'must be a time such as 2026-11-24T08:00:00Z (RFC 3339; a "+" in a URL is written %2B)'
const TimeText = z
  .string()
  .refine((text) => instantMs(text) !== null, timeForm)
  .meta({ format: 'date-time' })
export const RevisionText = z.string().regex(/^[0-9]{1,15}$/, 'must be a revision, a whole number')

export const StateQuery = z.strictObject({
  at: TimeText.optional().meta({ description: 'The configuration that was in force then (RFC 3339); in the future: now.' }),
  revision: RevisionText.optional().meta({ description: 'Exactly this configuration; 0 is before the first change.' }),
})

const MomentText = z.union([RevisionText, TimeText], {
  error: 'must be a revision such as 17, or a time such as 2026-11-24T08:00:00Z (RFC 3339; a "+" in a URL is written %2B)',
})
export const DiffQuery = z.strictObject({
  from: MomentText.meta({ description: 'A revision or a time (RFC 3339).' }),
  to: MomentText.optional().meta({ description: 'A revision or a time; left out: now.' }),
})

const count = z.int().min(0)
const managedBy = {
  managed_by: z.enum(['api', 'file']),
  managed_by_file: z.string().nullable(),
}

const BackendDocument = z.strictObject({
  id: z.string(),
  added_at: z.string(),
  draining_since: z.string().nullable(),
  host: z.string(),
  ...managedBy,
  port: z.int(),
  state: z.enum(['active', 'draining']),
  weight: z.int(),
})

const PoolDocument = z.strictObject({
  name: z.string(),
  algorithm: z.string(),
  allow_plaintext: z.boolean(),
  backends: z.array(BackendDocument),
  business_need: z.string().nullable(),
  created_at: z.string(),
  default_route: z.boolean(),
  drain_timeout: z.int().nullable(),
  health_check_interval: z.int(),
  listen: z.string().nullable(),
  ...managedBy,
  min_tls_version: z.string().nullable(),
  owner: z.string().nullable(),
  reject_ech: z.boolean(),
  revision: count,
  server_names: z.array(z.string()),
  ssl_mode: z.literal('passthrough'),
})

const RoutesDocument = z.strictObject({
  default_route: z.string().nullable(),
  server_names: z.record(z.string(), z.string()).meta({ description: 'Exact or wildcard server name to pool.' }),
  listen: z.record(z.string(), z.string()).meta({ description: "A pool's own address to the pool." }),
})

const ListenerDocument = z.strictObject({
  listener: z.string(),
  ...managedBy,
  policy: ListenerPolicy,
  revision: count,
  set: ListenerCases,
})

const DeclarationDocument = z.strictObject({
  file: z.string(),
  applied_at: z.string(),
  digest: z.string(),
  revision: count,
  settings: z.record(z.string(), z.string()),
})

const ConfigurationView = z
  .strictObject({
    revision: count,
    pools: z.array(PoolDocument).meta({ description: 'By name.' }),
    routes: RoutesDocument.meta({ description: 'What follows from all pools.' }),
    listeners: z.array(ListenerDocument).meta({ description: 'The shared one, then those of pools by name.' }),
    declarations: z.array(DeclarationDocument).meta({ description: 'Declaration files, each as it was last applied.' }),
  })
  .meta({ id: 'Configuration', description: 'Pools, backends, routes, listeners and settings; no statistics, no health.' })

export const MomentView = z
  .strictObject({
    at: z.string().optional().meta({ description: 'The time that was asked for, in UTC.' }),
    revision: count,
    time: z.string().nullable().meta({ description: 'When it came into force; null: before the first change.' }),
  })
  .meta({ id: 'Moment' })
export type MomentView = z.infer<typeof MomentView>

export const StateView = z.strictObject({ moment: MomentView, configuration: ConfigurationView }).meta({ id: 'State' })

const DifferenceView = z
  .strictObject({
    kind: z.enum(['added', 'changed', 'removed']),
    subject: z.string().meta({ description: 'pools/NAME, backends/POOL/ID, listeners/LISTENER, files/PATH or routes.' }),
    field: z.string().nullable().meta({ description: 'Null: the whole object. Of a listener also a case of its policy, such as no_sni.' }),
    before: z.unknown(),
    after: z.unknown(),
  })
  .meta({ id: 'Difference' })
export const Differences = z.array(DifferenceView)
export const DiffView = z.strictObject({ from: MomentView, to: MomentView, differences: Differences }).meta({ id: 'Diff' })
