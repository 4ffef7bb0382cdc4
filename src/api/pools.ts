import { z } from 'zod'
import type { Routing } from '../../projections/routing.ts'
import { decideChangePool, decideRemovePool, type ChangePool, type RemovePool } from '../commands/change-pool.ts'
import { decideCreatePool, type CreatePool } from '../commands/create-pool.ts'
import { unknownPool } from '../commands/decision.ts'
import type { Api, ApiContext } from './context.ts'
import { NextCursor, pageOf, PageQuery } from './pagination.ts'
import { poolSummary, poolView } from './pool-view.ts'
import { Problem, ProblemBody } from './problem.ts'
import { CreateHeaders, etagOf, refuseIfMatch, requestFacts, WriteHeaders } from './request-facts.ts'
import {
  ChangePoolBody, changeOf, CreatePoolBody, ManagedBy, NoQuery, PoolParams, PoolSummary, PoolView,
} from './schemas.ts'
import { DryRun, refuseBody, RemoveQuery, write, WriteQuery } from './write.ts'

/** /api/pools: create, list, read, change, delete. A route decides nothing: the desk runs the decider and records. */
export function poolRoutes(app: Api, context: ApiContext): void {
  createRoute(app, context)
  changeRoutes(app, context)
  readRoutes(app, context)
}

const tags = ['pools']
/** What any change may be answered with besides success. */
export const writeProblems = {
  400: ProblemBody, 404: ProblemBody, 409: ProblemBody, 412: ProblemBody, 413: ProblemBody, 422: ProblemBody, 503: ProblemBody,
} as const

function createRoute(app: Api, context: ApiContext): void {
  app.route({
    method: 'POST',
    url: '/api/pools',
    schema: {
      operationId: 'createPool',
      summary: 'Create a pool, with the backends it starts with',
      tags,
      body: CreatePoolBody,
      headers: CreateHeaders,
      querystring: WriteQuery,
      response: { 200: DryRun, 201: PoolView, ...writeProblems },
    },
    handler: async (request, reply) => {
      refuseIfMatch(request)
      const command: CreatePool = { ...requestFacts(request), ...createPoolOf(request.body) }
      const written = await write(context, reply, decideCreatePool, command, request.query.dry_run)
      if (written === null) return reply
      const { routing } = written
      const pool = poolOf(routing, command.name)
      return reply
        .code(201)
        .header('location', `/api/pools/${pool.name}`)
        .header('etag', etagOf(pool.revision))
        .send(poolView(routing, pool, context.statistics()))
    },
  })
}

function changeRoutes(app: Api, context: ApiContext): void {
  app.route({
    method: 'PATCH',
    url: '/api/pools/:name',
    schema: {
      operationId: 'changePool',
      summary: 'Change settings of a pool: a JSON merge patch (RFC 7396)',
      tags,
      params: PoolParams,
      body: ChangePoolBody,
      headers: WriteHeaders,
      querystring: WriteQuery,
      response: { 200: z.union([PoolView, DryRun]), ...writeProblems },
    },
    handler: async (request, reply) => {
      const command: ChangePool = { ...requestFacts(request), ...changePoolOf(request.params.name, request.body) }
      const written = await write(context, reply, decideChangePool, command, request.query.dry_run)
      if (written === null) return reply
      const { routing } = written
      const pool = poolOf(routing, command.name)
      return reply.header('etag', etagOf(pool.revision)).send(poolView(routing, pool, context.statistics()))
    },
  })

  app.route({
    method: 'DELETE',
    url: '/api/pools/:name',
    schema: {
      operationId: 'deletePool',
      summary: 'Delete a pool with its backends; open connections go on unless forced',
      tags,
      params: PoolParams,
      headers: WriteHeaders,
      querystring: RemoveQuery,
      response: { 200: DryRun, 204: z.null().meta({ description: 'It is gone.' }), ...writeProblems },
    },
    preValidation: refuseBody,
    handler: async (request, reply) => {
      const { dry_run: dryRun, force, ...change } = request.query
      const command: RemovePool = { ...requestFacts(request), change: changeOf(change), force, name: request.params.name }
      const written = await write(context, reply, decideRemovePool, command, dryRun)
      return written === null ? reply : reply.code(204).send(null)
    },
  })
}

