import { z } from 'zod'
import { Encrypted, Ja4, RoutedBy, TlsFacts } from '../../events/tls.ts'
import { BackendId, ConnectionId, Endpoint, ListenerName, PoolName } from '../../events/values.ts'
import { canonicalIp } from '../core/endpoint.ts'

/** Open connections of this node, as the API shows them. */

const count = z.int().min(0)

export const ConnectionView = z
  .strictObject({
    id: z.string(),
    opened_at: z.string(),
    client: Endpoint.nullable().meta({ description: 'Null when the kernel could not name it.' }),
    listener: z.string(),
    routed_by: RoutedBy,
    server_name: z.string().nullable().meta({ description: 'As the client sent it, in lower case; null: none sent.' }),
    alpn: z.array(z.string()).meta({ description: 'Offered, in order.' }),
    tls_versions: z.array(z.string()).meta({ description: 'Offered, in order.' }),
    ja4: Ja4.nullable(),
    ech_offered: z.boolean().meta({ description: 'Real or GREASE: server_name may be a decoy.' }),
    encrypted: Encrypted,
    tls: TlsFacts,
    pool: z.string(),
    backend: z.string(),
    backend_address: Endpoint,
    local_address: Endpoint.nullable().meta({ description: 'Used towards the backend; matches its own logs.' }),
    revision: count.meta({ description: 'The configuration that it was routed by.' }),
    bytes_to_backend: count,
    bytes_to_client: count,
  })
  .meta({ id: 'Connection' })
export type ConnectionView = z.infer<typeof ConnectionView>

export const ConnectionParams = z.strictObject({ id: ConnectionId.toLowerCase() })

/** In any spelling of the address. */
const ClientIp = z.string().max(100).transform((text, context) => {
  const ip = canonicalIp(text)
  if ('value' in ip) return ip.value
  context.addIssue({ code: 'custom', message: `is not usable: ${ip.problem}`, input: text })
  return z.NEVER
})

export const ConnectionsQuery = z.strictObject({
  pool: PoolName.optional(),
  backend: BackendId.optional().meta({ description: 'host:port.' }),
  client: ClientIp.optional().meta({ description: 'Address of the client, without a port.' }),
  server_name: z.string().min(1).max(255).toLowerCase().optional().meta({ description: 'The whole name, in any case.' }),
  ja4: Ja4.optional(),
  encrypted: z
    .enum(['true', 'false', 'null'])
    .transform((text) => (text === 'null' ? null : text === 'true'))
    .optional()
    .meta({ description: 'null: those of which it is not known.' }),
  listener: ListenerName.optional().meta({ description: 'shared, or pools/NAME.' }),
})
