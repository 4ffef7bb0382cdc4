import { z } from 'zod'
import { decideAddBackend, type AddBackend } from '../commands/backend.ts'
import { invariant } from '../core/errors.ts'
import { effectOf } from './answers.ts'
import { etagOf, requestFacts, type Api, type ApiContext } from './context.ts'
import { backendView } from './pool-view.ts'
import { existingPool } from './pools.ts'
import { Problem, ProblemBody } from './problem.ts'
import { AddBackendBody, BackendParams, BackendView, changeOf, PoolParams } from './schemas.ts'

/** /api/pools/NAME/backends: add, list, read. The ETag is the pool's: its backends are part of it. */
export function backendRoutes(app: Api, context: ApiContext): void {
  addRoute(app, context)
  readRoutes(app, context)
}

function addRoute(app: Api, { desk, live, open }: ApiContext): void {
  app.route({
    method: 'POST',
    url: '/api/pools/:name/backends',
    schema: {
      operationId: 'addBackend',
      summary: 'Add a backend to a pool; it takes connections at once',
      params: PoolParams,
      body: AddBackendBody,
      response: {
        201: BackendView, 404: ProblemBody, 409: ProblemBody, 412: ProblemBody, 422: ProblemBody, 503: ProblemBody,
      },
    },
    handler: async (request, reply) => {
      const { change, url, weight } = request.body
      const pool = request.params.name
      const command: AddBackend = { ...requestFacts(request), change: changeOf(change), pool, url, weight }
      const effect = effectOf(await desk.run(decideAddBackend, command))
      invariant(effect.kind === 'effective', 'adding a backend always changes something')
      const after = effect.routing.pools.get(pool)
      const backend = after?.backends.get(effect.facts.data.id)
      invariant(after && backend, 'an effective addition leaves a backend')
      return reply
        .code(201)
        .header('location', `/api/pools/${pool}/backends/${encodeURIComponent(backend.id)}`)
        .header('etag', etagOf(after.revision))
        .send(backendView(pool, backend, { traffic: live.traffic, open }))
    },
  })
}

function readRoutes(app: Api, context: ApiContext): void {
  const statistics = () => ({ traffic: context.live.traffic, open: context.open })

  app.route({
    method: 'GET',
    url: '/api/pools/:name/backends',
    schema: {
      operationId: 'listBackends',
      summary: 'List the backends of a pool',
      params: PoolParams,
      response: { 200: z.strictObject({ backends: z.array(BackendView) }), 404: ProblemBody },
    },
    handler: async (request, reply) => {
      const pool = existingPool(context, request.params.name)
      const backends = [...pool.backends.values()].map((backend) => backendView(pool.name, backend, statistics()))
      return reply.header('etag', etagOf(pool.revision)).send({ backends })
    },
  })

  app.route({
    method: 'GET',
    url: '/api/pools/:name/backends/:id',
    schema: {
      operationId: 'readBackend',
      summary: 'Read one backend',
      params: BackendParams,
      response: { 200: BackendView, 404: ProblemBody },
    },
    handler: async (request, reply) => {
      const pool = existingPool(context, request.params.name)
      const backend = pool.backends.get(request.params.id)
      if (backend === undefined) {
        throw new Problem('backend_unknown', `Pool "${pool.name}" has no backend ${request.params.id}.`, {
          extra: { pool: pool.name },
        })
      }
      return reply.header('etag', etagOf(pool.revision)).send(backendView(pool.name, backend, statistics()))
    },
  })
}
