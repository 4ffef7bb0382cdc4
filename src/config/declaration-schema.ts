import { z } from 'zod'
import {
  Algorithm, AllowPlaintext, DrainTimeout, HealthCheckInterval, ListenerAnswer, MinTlsVersion, PoolName, RejectEch, Text, Weight, listenerCases,
  type ListenerCase,
} from '../../events/values.ts'

/** What a declaration file may hold. Only what is written is declared: the rest is left to the API or to the defaults. */

/** As the deciders bound them; here so that a list is refused before it is looked through. */
const poolsMax = 1_000
const backendsPerPoolMax = 256
const serverNamesPerPoolMax = 256

const DeclaredBackend = z.strictObject({
  url: z.string().min(1).max(2_048),
  weight: Weight.optional(),
})

const DeclaredPool = z.strictObject({
  name: PoolName,
  algorithm: Algorithm.optional(),
  allow_plaintext: AllowPlaintext.optional(),
  backends: z.array(DeclaredBackend).max(backendsPerPoolMax).optional(),
  business_need: Text.nullable().optional(),
  default_route: z.boolean().optional(),
  drain_timeout: DrainTimeout.optional(),
  health_check_interval: HealthCheckInterval.optional(),
  listen: z
    .union([z.string().min(1).max(100), z.int().min(1).max(65_535)], {
      error: 'must be "ip:port" or a port, such as "[::]:9443" or 9443',
    })
    .nullable()
    .optional(),
  min_tls_version: MinTlsVersion.optional(),
  owner: Text.nullable().optional(),
  reject_ech: RejectEch.optional(),
  server_names: z.array(z.string().min(1).max(512)).max(serverNamesPerPoolMax).optional(),
})

const answers = Object.fromEntries(listenerCases.map((what) => [what, ListenerAnswer.optional()]))
const DeclaredListener = z.strictObject(answers as Record<ListenerCase, z.ZodOptional<typeof ListenerAnswer>>)
/** The shared one, and one of each pool. */
const listenersMax = poolsMax + 1

const DeclaredChange = z.strictObject({
  approved_by: Text.nullable().default(null),
  reason: Text.nullable().default(null),
  requested_by: Text.nullable().default(null),
  ticket: Text.nullable().default(null),
})

/** The settings are checked one by one against their own table. */
export const DeclarationText = z.strictObject({
  change: DeclaredChange.optional(),
  listeners: z
    .record(z.string(), DeclaredListener)
    .refine((listeners) => Object.keys(listeners).length <= listenersMax, `must have at most ${listenersMax} entries`)
    .optional(),
  pools: z.array(DeclaredPool).max(poolsMax).optional(),
  settings: z.record(z.string(), z.unknown()).default({}),
})

export type DeclarationText = z.infer<typeof DeclarationText>
