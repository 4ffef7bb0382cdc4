import { z } from 'zod'
import { decideCreatePool, type CreatePool } from '../commands/pool.ts'
import { invariant } from '../core/errors.ts'
import { effectOf } from './answers.ts'
import { etagOf, requestFacts, type Api, type ApiContext } from './context.ts'
import { poolSummary, poolView } from './pool-view.ts'
import { Problem, ProblemBody } from './problem.ts'
import { changeOf, CreatePoolBody, PoolParams, PoolSummary, PoolView } from './schemas.ts'

/** /api/pools: create, list, read. A route decides nothing: the desk runs the decider and records what it decided. */
export function poolRoutes(app: Api, context: ApiContext): void {
  createRoute(app, context)
  readRoutes(app, context)
}

function createRoute(app: Api, { desk, live, open }: ApiContext): void {
  app.route({
    method: 'POST',
    url: '/api/pools',
    schema: {
      operationId: 'createPool',
      summary: 'Create a pool',
      body: CreatePoolBody,
      response: { 201: PoolView, 409: ProblemBody, 413: ProblemBody, 422: ProblemBody, 503: ProblemBody },
    },
    handler: async (request, reply) => {
      const command: CreatePool = { ...requestFacts(request), ...createPoolOf(request.body) }
      const effect = effectOf(await desk.run(decideCreatePool, command))
      invariant(effect.kind === 'effective', 'creating a pool always changes something')
      const pool = effect.routing.pools.get(command.name)
      invariant(pool, 'an effective creation leaves a pool')
      const { default_route_reason: reason } = effect.facts.data
      return reply
        .code(201)
        .header('location', `/api/pools/${pool.name}`)
        .header('etag', etagOf(pool.revision))
        .send({ ...poolView(pool, { traffic: live.traffic, open }), ...(reason === null ? {} : { default_route_reason: reason }) })
    },
  })
}

function readRoutes(app: Api, context: ApiContext): void {
  const { live, open } = context
  const statistics = () => ({ traffic: live.traffic, open })

  app.route({
    method: 'GET',
    url: '/api/pools',
    schema: {
      operationId: 'listPools',
      summary: 'List the pools, without their backends',
      response: { 200: z.strictObject({ pools: z.array(PoolSummary), revision: z.int() }) },
    },
    handler: async (_request, reply) => {
      const { pools, revision } = live.routing
      const shown = [...pools.values()].map((pool) => poolSummary(pool, statistics()))
      return reply.header('etag', etagOf(revision)).send({ pools: shown, revision })
    },
  })

  app.route({
    method: 'GET',
    url: '/api/pools/:name',
    schema: {
      operationId: 'readPool',
      summary: 'Read a pool with its backends and statistics',
      params: PoolParams,
      response: { 200: PoolView, 404: ProblemBody },
    },
    handler: async (request, reply) => {
      const pool = existingPool(context, request.params.name)
      return reply.header('etag', etagOf(pool.revision)).send(poolView(pool, statistics()))
    },
  })
}

export function existingPool({ live }: ApiContext, name: string) {
  const pool = live.routing.pools.get(name)
  if (pool !== undefined) return pool
  throw new Problem('pool_unknown', `There is no pool "${name}". GET /api/pools lists those that exist.`, {
    extra: { pool: name },
  })
}

function createPoolOf(body: z.infer<typeof CreatePoolBody>) {
  return {
    name: body.name,
    algorithm: body.algorithm,
    businessNeed: body.business_need,
    change: changeOf(body.change),
    defaultRoute: body.default_route,
    healthCheckIntervalMs: body.health_check_interval,
    listen: body.listen,
    managedBy: 'api' as const,
    owner: body.owner,
    serverNames: body.server_names,
  }
}
