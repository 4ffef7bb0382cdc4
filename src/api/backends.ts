import { z } from 'zod'
import type { Routing } from '../../projections/routing.ts'
import {
  decideAddBackend, decideChangeBackend, decideDrainBackend, decideRemoveBackend, decideResumeBackend,
  type AddBackend, type ChangeBackend, type LeavingBackend, type OneBackend,
} from '../commands/backend.ts'
import { parseBackendUrl } from '../commands/backend-url.ts'
import { unknownBackend } from '../commands/decision.ts'
import { invariant } from '../core/errors.ts'
import type { Api, ApiContext } from './context.ts'
import { backendView } from './pool-view.ts'
import { poolOf, writeProblems } from './pools.ts'
import { Problem, ProblemBody } from './problem.ts'
import { etagOf, requestFacts, WriteHeaders } from './request-facts.ts'
import {
  AddBackendBody, BackendParams, BackendView, ChangeBackendBody, changeOf, DrainBody, NoQuery, PoolParams, ResumeBody,
} from './schemas.ts'
import { DryRun, refuseBody, RemoveQuery, write, WriteQuery, type Written } from './write.ts'

/** /api/pools/NAME/backends: add, list, read, change, drain, resume, delete. The ETag is the pool's. */
export function backendRoutes(app: Api, context: ApiContext): void {
  addRoute(app, context)
  changeRoute(app, context)
  drainRoutes(app, context)
  removeRoute(app, context)
  readRoutes(app, context)
}

const tags = ['backends']
const BackendOrDryRun = z.union([BackendView, DryRun])

function addRoute(app: Api, context: ApiContext): void {
  app.route({
    method: 'POST',
    url: '/api/pools/:name/backends',
    schema: {
      operationId: 'addBackend',
      summary: 'Add a backend to a pool; it takes connections at once',
      tags,
      params: PoolParams,
      body: AddBackendBody,
      headers: WriteHeaders,
      querystring: WriteQuery,
      response: { 200: DryRun, 201: BackendView, ...writeProblems },
    },
    handler: async (request, reply) => {
      const { change, url, weight } = request.body
      const pool = request.params.name
      const command: AddBackend = { ...requestFacts(request), change: changeOf(change), declaration: null, pool, url, weight }
      const written = await write(context, reply, decideAddBackend, command, request.query.dry_run)
      if (written === null) return reply
      const address = parseBackendUrl(url)
      invariant('value' in address, 'what was added has an address')
      const { id } = address.value
      const { backend, etag } = shown(context, written.routing, { id, name: pool })
      return reply
        .code(201)
        .header('location', `/api/pools/${pool}/backends/${encodeURIComponent(id)}`)
        .header('etag', etag)
        .send(backend)
    },
  })
}

function changeRoute(app: Api, context: ApiContext): void {
  app.route({
    method: 'PATCH',
    url: '/api/pools/:name/backends/:id',
    schema: {
      operationId: 'changeBackend',
      summary: 'Change the weight of a backend: a JSON merge patch (RFC 7396)',
      tags,
      params: BackendParams,
      body: ChangeBackendBody,
      headers: WriteHeaders,
      querystring: WriteQuery,
      response: { 200: BackendOrDryRun, ...writeProblems },
    },
    handler: async (request, reply) => {
      const { change, weight } = request.body
      const { id, name: pool } = request.params
      const set = weight === undefined ? {} : { weight }
      const command: ChangeBackend = { ...requestFacts(request), change: changeOf(change), id, pool, set }
      return answerOne(context, reply, request.params, await write(context, reply, decideChangeBackend, command, request.query.dry_run))
    },
  })
}