function readRoutes(app: Api, context: ApiContext): void {
  app.route({
    method: 'GET',
    url: '/api/pools',
    schema: {
      operationId: 'listPools',
      summary: 'List the pools by name, without their backends',
      tags,
      querystring: z.strictObject({
        ...PageQuery.shape,
        managed_by: ManagedBy.optional().meta({ description: 'Only those that a declaration file owns, or only the others.' }),
      }),
      response: {
        200: z.strictObject({ pools: z.array(PoolSummary), revision: z.int(), next_cursor: NextCursor }), 422: ProblemBody,
      },
    },
    handler: async (request, reply) => {
      const { routing } = context.live
      const { pools, revision } = routing
      const { managed_by: owner, ...paging } = request.query
      const wanted = [...pools.values()].filter(({ declaration }) => owner === undefined || (declaration === null) === (owner === 'api'))
      const byName = wanted.toSorted((one, other) => (one.name < other.name ? -1 : 1))
      const page = pageOf(byName, ({ name }) => name, paging)
      const statistics = context.statistics()
      const shown = page.entries.map((pool) => poolSummary(routing, pool, statistics))
      return reply.header('etag', etagOf(revision)).send({ pools: shown, revision, next_cursor: page.next })
    },
  })

  app.route({
    method: 'GET',
    url: '/api/pools/:name',
    schema: {
      operationId: 'readPool',
      summary: 'Read a pool with its backends and statistics',
      tags,
      params: PoolParams,
      querystring: NoQuery,
      response: { 200: PoolView, 404: ProblemBody, 422: ProblemBody },
    },
    handler: async (request, reply) => {
      const { routing } = context.live
      const pool = poolOf(routing, request.params.name)
      return reply.header('etag', etagOf(pool.revision)).send(poolView(routing, pool, context.statistics()))
    },
  })
}

export function poolOf(routing: Routing, name: string) {
  const pool = routing.pools.get(name)
  if (pool !== undefined) return pool
  throw Problem.ofRefusal(unknownPool(name).refusal)
}

function createPoolOf(body: z.infer<typeof CreatePoolBody>) {
  return {
    name: body.name,
    algorithm: body.algorithm,
    allowPlaintext: body.allow_plaintext,
    backends: body.backends.map(({ url, weight }) => ({ declaration: null, url, weight })),
    businessNeed: body.business_need,
    change: changeOf(body.change),
    declaration: null,
    defaultRoute: body.default_route,
    drainTimeoutMs: body.drain_timeout,
    healthCheckIntervalMs: body.health_check_interval,
    listen: body.listen,
    minTlsVersion: body.min_tls_version,
    owner: body.owner,
    rejectEch: body.reject_ech,
    serverNames: body.server_names,
  }
}

function changePoolOf(name: string, body: z.infer<typeof ChangePoolBody>) {
  const set = {
    ...(body.algorithm === undefined ? {} : { algorithm: body.algorithm }),
    ...(body.allow_plaintext === undefined ? {} : { allowPlaintext: body.allow_plaintext }),
    ...(body.business_need === undefined ? {} : { businessNeed: body.business_need }),
    ...(body.default_route === undefined ? {} : { defaultRoute: body.default_route }),
    ...(body.drain_timeout === undefined ? {} : { drainTimeoutMs: body.drain_timeout }),
    ...(body.health_check_interval === undefined ? {} : { healthCheckIntervalMs: body.health_check_interval }),
    ...(body.listen === undefined ? {} : { listen: body.listen }),
    ...(body.min_tls_version === undefined ? {} : { minTlsVersion: body.min_tls_version }),
    ...(body.owner === undefined ? {} : { owner: body.owner }),
    ...(body.reject_ech === undefined ? {} : { rejectEch: body.reject_ech }),
    ...(body.server_names === undefined ? {} : { serverNames: body.server_names }),
  }
  return { change: changeOf(body.change), name, set }
}
