import { z } from 'zod'
import {
  Algorithm, AllowPlaintext, type Change, DrainTimeout, HealthCheckInterval, MinTlsVersion, PoolName, RejectEch, Text, Weight,
} from '../../events/values.ts'
import { backendsPerPoolMax, serverNamesPerPoolMax } from '../commands/bounds.ts'
import { NodeShare } from './schemas-nodes.ts'

/** The bodies of the API. Unknown fields are errors: a misspelt field that is ignored is a setting that is not made. */

const neverDecrypts =
  'must be "passthrough": this proxy never decrypts, it forwards the bytes of TLS as they are. For TLS termination ' +
  'or HTTP rules use another proxy'

export const ChangeBody = z
  .strictObject({
    approved_by: Text.nullable().default(null),
    reason: Text.nullable().default(null),
    requested_by: Text.nullable().default(null),
    ticket: Text.nullable().default(null),
  })
  .meta({ id: 'Change', description: 'Why it is done; goes into the record as given.' })

/** For DELETE, which has no body. */
export const ChangeQuery = {
  approved_by: Text.optional().meta({ description: 'Who approved it; a claim.' }),
  reason: Text.optional().meta({ description: 'Why it is done; goes into the record as given.' }),
  requested_by: Text.optional().meta({ description: 'Who asked for it; a claim.' }),
  ticket: Text.optional().meta({ description: 'Where it was decided.' }),
}
export const ForceQuery = z
  .enum(['true', 'false'])
  .default('false')
  .transform((text) => text === 'true')
  .meta({ description: 'End open connections at once, on record with who asked. Otherwise they go on.' })

const SslMode = z.literal('passthrough', { error: neverDecrypts })
const ServerNames = z
  .array(z.string().min(1).max(512))
  .max(serverNamesPerPoolMax)
  .meta({ description: 'app.example.com, *.example.com (one label), **.example.com (any number), or an IP address; any case, Unicode allowed.' })
const Listen = z
  .union([z.string().min(1).max(100), z.int().min(0).max(65_535)], {
    error: 'must be "ip:port" or a port, such as "[::]:9443" or 9443',
  })
  .nullable()
  .meta({ description: 'An own address for this pool: "[::]:9443", "127.0.0.1:9443", or 9443 for "[::]:9443".' })
const BackendUrl = z.string().min(1).max(2_048).meta({ description: 'https://host[:port], 443 when left out.' })

export const CreatePoolBody = z
  .strictObject({
    name: PoolName,
    algorithm: Algorithm.default('least_connections'),
    ssl_mode: SslMode.default('passthrough'),
    health_check_interval: HealthCheckInterval.default(10_000),
    server_names: ServerNames.default([]),
    listen: Listen.default(null),
    allow_plaintext: AllowPlaintext.default(false),
    min_tls_version: MinTlsVersion.default(null),
    reject_ech: RejectEch.default(false),
    backends: z
      .array(z.strictObject({ url: BackendUrl, weight: Weight.default(1) }))
      .max(backendsPerPoolMax)
      .default([])
      .meta({ description: 'What the pool starts with; one record for all.' }),
    drain_timeout: DrainTimeout.default(null),
    default_route: z
      .boolean()
      .nullable()
      .default(null)
      .meta({ description: 'Takes clients with no or an unknown server name. Left out: decided by auto_default_route.' }),
    owner: Text.nullable().default(null),
    business_need: Text.nullable().default(null),
    change: ChangeBody.optional(),
  })
  .meta({ id: 'CreatePool' })

/** RFC 7396: only what is there is changed, and null clears what may be empty. */
export const ChangePoolBody = z
  .strictObject({
    algorithm: Algorithm.optional(),
    ssl_mode: SslMode.optional(),
    health_check_interval: HealthCheckInterval.optional(),
    server_names: ServerNames.optional(),
    listen: Listen.optional(),
    allow_plaintext: AllowPlaintext.optional(),
    min_tls_version: MinTlsVersion.optional(),
    reject_ech: RejectEch.optional(),
    default_route: z.boolean().optional(),
    drain_timeout: DrainTimeout.optional(),
    owner: Text.nullable().optional(),
    business_need: Text.nullable().optional(),
    change: ChangeBody.optional(),
  })
  .meta({ id: 'ChangePool' })

export const ChangeBackendBody = z
  .strictObject({ weight: Weight.optional(), change: ChangeBody.optional() })
  .meta({ id: 'ChangeBackend' })

/** May be left out as a whole. */
export const DrainBody = z
  .strictObject({
    force: z.boolean().default(false).meta({ description: 'End open connections at once instead of letting them go on.' }),
    change: ChangeBody.optional(),
  })
  .nullish()
  .meta({ id: 'DrainBackend' })
