import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { configurationOf, differencesBetween } from '../../projections/configuration.ts'
import type { Routing } from '../../projections/routing.ts'
import type { Decide, Request } from '../commands/decision.ts'
import { invariant } from '../core/errors.ts'
import { effectOf, frozenProblem } from './answers.ts'
import type { ApiContext } from './context.ts'
import { Problem } from './problem.ts'
import { ChangeQuery, ForceQuery } from './schemas.ts'
import { Differences } from './schemas-state.ts'
import { touchedBetween } from './touched.ts'

/**
 * What every change through the API has in common: the dry run, and the answer made from the configuration right after
 * the change, also when an earlier request with the same Idempotency-Key made it.
 */

export const WriteQuery = z.strictObject({
  dry_run: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true')
    .meta({ description: 'Record nothing; answer with what would be different.' }),
})

/** For DELETE, which says why in the query. */
export const RemoveQuery = z.strictObject({ ...WriteQuery.shape, force: ForceQuery, ...ChangeQuery })

const count = z.int().min(0)
export const DryRun = z
  .strictObject({
    dry_run: z.literal(true),
    changes: z.boolean().meta({ description: 'False: everything is so already.' }),
    differences: Differences,
    open_connections: count.meta({
      description: 'Open on this node to backends that would take no new ones; or left open, on record, by the node to retire.',
    }),
    ends_connections: count.meta({ description: 'Of these, how many would be ended at once.' }),
  })
  .meta({ id: 'DryRun' })

/** The configuration after the change, and how the answer came about. */
export interface Written {
  readonly routing: Routing
  readonly kind: 'effective' | 'repeated' | 'unchanged'
}

type Parts = Pick<ApiContext, 'access' | 'desk' | 'live' | 'open' | 'stateAt'>

/** Runs the command; null when it was a dry run and the answer is sent. Throws the problem that kept it from happening. */
export async function write<Command extends Request, Data extends object>(
  parts: Parts,
  reply: FastifyReply,
  decide: Decide<Command, Data>,
  command: Command,
  dryRun: boolean,
): Promise<Written | null> {
  if (dryRun) {
    await reply.code(200).send(rehearsed(parts, decide, command))
    return null
  }
  const answer = await parts.desk.run(decide, command)
  if (answer.kind === 'effective' || answer.kind === 'outcome_unknown') parts.access.changed(reply.request, answer.id)
  const effect = effectOf(answer)
  if (effect.kind !== 'repeated') return { routing: effect.routing, kind: effect.kind }
  const first = await parts.stateAt({ revision: effect.first.revision })
  invariant('routing' in first, 'a revision that was answered is in the log')
  reply.header('idempotent-replayed', 'true')
  return { routing: first.routing, kind: 'repeated' }
}

/** What the command would do, in the shape of the answer. Throws the problem that it would be refused with. */
function rehearsed<Command extends Request, Data extends object>(
  { desk, live, open }: Pick<Parts, 'desk' | 'live' | 'open'>,
  decide: Decide<Command, Data>,
  command: Command,
): z.input<typeof DryRun> {
  if (live.frozen) throw frozenProblem(live.frozen)
  const preview = desk.preview(decide, command)
  if (preview.kind === 'refused') throw Problem.ofRefusal(preview.refusal)
  if (preview.kind === 'unchanged') return { dry_run: true, changes: false, differences: [], open_connections: 0, ends_connections: 0 }
  const { after, before, facts } = preview
  const differences = differencesBetween(configurationOf(before), configurationOf(after))
  return { dry_run: true, changes: true, differences: [...differences], ...touchedBetween(before, after, facts, open) }
}

/** For DELETE: a wish in a body that nobody reads would be one that nobody grants. */
export async function refuseBody({ body }: FastifyRequest): Promise<void> {
  if (body === undefined || body === null) return
  throw new Problem(
    'body_unwanted',
    'DELETE takes no body: say it in the query, as in ?force=true&ticket=CHG-1&reason=moved&requested_by=ada&approved_by=grace.',
  )
}
