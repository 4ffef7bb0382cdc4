import type { FastifyReply, FastifyRequest } from 'fastify'
import { readTraceparent, type EndedCall, type Tracing } from '../core/tracing.ts'
import type { AccessRecords } from './access.ts'
import { noteTrace } from './call-trace.ts'
import { callerOf, isLocalSocket } from './caller.ts'
import type { Api } from './context.ts'
import { pathOf } from './errors.ts'

/** Finds out which trace a call is part of, and tells of it when it is over, if a span is to be made of it. */

export interface SpanParts {
  readonly access: Pick<AccessRecords, 'recordOf'>
  readonly tracing: Tracing
}

/** Add it before whatever may turn a call away: those are part of a trace as well. */
export function traceCalls(app: Api, parts: SpanParts): void {
  app.addHook('onRequest', async (request, reply) => begin(parts, request, reply))
}

/** What goes on record is a span that somebody may have: that of the call, if there will be one, else that of the caller. */
function begin({ access, tracing }: SpanParts, request: FastifyRequest, reply: FastifyReply): void {
  // Probes and pages that say nothing of this node: as little worth a span as they are worth a record.
  if (request.routeOptions.config.unrecorded === true) return
  const parent = readTraceparent(request.headers['traceparent'])
  const span = tracing.begin({ requestId: request.id, parent })
  if (span !== null) {
    noteTrace(request, span)
    // Unlike fastify's onResponse also when the caller left, as those do who follow the log.
    reply.raw.once('close', () => span.end(endedCall(access, request, reply)))
  } else if (parent !== null) {
    noteTrace(request, { ...parent, traceparent: parent.text })
  }
}

function endedCall(access: SpanParts['access'], request: FastifyRequest, reply: FastifyReply): EndedCall {
  const { ip, port } = callerOf(request).origin
  return {
    method: request.method,
    route: request.routeOptions.url ?? null,
    path: pathOf(request),
    status: reply.raw.statusCode,
    client: ip === null || port === null ? null : { ip, port },
    isLocalSocket: isLocalSocket(request),
    recordId: access.recordOf(request),
  }
}