export const ResumeBody = z.strictObject({ change: ChangeBody.optional() }).nullish().meta({ id: 'ResumeBackend' })
export const RetireBody = z.strictObject({ change: ChangeBody.optional() }).nullish().meta({ id: 'RetireNode' })

export const AddBackendBody = z
  .strictObject({
    url: BackendUrl,
    weight: Weight.default(1),
    change: ChangeBody.optional(),
  })
  .meta({ id: 'AddBackend' })

const count = z.int().min(0)
export const ManagedBy = z.enum(['api', 'file'])
export const ManagedByFile = z.string().nullable().meta({ description: 'The declaration file that owns it.' })

export const BackendView = z
  .strictObject({
    id: z.string(),
    url: z.string(),
    host: z.string(),
    port: z.int(),
    weight: Weight,
    state: z.enum(['active', 'draining']),
    draining_since: z.string().nullable(),
    health: z.enum(['new', 'up', 'down']).meta({ description: 'As this node sees it; what others see is in `nodes` of the pool.' }),
    health_checked_at: z.string().nullable().meta({ description: 'The last check or dial that said something; null: none yet.' }),
    health_code: z.string().nullable().meta({ description: 'What failed last (errno name or timeout).' }),
    current_connections: count.meta({ description: 'On this node.' }),
    total_connections: count.meta({ description: 'On this node.' }),
    bytes_to_backend: count.meta({ description: 'Through this node.' }),
    bytes_to_client: count.meta({ description: 'Through this node.' }),
    dial_failures: count.meta({ description: 'Of this node.' }),
    added_at: z.string(),
    managed_by: ManagedBy,
    managed_by_file: ManagedByFile,
  })
  .meta({ id: 'Backend' })
export type BackendView = z.infer<typeof BackendView>

export const PoolSummary = z
  .strictObject({
    name: PoolName,
    algorithm: Algorithm,
    ssl_mode: z.literal('passthrough'),
    health_check_interval: z.int().meta({ description: 'Milliseconds.' }),
    server_names: z.array(z.string()),
    server_names_unicode: z
      .array(z.string())
      .optional()
      .meta({ description: 'The same in Unicode, in the same order; left out when that makes no difference.' }),
    listen: z.string().nullable(),
    allow_plaintext: AllowPlaintext,
    min_tls_version: MinTlsVersion,
    reject_ech: RejectEch,
    default_route: z.boolean(),
    default_route_reason: z.enum(['automatic', 'requested']).optional(),
    owner: z.string().nullable(),
    business_need: z.string().nullable(),
    drain_timeout: z.int().nullable().meta({ description: 'Milliseconds that connections of a leaving backend may go on; null: without limit.' }),
    managed_by: ManagedBy,
    managed_by_file: ManagedByFile,
    created_at: z.string(),
    revision: z.int().meta({ description: 'The last change of the pool or its backends; its ETag.' }),
    stats: z.strictObject({
      total_backends: count,
      healthy_backends: count.meta({ description: 'Not seen down by this node.' }),
      current_connections: count.meta({ description: 'On all nodes that are heard, also to backends that left the pool.' }),
      total_bytes_transferred: count.meta({ description: 'Through all nodes, both directions, open connections included.' }),
      since: z.string().nullable().meta({ description: 'The oldest record that is counted on any node; null: none yet.' }),
    }),
    warnings: z.array(z.string()).optional(),
  })
  .meta({ id: 'PoolSummary' })
export type PoolSummary = z.infer<typeof PoolSummary>

export const PoolView = z
  .strictObject({
    ...PoolSummary.shape,
    nodes: z.array(NodeShare).meta({ description: 'Each node\'s share of `stats`, by name.' }),
    backends: z.array(BackendView),
  })
  .meta({ id: 'Pool' })
export type PoolView = z.infer<typeof PoolView>

/** For calls without parameters: one that is ignored would be a wish that nobody grants. */
export const NoQuery = z.strictObject({})
export const PoolParams = z.strictObject({ name: PoolName })
export const BackendParams = z.strictObject({ name: PoolName, id: z.string().min(1).max(260) })

/** The given `change`, every field present, keys in code-unit order as records have them. */
export function changeOf(body: { readonly [Field in keyof Change]?: string | null | undefined } | undefined): Change {
  return {
    approved_by: body?.approved_by ?? null,
    reason: body?.reason ?? null,
    requested_by: body?.requested_by ?? null,
    ticket: body?.ticket ?? null,
  }
}
