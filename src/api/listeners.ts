import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { listenersOf } from '../../projections/configuration.ts'
import { hasListener, listenerName, sharedListener } from '../../projections/listeners.ts'
import type { Routing } from '../../projections/routing.ts'
import { decideChangeListener, type ChangeListener } from '../commands/change-listener.ts'
import { unknownListener } from '../commands/decision.ts'
import type { Api, ApiContext } from './context.ts'
import { listenerView } from './listener-view.ts'
import { Problem, ProblemBody } from './problem.ts'
import { writeProblems } from './pools.ts'
import { etagOf, requestFacts, WriteHeaders } from './request-facts.ts'
import { changeOf, NoQuery, PoolParams } from './schemas.ts'
import { ChangeListenerBody, ListenerView } from './schemas-listeners.ts'
import { DryRun, write, WriteQuery } from './write.ts'

/** /api/listeners: where clients come in, whether this node is bound there, and what it does with those that no name leads on. */
export function listenerRoutes(app: Api, context: ApiContext): void {
  listRoute(app, context)
  sharedRoutes(app, context)
  ownRoutes(app, context)
}

const tags = ['listeners']
const ListenerOrDryRun = z.union([ListenerView, DryRun])

function listRoute(app: Api, { listeners, live }: ApiContext): void {
  app.route({
    method: 'GET',
    url: '/api/listeners',
    schema: {
      operationId: 'listListeners',
      summary: 'List the listeners, whether this node is bound there, and what they do with clients that no name leads to a pool',
      description: 'All at once: there is the shared one, and one for each pool with an address of its own.',
      tags,
      querystring: NoQuery,
      response: { 200: z.strictObject({ listeners: z.array(ListenerView) }), 422: ProblemBody },
    },
    handler: async () => {
      const { routing } = live
      const here = new Map(listeners.listeners.map((now) => [now.listener, now]))
      return { listeners: listenersOf(routing).map((listener) => listenerView(routing, listener, here.get(listener))) }
    },
  })
}

function sharedRoutes(app: Api, context: ApiContext): void {
  app.route({
    method: 'GET',
    url: '/api/listeners/shared',
    schema: {
      operationId: 'readSharedListener',
      summary: 'Read the shared listener',
      tags,
      querystring: NoQuery,
      response: { 200: ListenerView, 422: ProblemBody },
    },
    handler: async (_request, reply) => answer(context, reply, context.live.routing, sharedListener),
  })

  app.route({
    method: 'PATCH',
    url: '/api/listeners/shared',
    schema: {
      operationId: 'changeSharedListener',
      summary: 'Change what the shared listener does with clients that no name leads to a pool: a JSON merge patch (RFC 7396)',
      tags,
      body: ChangeListenerBody,
      headers: WriteHeaders,
      querystring: WriteQuery,
      response: { 200: ListenerOrDryRun, ...writeProblems },
    },
    handler: async (request, reply) => change(context, request, reply, sharedListener, request.body, request.query.dry_run),
  })
}

function ownRoutes(app: Api, context: ApiContext): void {
  app.route({
    method: 'GET',
    url: '/api/listeners/pools/:name',
    schema: {
      operationId: 'readPoolListener',
      summary: "Read a pool's own listener",
      tags,
      params: PoolParams,
      querystring: NoQuery,
      response: { 200: ListenerView, 404: ProblemBody, 422: ProblemBody },
    },
    handler: async (request, reply) => answer(context, reply, context.live.routing, listenerName(request.params.name)),
  })

  app.route({
    method: 'PATCH',
    url: '/api/listeners/pools/:name',
    schema: {
      operationId: 'changePoolListener',
      summary: "Change what a pool's own listener does with clients that no name leads to a pool: a JSON merge patch (RFC 7396)",
      tags,
      params: PoolParams,
      body: ChangeListenerBody,
      headers: WriteHeaders,
      querystring: WriteQuery,
      response: { 200: ListenerOrDryRun, ...writeProblems },
    },
    handler: async (request, reply) =>
      change(context, request, reply, listenerName(request.params.name), request.body, request.query.dry_run),
  })
}

async function change(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  listener: string,
  { change: why, ...set }: z.infer<typeof ChangeListenerBody>,
  dryRun: boolean,
): Promise<FastifyReply> {
  const command: ChangeListener = { ...requestFacts(request), change: changeOf(why), listener, set }
  const written = await write(context, reply, decideChangeListener, command, dryRun)
  return written === null ? reply : answer(context, reply, written.routing, listener)
}

function answer({ listeners }: ApiContext, reply: FastifyReply, routing: Routing, listener: string): FastifyReply {
  if (!hasListener(routing, listener)) throw Problem.ofRefusal(unknownListener(listener).refusal)
  const now = listeners.listeners.find((one) => one.listener === listener)
  const view = listenerView(routing, listener, now)
  return reply.header('etag', etagOf(view.revision)).send(view)
}
