import { z } from 'zod'

/** The words that every record is spelled with. Keys of every schema stand in code-unit order (a test holds that). */

export const PoolName = z
  .string()
  .regex(/^[a-z0-9-]{1,63}$/, 'must be 1 to 63 of a-z, 0-9 and "-"')
  .meta({ description: 'Name of a pool.' })
export const BackendId = z
  .string()
  .min(3)
  .max(259)
  .regex(/^(?:\[[0-9a-f:.]+\]|[a-z0-9_.-]+):[0-9]{1,5}$/, 'must be host:port')
  .meta({ description: 'Canonical host:port of a backend; unique in its pool.' })
export const Port = z.int().min(1).max(65_535)
export const Ip = z.union([z.ipv4(), z.ipv6()])
export const Endpoint = z.strictObject({ ip: Ip, port: Port })
export const ListenerName = z.string().regex(/^(?:shared|pools\/[a-z0-9-]{1,63})$/)
export const ConnectionId = z.uuidv7().meta({ description: 'Time-ordered; the same id closes the connection.' })
export const Milliseconds = z.number().min(0).meta({ description: 'Milliseconds.' })
export const Count = z.int().min(0)
export const LeafHash = z.string().regex(/^[A-Za-z0-9+/]{43}=$/)
export const Revision = z.int().min(1)
export const NodeName = z.string().regex(/^[A-Za-z0-9._-]{1,200}$/).meta({ description: 'Name of a node.' })
export const Time = z
  .string()
  .regex(/^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/)
/** What a hello said: printable ASCII, everything else escaped as \xNN. */
export const ServerName = z.string().regex(/^[\x21-\x7e]{1,512}$/)
/** The same where a closing record has to have room for it: a host name or IP literal whole, anything else cut. */
export const RoutedServerName = z.string().regex(/^(?:[a-z0-9._:[\]-]{1,255}|[\x21-\x7e]{1,128})$/)
/** errno name, or a word of this program such as `timeout`. */
export const FailureCode = z.string().regex(/^[A-Za-z0-9_.-]{1,60}$/)
/** Any text, well-formed Unicode so that its bytes are RFC 8785 (section 3.2.2.2). Lengths are in UTF-16 units. */
export function text(lengthMax: number) {
  return z
    .string()
    .min(1)
    .max(lengthMax)
    .refine((value) => value.isWellFormed(), 'must be well-formed Unicode')
}
/** Free text from a person. */
export const Text = text(500)
/** What makes a repeat recognisable: the key, and the digest of the request, so that another request is not taken for it. */
export const Idempotency = z
  .strictObject({
    digest: z.string().regex(/^[A-Za-z0-9+/]{43}=$/).meta({ description: 'SHA-256 of method, path, query and body.' }),
    key: text(200).meta({ description: 'The Idempotency-Key of the request.' }),
  })
  .nullable()
/** Host name or IP literal without brackets. */
export const Host = z.string().regex(/^[a-z0-9_.:-]{1,253}$/)
/** `ip:port`, brackets around IPv6. */
export const ListenAddress = z.string().regex(/^[0-9a-f.:[\]]{3,60}$/)

export const Algorithm = z.enum(['least_connections', 'random', 'round_robin'])
export const Weight = z.int().min(1).max(256)
export const HealthCheckInterval = z.int().min(100).max(3_600_000).meta({ description: 'Milliseconds between checks.' })
/**
 * An exact name (`app.example.com`), one wildcard label in front (`*.example.com`), any number of them
 * (`**.example.com`), or an IP literal without brackets. Lower case, A-labels.
 */
export const ServerNamePattern = z
  .string()
  .max(253)
  .regex(
    /^(?:(?:\*\*?\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*|[0-9a-f.]*:[0-9a-f:.]+)$/,
    'must be a host name such as app.example.com, *.example.com or **.example.com',
  )

/** The least TLS version that may be negotiated; null: any. */
export const MinTlsVersion = z
  .enum(['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'])
  .nullable()
  .meta({ description: 'The least TLS version that clients may offer and the backend may choose; null: any.' })
export const AllowPlaintext = z.boolean().meta({
  description: 'Whether a listener may send clients that do not speak TLS here. Needs a business need.',
})
export const RejectEch = z.boolean().meta({
  description: 'Refuse clients that offer Encrypted Client Hello: their visible server name may be a decoy.',
})

/** What a listener may meet instead of a client whose name leads to a pool. */
export const listenerCases = ['malformed', 'no_sni', 'not_tls', 'sslv2', 'timeout', 'too_large', 'unknown_sni'] as const
/** What is done then. */
export const ListenerAnswer = z
  .union([z.literal('refuse'), z.strictObject({ pool: PoolName })], { error: 'must be "refuse" or {"pool": "name"}' })
  .nullable()
  .meta({ description: 'refuse, or the pool that such clients are sent to; null: the default.' })

/** Milliseconds that open connections of a leaving backend may go on; null: as long as they like. */
export const DrainTimeout = z
  .int()
  .min(0)
  .max(604_800_000)
  .nullable()
  .meta({ description: 'Milliseconds that open connections of a leaving backend may go on; null: without limit.' })
/** Whether the open connections are ended at once instead of going on. */
export const Force = z.boolean().meta({ description: 'True: open connections are ended at once, on every node.' })
/** Path of a declaration file, as it was given. */
export const DeclarationFile = text(1_000)
/** Where an object is declared. Null: nowhere, it was made through the API. */
export const Declaration = z
  .strictObject({
    fields: z
      .array(z.string().regex(/^[a-z0-9_]{1,40}$/))
      .max(32)
      .meta({ description: 'Fields that the file sets; only the file may change them.' }),
    file: DeclarationFile,
  })
  .nullable()
  .meta({ description: 'The declaration file that owns the object; null when it was made through the API.' })

/** Who did it, as authenticated. */
export const Actor = z.strictObject({
  authn: z.enum(['none']).meta({ description: 'How the actor proved who it is.' }),
  id: text(200),
  type: z.enum(['local', 'node']),
})
/** Where the request came from. */
export const Origin = z.strictObject({
  ip: Ip.nullable().meta({ description: 'Null when it did not come over IP.' }),
  port: Port.nullable(),
  via: z.enum(['api', 'internal', 'socket']),
})
/** Why it was done. What a person typed in is a claim, and is shown as one. */
export const Change = z.strictObject({
  approved_by: Text.nullable(),
  reason: Text.nullable(),
  requested_by: Text.nullable(),
  ticket: Text.nullable(),
})

export type Actor = z.infer<typeof Actor>
export type Origin = z.infer<typeof Origin>
export type Change = z.infer<typeof Change>
export type Declaration = z.infer<typeof Declaration>
export type Idempotency = z.infer<typeof Idempotency>
export type Endpoint = z.infer<typeof Endpoint>
export type Algorithm = z.infer<typeof Algorithm>
export type ListenerAnswer = z.infer<typeof ListenerAnswer>
export type ListenerCase = (typeof listenerCases)[number]
export type MinTlsVersion = z.infer<typeof MinTlsVersion>

/** Example values shared by the definitions. */
export const exampleActor: Actor = { authn: 'none', id: 'loopback', type: 'local' }
export const exampleOrigin: Origin = { ip: '127.0.0.1', port: 50_112, via: 'api' }
export const exampleChange: Change = {
  approved_by: 'grace',
  reason: 'new payment front end',
  requested_by: 'ada',
  ticket: 'CHG-4211',
}
