import { configurationOf, differencesBetween, type Configuration } from '../../projections/configuration.ts'
import { instantMs, rfc3339 } from '../core/clock.ts'
import { invariant } from '../core/errors.ts'
import type { Moment } from '../live/snapshots/history.ts'
import type { PastConfiguration, RevisionUnknown } from '../live/time-travel.ts'
import type { Api, ApiContext } from './context.ts'
import { Problem, ProblemBody } from './problem.ts'
import { Readers } from './readers.ts'
import { DiffQuery, DiffView, RevisionText, StateQuery, StateView, type MomentView } from './schemas-state.ts'

/** /api/state: the configuration now or at any moment of the past. /api/diff: what is different between two moments. */

/** `configurationAt` of the log of this node. */
export type StateAt = (moment: Moment) => Promise<PastConfiguration | RevisionUnknown>

const tags = ['state']
const problems = { 404: ProblemBody, 422: ProblemBody, 503: ProblemBody } as const
/** The years 1970 to 9999, as records have them; a time zone can lead out of them. */
const firstMs = 0
const lastMs = 253_402_300_799_999

export function stateRoutes(app: Api, { live, stateAt }: Pick<ApiContext, 'live' | 'stateAt'>): void {
  const context = { live, stateAt: limited(stateAt) }
  app.route({
    method: 'GET',
    url: '/api/state',
    schema: {
      operationId: 'readState',
      summary: 'Read the whole configuration, now or as it was',
      tags,
      querystring: StateQuery,
      response: { 200: StateView, ...problems },
    },
    handler: async (request) => {
      const { at, revision } = request.query
      if (at !== undefined && revision !== undefined) {
        throw new Problem('field_invalid', 'Say either at or revision: they may mean different moments.', { field: 'at' })
      }
      const { configuration, moment } = await found(context, at ?? revision)
      return { moment, configuration: documentOf(configuration) }
    },
  })

  app.route({
    method: 'GET',
    url: '/api/diff',
    schema: {
      operationId: 'compareStates',
      summary: 'Compare the configurations of two moments',
      tags,
      querystring: DiffQuery,
      response: { 200: DiffView, ...problems },
    },
    handler: async (request) => {
      const from = await found(context, request.query.from)
      const to = await found(context, request.query.to)
      return { from: from.moment, to: to.moment, differences: [...differencesBetween(from.configuration, to.configuration)] }
    },
  })
}

interface Found {
  readonly configuration: Configuration
  readonly moment: MomentView
}

/** Folding the past takes a while of everybody's time, so only a few do it at once. */
const lookingBackMax = 4

function limited(stateAt: StateAt): StateAt {
  const readers = new Readers(lookingBackMax, (reading) => `${reading} clients look into the past already; ask again in a moment.`)
  return async (moment) => {
    using _place = readers.enter()
    return await stateAt(moment)
  }
}

/** Of a revision, a time, or now. */
async function found({ live, stateAt }: Pick<ApiContext, 'live' | 'stateAt'>, text: string | undefined): Promise<Found> {
  if (text === undefined) {
    const { routing } = live
    return { configuration: configurationOf(routing), moment: { revision: routing.revision, time: routing.changedAt } }
  }
  const moment = momentOf(text)
  const state = await stateAt(moment)
  if ('unknown' in state) {
    throw new Problem('revision_unknown', `There is no revision ${state.unknown}; the newest one is ${state.newest}.`, {
      extra: { newest: state.newest },
    })
  }
  const { revision, routing, time } = state
  return { configuration: configurationOf(routing), moment: { ...('at' in moment ? { at: moment.at } : {}), revision, time } }
}

function momentOf(text: string): Moment {
  if (RevisionText.safeParse(text).success) return { revision: Number(text) }
  const ms = instantMs(text)
  invariant(ms !== null, 'a moment was checked to be a revision or a time')
  return { at: rfc3339(Math.min(Math.max(ms, firstMs), lastMs)) }
}

/** In arrays that may be written to, as the schema of the answer has them. */
function documentOf(configuration: Configuration) {
  const pools = configuration.pools.map((pool) => ({ ...pool, backends: [...pool.backends], server_names: [...pool.server_names] }))
  const listeners = configuration.listeners.map((listener) => ({ ...listener, set: [...listener.set] }))
  return { ...configuration, pools, listeners, declarations: [...configuration.declarations] }
}
