import { setMaxListeners } from 'node:events'
import Fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import { serializerCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import { AccessRecords } from './access.ts'
import { backendRoutes } from './backends.ts'
import { denial } from './browser-guard.ts'
import { traceCalls } from './call-spans.ts'
import { traceFields } from './call-trace.ts'
import { callerOf, isLocalSocket } from './caller.ts'
import { connectionRoutes } from './connections.ts'
import type { Api, ApiContext, ApiOptions } from './context.ts'
import { declarationRoutes } from './declarations.ts'
import { answerMalformed, errorHandler, pathOf, problemOf, sendProblem } from './errors.ts'
import { eventRoutes, readersMax } from './events.ts'
import { healthRoutes } from './health.ts'
import { bodyBytesMax, connectionsMax, serverOptions } from './http-limits.ts'
import { readJson } from './json-body.ts'
import { Retiring } from '../commands/retire.ts'
import { noTracing } from '../core/tracing.ts'
import { listenerRoutes } from './listeners.ts'
import { refuseOtherMethods } from './methods.ts'
import { metricsRoute } from './metrics.ts'
import { nodeRoutes } from './nodes.ts'
import { documentRoutes } from './openapi.ts'
import { OperationsNotes } from './operations-notes.ts'
import { poolRoutes } from './pools.ts'
import { everyAnswer, Problem } from './problem.ts'
import { Servers } from './servers.ts'
import { stateRoutes } from './state.ts'
import { trailRoutes } from './trail.ts'
import { validatorCompiler } from './validation.ts'

declare module 'fastify' {
  interface FastifyInstance {
    readonly servers: Servers
    /** Answers what the HTTP parser refuses, on every server around the routes. */
    readonly answerMalformed: ReturnType<typeof answerMalformed>
  }
}

/**
 * The REST API as one fastify app, ready for `listen` (loopback) and for `serveOnSocket`. Closing it ends what still
 * streams and puts the last calls on record, so close it before the log.
 */
export async function buildApi(options: ApiOptions): Promise<Api> {
  const closing = new AbortController()
  setMaxListeners(readersMax + 1, closing.signal)
  const notes = new OperationsNotes(options)
  const access = new AccessRecords(notes)
  const { appendTimeoutMs, clock, cluster, live, node, nodes, open } = options
  const retiring = new Retiring({ appendTimeoutMs, clock, cluster, drafts: notes.drafts, self: node, signal: closing.signal })
  const context: ApiContext = {
    ...options, notes, access, retiring, closing: closing.signal,
    statistics: () => ({ traffic: live.traffic, open, nodes: nodes.all() }),
  }
  const app: Api = createApp(context)

  traceCalls(app, { access, tracing: options.tracing ?? noTracing })
  app.addHook('onRequest', async (request, reply) => admit(context, request, reply))
  app.addHook('onSend', async (request, reply) => access.answered(request, reply.statusCode))
  app.addHook('onResponse', async (request, reply) => logAnswer(context, request, reply))
  app.addHook('preClose', async () => {
    closing.abort()
    app.servers.beginClose(options.clock)
  })
  app.addHook('onClose', async () => {
    await app.servers.endClose()
    await access[Symbol.asyncDispose]()
  })

  await app.register(async (routes: Api) => addRoutes(routes, context))
  await app.ready()
  app.server.maxConnections = connectionsMax
  return app
}

/** All of the API's; docs/openapi.json is made from them. */
export function addRoutes(routes: Api, context: ApiContext): void {
  const refuseRest = refuseOtherMethods(routes)
  poolRoutes(routes, context)
  backendRoutes(routes, context)
  connectionRoutes(routes, context)
  listenerRoutes(routes, context)
  nodeRoutes(routes, context)
  stateRoutes(routes, context)
  eventRoutes(routes, context)
  trailRoutes(routes, context)
  declarationRoutes(routes, context)
  healthRoutes(routes, context)
  metricsRoute(routes, context)
  documentRoutes(routes)
  refuseRest()
}

function createApp(context: ApiContext): Api {
  const { access, logger, makeId, onViolation } = context
  const answersMalformed = answerMalformed(makeId, (socket, status) => access.malformed(socket, status))
  const app = Fastify({
    ...serverOptions,
    bodyLimit: bodyBytesMax,
    logger: false,
    genReqId: makeId,
    requestIdHeader: false,
    // Requests that arrive while it closes are answered like any other; /health/ready says what is going on.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 300 },
    clientErrorHandler: answersMalformed,
    // For these fastify runs no hook.
    frameworkErrors: (error, request, reply) => {
      const problem = problemOf(error)
      access.answered(request, problem.status)
      void sendProblem(reply, request, problem)
    },
  }).withTypeProvider<ZodTypeProvider>()
  app.decorate('servers', new Servers(app.server))
  app.decorate('answerMalformed', answersMalformed)
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.setErrorHandler(errorHandler({ logger, onViolation }))
  app.setNotFoundHandler((request, reply) =>
    sendProblem(reply, request, new Problem('route_unknown', `There is nothing at ${JSON.stringify(pathOf(request))}.`)),
  )
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, parseBody(body as Buffer))
    } catch (error) {
      done(problemOf(error))
    }
  })
  return app
}

/** First of all: who may not be here at all, and headers that go with every answer. */
function admit(context: ApiContext, request: FastifyRequest, reply: FastifyReply): void {
  reply.headers(everyAnswer)
  // Any content type is read as JSON: curl without -H says application/x-www-form-urlencoded. Which web pages may
  // call is decided below, not by the content type.
  delete request.raw.headers['content-type']
  if (isLocalSocket(request)) return
  const problem = denial(request, context.bound)
  if (problem === null) return
  context.access.denied(request, problem.code, problem.status)
  throw problem
}

/** Undefined for a body of nothing but space, which is none. */
function parseBody(body: Buffer): unknown {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch (cause) {
    throw new Problem('body_invalid', 'The body is not UTF-8.', { cause })
  }
  if (text.trim() === '') return undefined
  const reading = readJson(text)
  if ('value' in reading) return reading.value
  const { column, line, problem } = reading
  throw new Problem('body_invalid', `The body is not usable JSON: line ${line}, column ${column}: ${problem}.`, {
    extra: { line, column },
  })
}

/** Changes and failures of our own; reads that went well are not worth a line. */
function logAnswer({ logger }: ApiContext, request: FastifyRequest, reply: FastifyReply): void {
  const { statusCode: status } = reply
  const reads = request.method === 'GET' || request.method === 'HEAD'
  if (reads && (status < 500 || status === 503)) return
  const fields = { actor: callerOf(request).actor.id, ms: Math.round(reply.elapsedTime), request_id: request.id, status, ...traceFields(request) }
  logger[status >= 500 ? 'warn' : 'info'](`${request.method} ${pathOf(request)} answered ${status}`, fields)
}
