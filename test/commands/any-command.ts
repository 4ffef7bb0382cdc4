import fc from 'fast-check'
import { listenerCases, type Declaration } from '../../events/values.ts'
import {
  decideAddBackend, decideChangeBackend, decideDrainBackend, decideRemoveBackend, decideResumeBackend,
} from '../../src/commands/backend.ts'
import { decideChangeListener, type ListenerChanges } from '../../src/commands/change-listener.ts'
import { decideChangePool, decideRemovePool, type PoolChanges } from '../../src/commands/change-pool.ts'
import { decideCreatePool } from '../../src/commands/create-pool.ts'
import type { Decide, Request } from '../../src/commands/decision.ts'
import { request } from './decide.ts'
import { fileA, fileB } from './wishes.ts'

/** Commands of every kind over a small world, so that they often concern each other, as callers would write them. */

export interface AnyCommand {
  readonly decide: Decide<Request, object>
  readonly command: Request
}

const pool = fc.constantFrom('a', 'b')
const url = fc.constantFrom('https://one', 'https://ONE:443', 'https://two:8443', 'https://[::1]')
const id = fc.constantFrom('one:443', 'two:8443', '[::1]:443')
const weight = fc.constantFrom(1, 2, 256)
const text = fc.option(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }))
const serverNames = fc.uniqueArray(fc.constantFrom('x.example', 'X.example', '*.x.example', '**.x.example', 'Bücher.example', '10.0.0.1'), { maxLength: 2 })
const listen = fc.constantFrom(null, null, 9443, '127.0.0.1:9443', '[::]:9444')
const drainTimeoutMs = fc.constantFrom(null, 0, 604_800_000)
const force = fc.boolean()
const file = fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.constantFrom(fileA, fileB) })
const fields = fc.subarray(['algorithm', 'backends', 'no_sni', 'owner', 'server_names', 'weight'])
const declaration: fc.Arbitrary<Declaration> = fc.oneof(
  { weight: 4, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.record({ fields, file: fc.constantFrom(fileA, fileB) }) },
)
const minTlsVersion = fc.constantFrom(null, 'TLSv1' as const, 'TLSv1.3' as const)
const rejectEch = fc.boolean()
const allowPlaintext = fc.boolean()
const algorithm = fc.constantFrom('least_connections' as const, 'random' as const, 'round_robin' as const)

const asked: fc.Arbitrary<Request> = fc
  .record({
    change: fc.record({ approved_by: text, reason: text, requested_by: text, ticket: text }),
    origin: fc.constantFrom(request.origin, { ip: null, port: null, via: 'socket' as const }),
    file,
    idempotency: fc.option(fc.record({ digest: fc.constant(`${'x'.repeat(43)}=`), key: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }) })),
  })
  .map((each) => ({ ...request, ...each }))

const sets: fc.Arbitrary<PoolChanges> = fc.record(
  {
    algorithm, allowPlaintext, businessNeed: text, declaration, defaultRoute: fc.boolean(), drainTimeoutMs,
    healthCheckIntervalMs: fc.integer({ min: 100, max: 3_600_000 }), listen, minTlsVersion, owner: text,
    rejectEch, serverNames,
  },
  { requiredKeys: [] },
)

const inlineBackends = fc.array(fc.record({ declaration, url, weight }), { maxLength: 2 })

const creation = fc.record({
  name: pool, algorithm, allowPlaintext, backends: inlineBackends, businessNeed: text, declaration, defaultRoute: fc.option(fc.boolean()), drainTimeoutMs,
  healthCheckIntervalMs: fc.integer({ min: 100, max: 3_600_000 }), listen, minTlsVersion, owner: text, rejectEch, serverNames,
})

const answer = fc.oneof(
  { weight: 3, arbitrary: fc.record({ pool: fc.constantFrom('a', 'b') }) },
  { weight: 1, arbitrary: fc.constantFrom(null, 'refuse' as const, { pool: 'c' }) },
)
/** Few at once: one that is refused is all refused. */
const listenerSets: fc.Arbitrary<ListenerChanges> = fc
  .tuple(fc.dictionary(fc.constantFrom(...listenerCases), answer, { minKeys: 1, maxKeys: 2 }), fc.record({ declaration }, { requiredKeys: [] }))
  .map(([answers, owner]) => ({ ...answers, ...owner }))

/** `asked` in every one is the same kind of request; what is wished comes on top. */
function commands<Command extends Request>(
  decide: Decide<Command, object>,
  wish: fc.Arbitrary<Omit<Command, keyof Request>>,
): fc.Arbitrary<AnyCommand> {
  // Whoever runs it gives it back to the decider it came with.
  const anyDecide = decide as unknown as Decide<Request, object>
  return fc.record({ asked, wish }).map(({ asked: by, wish: what }) => ({ decide: anyDecide, command: { ...by, ...what } }))
}

const onOne = { pool, id }

export const anyCommand: fc.Arbitrary<AnyCommand> = fc.oneof(
  { weight: 3, arbitrary: commands(decideCreatePool, creation) },
  { weight: 3, arbitrary: commands(decideChangePool, fc.record({ name: pool, set: sets })) },
  { weight: 1, arbitrary: commands(decideRemovePool, fc.record({ name: pool, force })) },
  {
    weight: 3,
    arbitrary: commands(decideChangeListener, fc.record({ listener: fc.constantFrom('shared', 'shared', 'pools/a', 'pools/b'), set: listenerSets })),
  },
  { weight: 3, arbitrary: commands(decideAddBackend, fc.record({ declaration, pool, url, weight })) },
  { weight: 2, arbitrary: commands(decideChangeBackend, fc.record({ ...onOne, set: fc.record({ declaration, weight }, { requiredKeys: [] }) })) },
  { weight: 2, arbitrary: commands(decideDrainBackend, fc.record({ ...onOne, force })) },
  { weight: 1, arbitrary: commands(decideResumeBackend, fc.record(onOne)) },
  { weight: 1, arbitrary: commands(decideRemoveBackend, fc.record({ ...onOne, force })) },
)