function drainRoutes(app: Api, context: ApiContext): void {
  app.route({
    method: 'POST',
    url: '/api/pools/:name/backends/:id/drain',
    schema: {
      operationId: 'drainBackend',
      summary: 'Give a backend no new connections; open ones go on unless forced',
      tags,
      params: BackendParams,
      body: DrainBody,
      headers: WriteHeaders,
      querystring: WriteQuery,
      response: { 200: BackendOrDryRun, ...writeProblems },
    },
    handler: async (request, reply) => {
      const { id, name: pool } = request.params
      const { change, force = false } = request.body ?? {}
      const command: LeavingBackend = { ...requestFacts(request), change: changeOf(change), force, id, pool }
      return answerOne(context, reply, request.params, await write(context, reply, decideDrainBackend, command, request.query.dry_run))
    },
  })

  app.route({
    method: 'POST',
    url: '/api/pools/:name/backends/:id/resume',
    schema: {
      operationId: 'resumeBackend',
      summary: 'Give a drained backend new connections again',
      tags,
      params: BackendParams,
      body: ResumeBody,
      headers: WriteHeaders,
      querystring: WriteQuery,
      response: { 200: BackendOrDryRun, ...writeProblems },
    },
    handler: async (request, reply) => {
      const { id, name: pool } = request.params
      const command: OneBackend = { ...requestFacts(request), change: changeOf(request.body?.change), id, pool }
      return answerOne(context, reply, request.params, await write(context, reply, decideResumeBackend, command, request.query.dry_run))
    },
  })
}

function removeRoute(app: Api, context: ApiContext): void {
  app.route({
    method: 'DELETE',
    url: '/api/pools/:name/backends/:id',
    schema: {
      operationId: 'deleteBackend',
      summary: 'Take a backend out of its pool; open connections go on unless forced',
      tags,
      params: BackendParams,
      headers: WriteHeaders,
      querystring: RemoveQuery,
      response: { 200: DryRun, 204: z.null().meta({ description: 'It is gone.' }), ...writeProblems },
    },
    preValidation: refuseBody,
    handler: async (request, reply) => {
      const { dry_run: dryRun, force, ...change } = request.query
      const { id, name: pool } = request.params
      const command: LeavingBackend = { ...requestFacts(request), change: changeOf(change), force, id, pool }
      const written = await write(context, reply, decideRemoveBackend, command, dryRun)
      return written === null ? reply : reply.code(204).send(null)
    },
  })
}

function readRoutes(app: Api, context: ApiContext): void {
  app.route({
    method: 'GET',
    url: '/api/pools/:name/backends',
    schema: {
      operationId: 'listBackends',
      summary: 'List the backends of a pool',
      description: 'All at once: a pool has at most 256.',
      tags,
      params: PoolParams,
      querystring: NoQuery,
      response: { 200: z.strictObject({ backends: z.array(BackendView) }), 404: ProblemBody, 422: ProblemBody },
    },
    handler: async (request, reply) => {
      const pool = poolOf(context.live.routing, request.params.name)
      const backends = [...pool.backends.values()].map((backend) => backendView(pool.name, backend, context.statistics()))
      return reply.header('etag', etagOf(pool.revision)).send({ backends })
    },
  })

  app.route({
    method: 'GET',
    url: '/api/pools/:name/backends/:id',
    schema: {
      operationId: 'readBackend',
      summary: 'Read one backend',
      tags,
      params: BackendParams,
      querystring: NoQuery,
      response: { 200: BackendView, 404: ProblemBody, 422: ProblemBody },
    },
    handler: async (request, reply) => {
      const { backend, etag } = shown(context, context.live.routing, request.params)
      return reply.header('etag', etag).send(backend)
    },
  })
}

type Params = z.infer<typeof BackendParams>
type Reply = Parameters<typeof write>[1]

function answerOne(context: ApiContext, reply: Reply, params: Params, written: Written | null): Reply {
  if (written === null) return reply
  const { backend, etag } = shown(context, written.routing, params)
  return reply.header('etag', etag).send(backend)
}

function shown(context: ApiContext, routing: Routing, { id, name }: Params): { backend: BackendView; etag: string } {
  const pool = poolOf(routing, name)
  const backend = pool.backends.get(id)
  if (backend === undefined) throw Problem.ofRefusal(unknownBackend(pool, id).refusal)
  return { backend: backendView(name, backend, context.statistics()), etag: etagOf(pool.revision) }
}
