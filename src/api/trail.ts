import { streams } from '../../events/define.ts'
import { trailDocument } from '../../projections/trail-document.ts'
import type { TrailSubject } from '../../projections/trail-subject.ts'
import { invariant } from '../core/errors.ts'
import { readTrail } from '../live/read-trail.ts'
import type { Api, ApiContext } from './context.ts'
import { Problem, ProblemBody } from './problem.ts'
import { Readers } from './readers.ts'
import { TrailQuery, TrailView } from './schemas-trail.ts'

/** GET /api/trail: everything that happened to one pool, backend, listener or connection, or that one actor did, from the log. */

/** Each goes through the whole log. */
export const trailReadersMax = 4

export function trailRoutes(app: Api, context: Pick<ApiContext, 'access' | 'closing' | 'log'>): void {
  const readers = new Readers(trailReadersMax, (reading) => `${reading} trails are being read already.`)

  app.route({
    method: 'GET',
    url: '/api/trail',
    exposeHeadRoute: false,
    schema: {
      operationId: 'readTrail',
      summary: 'Read everything that happened to one pool, backend, listener or connection, or that one actor did',
      description: 'Give exactly one of the parameters. The whole log is read, so this takes its time where the log is long.',
      tags: ['events'],
      querystring: TrailQuery,
      response: { 200: TrailView, 422: ProblemBody, 503: ProblemBody },
    },
    handler: async (request, reply) => {
      const about = subjectOf(request.query)
      using _place = readers.enter()
      const gone = new AbortController()
      const leave = (): void => gone.abort()
      reply.raw.once('close', leave)
      try {
        const signal = AbortSignal.any([gone.signal, context.closing])
        const { changesEnd, trail } = await readTrail(context.log, about, { signal })
        // Part of a trail is none. A client that is gone hears nothing of it.
        if (signal.aborted) throw new Problem('not_ready', 'This node stops; the trail was not read to its end.')
        const read = streams.map((stream) => {
          const { first, last } = trail.ends[stream]
          return { follow: false, outcome: 'ended', records: first.length + last.length, stream } as const
        })
        await Promise.all(read.map((one) => context.access.auditRead(request, one)))
        const { entries, ...rest } = trailDocument(trail)
        return { ...rest, changes_end: changesEnd, entries: [...entries] }
      } finally {
        reply.raw.off('close', leave)
      }
    },
  })
}

function subjectOf(query: TrailQuery): TrailSubject {
  const { actor, backend, connection, listener, pool } = query
  const [field, surplus] = Object.keys(query)
  if (field === undefined) {
    throw new Problem('field_invalid', 'Say whose trail: pool, backend, listener, connection or actor.', { field: 'pool' })
  }
  if (surplus !== undefined) {
    throw new Problem('field_invalid', `A trail is of one thing; leave out ${field} or ${surplus}.`, { field: surplus })
  }
  if (actor !== undefined) return { kind: 'actor', id: actor }
  if (connection !== undefined) return { kind: 'connection', id: connection }
  if (listener !== undefined) return { kind: 'listener', name: listener }
  if (pool !== undefined) return { kind: 'pool', name: pool }
  invariant(backend !== undefined, 'the query has one of its five parameters')
  const at = backend.indexOf('/')
  return { kind: 'backend', pool: backend.slice(0, at), id: backend.slice(at + 1) }
}
