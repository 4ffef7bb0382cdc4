import { z } from 'zod'
import { Algorithm, DrainTimeout, HealthCheckInterval, PoolName, Text, Weight } from '../../events/values.ts'

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
  owner: Text.nullable().optional(),
  server_names: z.array(z.string().min(1).max(512)).max(serverNamesPerPoolMax).optional(),
})

const DeclaredChange = z.strictObject({
  approved_by: Text.nullable().default(null),
  reason: Text.nullable().default(null),
  requested_by: Text.nullable().default(null),
  ticket: Text.nullable().default(null),
})

/** The settings are checked one by one against their own table. */
export const DeclarationText = z.strictObject({
  change: DeclaredChange.optional(),
  pools: z.array(DeclaredPool).max(poolsMax).optional(),
  settings: z.record(z.string(), z.unknown()).default({}),
})

export type DeclarationText = z.infer<typeof DeclarationText>
